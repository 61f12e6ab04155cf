"""An experiment as its user has it: from the words of a command line to an exit code and what is said."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from experiments import cli
from rnn_jax.train import Experiment, Run


class Commands:
    """The commands of an experiment, run in this process.

    Args:
        experiment: whose command line it is.
    """

    def __init__(self, experiment: Experiment):
        self.experiment = experiment

    def __call__(self, *arguments) -> int:
        with pytest.raises(SystemExit) as stopped:
            cli.main(self.experiment, [str(a) for a in arguments])
        return stopped.value.code

    def config(self, *arguments) -> Any:
        """The config that a command line asks for; nothing is trained."""
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cli, "train_experiment", lambda experiment, config, options: seen.append(config))
            assert self(*arguments) == 0
        return seen[0]

    def refused(self, capsys, *arguments) -> str:
        """What is said, in one line, of a command line that cannot be carried out."""
        capsys.readouterr()
        code = self(*arguments)
        said = " ".join(capsys.readouterr().err.split())
        # 2 for a value that is refused as the flags are read, 1 for one that is found out later.
        assert code in (1, 2) and "Traceback" not in said, said
        return said

    def interrupted(self, capsys, run: Path, *arguments) -> None:
        """Train in the folder of a run until its first evaluation, where SIGTERM comes, and then to the end."""
        log = Run.log

        def logged(run, metrics):
            log(run, metrics)
            if "loss" not in metrics:
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Run, "log", logged)
            assert self(*arguments, "--runs", run.parents[1], "--name", run.name) == 143
        assert f"resume {run}" in capsys.readouterr().err and not (run / "result.json").exists()
        assert self("resume", run) == 0
