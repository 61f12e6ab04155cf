"""Which texts are translated by which encoder-decoder."""

import dataclasses

from rnn_jax.checks import check_number, check_rate, check_size
from rnn_jax.models import EncoderDecoderConfig
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """An encoder-decoder over subwords that both languages share.

    Raises:
        ValueError: a value is out of range.
    """

    corpus: str = "multi30k"
    """multi30k, or the path of a file with a sentence, a tab and its translation in each line."""
    target_corpus: str = ""
    """The file with the translations, where they are not in the same one: line i is that of line i of the corpus."""
    cased: bool = False
    """Keep upper case in both languages; without, both are read, written and scored in lower case."""
    vocabulary_size: int = 5000
    """Subwords of both languages together, at most."""
    label_smoothing: float = 0.1
    """Share of a target's probability that is spread over all subwords."""
    batch_size: int = 128
    """Pairs in an update."""
    buckets: int = 4
    """Lengths that pairs are padded to, at most: as many shapes to compile."""
    beams: int = 5
    """Open sequences of the search."""
    alpha: float = 1.0
    """Of the length penalty; more favours longer translations."""
    model: EncoderDecoderConfig = EncoderDecoderConfig(
        hidden_size=256, dropout=0.4, transformer_layers=3, embedding_dropout=0.3
    )
    # One device: the decoder's loop adds gradients up at each step, and several would wait for each other there.
    fit: FitConfig = FitConfig(cpu_devices=1, steps=3960, evaluate_every=220, learning_rate=2e-3, warmup_steps=400)

    def __post_init__(self):
        for name in ("vocabulary_size", "batch_size", "buckets", "beams"):
            check_size(name, getattr(self, name))
        check_rate("label_smoothing", self.label_smoothing)
        check_number("alpha", self.alpha)
