"""Training: one loop for every experiment, its checkpoints, and the directory that a run leaves."""

from rnn_jax.train.checkpoint import CheckpointError, Checkpoints
from rnn_jax.train.config import FitConfig, HoldOutConfig, fit_config
from rnn_jax.train.experiment import Experiment, Prepared, Trained
from rnn_jax.train.fields import flatten, make_config, replace_fields
from rnn_jax.train.figures import draw_alignment, draw_curves
from rnn_jax.train.going_on import command_on, written_at_end
from rnn_jax.train.loading import load_run
from rnn_jax.train.loop import Outcome, best_params, fit
from rnn_jax.train.multi_seed import SeedsDiffer, fit_seeds
from rnn_jax.train.optimizer import OptimizerConfig, make_optimizer, make_schedule
from rnn_jax.train.programs import share_compiled_programs
from rnn_jax.train.replica import Diverged, Task
from rnn_jax.train.run import Run, config_hash
from rnn_jax.train.running import RunOptions, train_experiment
from rnn_jax.train.seeds import key_for
from rnn_jax.train.state import TrainState, initial_state, make_dispatch

__all__ = [
    "CheckpointError",
    "Checkpoints",
    "Diverged",
    "Experiment",
    "FitConfig",
    "HoldOutConfig",
    "OptimizerConfig",
    "Outcome",
    "Prepared",
    "Run",
    "RunOptions",
    "SeedsDiffer",
    "Task",
    "TrainState",
    "Trained",
    "best_params",
    "command_on",
    "config_hash",
    "draw_alignment",
    "draw_curves",
    "fit",
    "fit_config",
    "fit_seeds",
    "flatten",
    "initial_state",
    "key_for",
    "load_run",
    "make_config",
    "make_dispatch",
    "make_optimizer",
    "make_schedule",
    "replace_fields",
    "share_compiled_programs",
    "train_experiment",
    "written_at_end",
]
