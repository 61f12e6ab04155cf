"""An experiment as its user has it: from the words of a command line to an exit code and what is said."""

import os
import signal
from pathlib import Path
from types import ModuleType

import pytest

from experiments.cli import run_commands
from rnn_jax.train import Run


class Commands:
    """The commands of an experiment, `train` where none is named, run in this process.

    Args:
        experiment: a module of experiments/.
        names: of its commands other than train, resume and evaluate.
    """

    def __init__(self, experiment: ModuleType, *names: str):
        self.commands = {name: getattr(experiment, name) for name in ("train", "resume", "evaluate", *names)}

    def __call__(self, *arguments) -> int:
        with pytest.raises(SystemExit) as stopped:
            run_commands(self.commands, "train", [str(a) for a in arguments])
        return stopped.value.code

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
