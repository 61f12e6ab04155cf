"""What can be done with a run that is there: whether it is over, how it goes further, how it is trained again."""

import shlex
import sys
from typing import Any

import jax
import numpy as np

from rnn_jax.train.checkpoint import Checkpoints
from rnn_jax.train.config import fit_config
from rnn_jax.train.console import rounded
from rnn_jax.train.fields import replace_fields
from rnn_jax.train.manifest import user_modules
from rnn_jax.train.optimizer import make_schedule
from rnn_jax.train.run import Run, config_hash


def command_on(module: str, run: Run, words: str) -> str:
    """A command line on a run as it can be typed: with --trust where its config names a module of the user.

    Args:
        module: of the experiment.
        run: whose directory stands for RUN.
        words: such as "predict RUN FILE".
    """
    trust = " --trust" if user_modules(run.config) else ""
    return f"python -m {module} {words.replace('RUN', shlex.quote(str(run.path)), 1)}{trust}"


def written_at_end(module: str, run: Run, name: str) -> Any:
    """What a run of the experiment of a module has written as JSON when it ended.

    Raises:
        ValueError: it has not ended.
    """
    if not (run.path / name).exists():
        raise ValueError(f"run={str(run.path)!r} is not finished: {command_on(module, run, 'resume RUN')}")
    return run.read_json(name)


def ending(module: str, run: Run, config: Any) -> str:
    """How a run of this config has ended, and how the experiment of a module goes further with it; "" if it has not."""
    if run.exit_reason not in ("finished", "stopped early") or not (run.path / "result.json").exists():
        return ""
    result = run.read_json("result.json")
    if result["config_hash"] != config_hash(config):
        return ""
    value = "none" if result["value"] is None else rounded(result["value"])
    words = f"resume RUN --steps {2 * result['steps']}"
    ended = f"{run.path} has already {run.exit_reason}: {result['metric']} {value} after {result['steps']} updates"
    return f"{ended}; go further with: {command_on(module, run, words)}"


def further(run: Run, config: Any, steps: int) -> Any:
    """The config of a run with more steps, to resume it with; says how the learning rate goes on.

    Raises:
        ValueError: the run has made so many already, or it stopped early.
    """
    before, longer = fit_config(config), replace_fields(config, steps=steps)
    made = Checkpoints(run.checkpoints, read_only=True).latest_step or 0
    if steps <= made:
        raise ValueError(f"steps={steps}: {run.path} has made {made} updates already; expected more")
    if run.exit_reason == "stopped early":
        raise ValueError(
            f"steps={steps}: {run.path} stopped early, for patience={before.patience}; begin another run with "
            f"--config {run.path}/config.json --patience 0 --steps {steps} --name NAME{_begun_from(run)}"
        )
    rates = [float(np.asarray(make_schedule(before, count)(made))) for count in (before.steps, steps)]
    if jax.process_index() == 0:
        print(
            f"{before.schedule} schedule over {steps} updates in place of {before.steps}: after {made} the learning "
            f"rate is {rates[1]:.3g}, and not {rates[0]:.3g}",
            file=sys.stderr,
        )
    return longer


def again(module: str, default: str, run: Run) -> str:
    """What to do about a run without an intact checkpoint: a command.

    Args:
        module: of the experiment.
        default: its command where none is named.
        run: without a checkpoint.
    """
    if not Checkpoints(run.checkpoints).ever_saved:
        return f"train it on with: {command_on(module, run, 'resume RUN')}"
    runs, flags = shlex.quote(str(run.path.parents[1])), f"--name {run.path.name} --overwrite{_begun_from(run)}"
    words = f"{'' if default == 'train' else 'train '}--config RUN/config.json --runs {runs} {flags}"
    return f"train it anew with: {command_on(module, run, words)}"


def _begun_from(run: Run) -> str:
    """The flag by which another run begins as this one did, with the parameters of a third; "" if with its own."""
    return f" --init-from {shlex.quote(origin['run'])}" if (origin := run.begun_from) else ""
