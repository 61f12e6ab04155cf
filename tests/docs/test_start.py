"""What the page Start tells a new user to type works, line by line, in an empty folder; its script is short."""

import re
import shlex
import subprocess
from pathlib import Path

import jax
import pytest

from experiments.cli import main
from experiments.registry import load_experiment

PAGE = (Path(__file__).parents[2] / "docs/start.md").read_text()
SMALLER = {"--hidden-size": "8", "--corpus": "text.txt", "--name": "first"}
TINY = "--batch-size 4 --length 16 --steps-per-dispatch 2 --evaluate-every 4".split()


def commands() -> list[str]:
    """The lines of its shell blocks that come after the installation."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).splitlines()
    return [line for line in lines if not re.search(r"\bvenv\b|\bpip\b", line)]


def scaled(line: str) -> list[str]:
    """The arguments of a command with a small model, few updates and a text that is at hand."""
    words = shlex.split(line)[3:]
    pairs = zip(["", *words], words, strict=False)
    few = {"--steps": "8" if "resume" in words else "4", **SMALLER}
    words = [few.get(before, word) for before, word in pairs]
    return words if words and not words[0].startswith("--") else words + TINY


@pytest.mark.exhaustive
def test_every_command_of_the_page_works_in_an_empty_folder(tmp_path, monkeypatch, capfd, shapes_unchecked):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(PAGE)
    said = {}
    for line in commands():
        if not line.startswith("python -m experiments.text_generation"):
            subprocess.run(line, shell=True, check=True)
            continue
        with jax.numpy_dtype_promotion("standard"), pytest.raises(SystemExit) as stopped:
            main(load_experiment("text_generation"), scaled(line))
        said[line] = "".join(capfd.readouterr())
        assert stopped.value.code in (0, None), (line, said[line])
    run = tmp_path / "runs/text_generation/first"
    for name in re.findall(r"All of a run lies in its folder: (.*?)\n\n", PAGE, re.DOTALL)[0].split("`")[1::2]:
        assert (run / name).exists(), name
    assert (run / "exported/model.rnn").exists()
    before, after = (text for line, text in said.items() if " resume " in line)
    assert "has already finished" in before and "going on after step 4" in after


def test_its_own_script_is_about_thirty_lines():
    (script,) = (block for block in re.findall(r"```{code-cell}\n(.*?)```", PAGE, re.DOTALL) if "import optax" in block)
    assert 20 <= sum(bool(line.strip()) for line in script.splitlines()) <= 32
