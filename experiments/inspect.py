"""What goes on inside of a trained model? Figures and words about any run, written into its directory.

    python -m experiments.inspect RUN                  RUN is a run directory of any experiment
    python -m experiments.inspect RUN --row 3          another sequence of the batch (or text of the test part)
    python -m experiments.inspect RUN --steps 50       fewer steps in the figures

Of every run, by its loss on one training batch, without dropout: gates over time, hidden states in two dimensions, the
gradient's way back, saliency and integrated gradients. Beyond that, where the experiment is the one: units that follow
patterns of the text, words whose removal changes a judgement, the finite automaton that a network has become. What
does not apply is said, with the reason.
"""

from collections.abc import Callable

import jax
import numpy as np

from experiments.cli import RunPath, run_command
from experiments.registry import experiment_of
from rnn_jax.analysis import NotApplicable, inspection, trace_layers
from rnn_jax.checks import check_size
from rnn_jax.train import Experiment, Run, Trained, fit_config, flatten, key_for, replace_fields

Pages = dict[str, Callable[[], str]]


def general_pages(experiment: Experiment, trained: Trained, row: int, steps: int) -> Pages:
    """What every model with recurrent layers can show of a training batch."""
    run, config, fitting = trained.run, trained.config, fit_config(trained.config)
    quiet = {name: 0.0 for name in flatten(config) if name.endswith(("dropout", "noise"))}
    prepared = experiment.prepare(replace_fields(config, **quiet))
    task, alone = prepared.task, prepared.alone
    batch = task.batch(fitting.steps - 1)  # of the last update: a curriculum has ended by then
    letters, tokens = [], batch.get("inputs")
    if (run.path / "vocabulary.json").exists() and tokens is not None and np.ndim(tokens) == 2:
        vocabulary = run.read_json("vocabulary.json")
        letters = [vocabulary[token].replace("\n", "↵") for token in tokens[:, row % tokens.shape[1]]]

    def score() -> jax.Array:
        if alone is not None:
            return alone(trained.params, batch, row)
        return task.loss(trained.params, task.carry, batch, key_for(fitting.seed, "inspect"))[0]

    traces, options = trace_layers(score)[1], {"row": row, "steps": letters, "shown": steps}
    return {
        "gates": lambda: inspection.gates_page(traces, run.figures / "inspect-gates.png", **options),
        "hidden states": lambda: inspection.states_page(traces, run.figures / "inspect-states.png"),
        "gradient flow": lambda: inspection.flow_page(score, run.figures / "inspect-flow.png", fitting.steps),
        "saliency": lambda: inspection.saliency_page(score, run.figures / "inspect-saliency.png", **options),
    }


def inspect(run: RunPath, row: int = 0, steps: int = 100, trust_changes: bool = False) -> None:
    """Draw what goes on inside of the best model of a run."""
    check_size("steps", steps)
    opened = Run.open(run)
    experiment, written = experiment_of(opened), {}
    trained = experiment.load(run, trust_changes=trust_changes)
    before = {file: file.stat().st_mtime_ns for file in opened.figures.glob("inspect-*.png")}
    pages = general_pages(experiment, trained, row, steps)
    if experiment.pages is not None:
        pages |= experiment.pages(trained, row, steps)
    for page, write in pages.items():
        try:
            written[page] = write()
        except NotApplicable as reason:
            written[page] = f"does not apply: {reason}"
    text = "\n\n".join(f"{page}\n  " + words.replace("\n", "\n  ") for page, words in written.items())
    opened.write_text("inspection.txt", text + "\n")
    print(text)
    for file in sorted(opened.figures.glob("inspect-*.png")):
        if before.get(file) != file.stat().st_mtime_ns:
            print(f"figure: {file}")


if __name__ == "__main__":
    run_command(inspect)
