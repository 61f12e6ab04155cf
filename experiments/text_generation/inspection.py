"""What goes on inside of a trained language model: units that follow the text."""

from collections.abc import Callable

from experiments.text_generation.data import load_corpus
from rnn_jax.analysis import inspection, trace_layers
from rnn_jax.data import split
from rnn_jax.train import Trained


def pages(trained: Trained, row: int, steps: int) -> dict[str, Callable[[], str]]:
    """Units that follow patterns of the validation text, such as its lines."""
    del row, steps

    def units() -> str:
        text = split(load_corpus(trained.config.corpus).text)[1][:4000]
        tokens, model = trained.preprocessor.encode(text)[:, None], trained.model
        _, traces = trace_layers(lambda: model(tokens))
        return inspection.pattern_units_page(text, traces, trained.run.figures / "inspect-units.png")

    return {"units that follow the text": units}
