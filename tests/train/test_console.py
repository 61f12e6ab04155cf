import io

from rnn_jax.train.console import Console


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_a_file_gets_lines():
    said = {}
    for stream in (Terminal(), io.StringIO()):
        console = Console(total=20, start=5, interval=0.0, stream=stream)
        console.show(10, {"loss": 1.25})
        console.line("step 10/20  validation_loss 1.5")
        console.show(20, {"loss": 0.5})
        console.close()
        said[stream.isatty()] = stream.getvalue()
    assert "\r" in said[True] and "20/20" in said[True] and "validation_loss 1.5" in said[True]
    lines = said[False].splitlines()
    assert "\r" not in said[False] and len(lines) == 3
    assert lines[0].startswith("step 10/20  loss 1.25") and "s left" in lines[0]


def test_lines_come_no_more_often_than_the_interval():
    stream = io.StringIO()
    console = Console(total=1000, interval=60.0, stream=stream)
    for step in range(100):
        console.show(step, {"loss": 1.0})
    assert stream.getvalue() == ""
