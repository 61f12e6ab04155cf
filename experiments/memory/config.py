"""What is to be remembered, for how long, and by which model."""

import dataclasses
from typing import Any

import jax

from experiments.common.sequence_labeler import SequenceLabelerConfig
from experiments.common.synthetic import SampleStream
from experiments.memory.data import TASKS
from rnn_jax.checks import check_choice, check_size
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What is to be remembered for how long, and by which model.

    Raises:
        ValueError: a value is out of range.
    """

    task: str = "adding"
    """adding, copy, selective_copy or recall."""
    length: int = 600
    """Steps; of copy, the delay."""
    held_out: int = 512
    """Sequences for validation, and as many for the test; the same ones for every seed."""
    batch_size: int = 32
    """Sequences in an update."""
    window: int | None = None
    """Steps that gradients go back in training, by truncated backpropagation; None: all."""
    online: bool = False
    """Make gradients exact beyond the window, on the way forward (RTRL): for one layer of mingru, lru or indrnn."""
    model: SequenceLabelerConfig = SequenceLabelerConfig(cell="gru(longest=600)", hidden_size=64)
    fit: FitConfig = FitConfig(steps=6000, evaluate_every=250, learning_rate=3e-3)

    def __post_init__(self):
        check_choice("task", self.task, tuple(TASKS))
        for name in ("length", "held_out", "batch_size"):
            check_size(name, getattr(self, name))
        model = self.model
        if self.window is not None:
            check_size("window", self.window)
            if model.model != "recurrent" or model.blocks or model.dropout or model.recurrent_dropout:
                raise ValueError(f"window={self.window}: expected layers of cells without blocks and without dropout")
        if self.online and (self.window is None or model.layers != 1):
            raise ValueError("online=True: expected a window, and a model of one layer (--window 10 --layers 1)")

    @property
    def title(self) -> str:
        """The task and the model in a few words."""
        return f"{self.task} {self.length}: {self.model.summary}"

    @property
    def tasks(self) -> dict[str, Any]:
        """The task by its name."""
        return {self.task: TASKS[self.task]}

    def streams(self, key: jax.Array, length: int) -> dict[str, SampleStream]:
        """Sequences of one length by a typed key.

        Raises:
            ValueError: there is no room for the task.
        """
        stream = SampleStream(TASKS[self.task], key, (length,))
        jax.eval_shape(stream, jax.ShapeDtypeStruct((1,), "int32"))
        return {self.task: stream}
