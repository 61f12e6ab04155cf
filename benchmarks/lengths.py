"""What a longer text costs a recurrent network and a transformer of as many parameters.

    python -m benchmarks.lengths

Two encoder-decoders read a source of 16 tokens and learn, or write, a target of T. Time of a training step and of
writing the whole target token by token, in turns, and the memory of both: what the compiler sets aside for a training
step, and what a writer carries from token to token.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.results import Results, result_file
from benchmarks.timing import Ratio, affordable, interleaved, rows
from rnn_jax.decoding import greedy_search
from rnn_jax.models import EncoderDecoderConfig, target_nats
from rnn_jax.nnx import functional

SOURCE, BATCH, VOCABULARY = 16, 16, 1000
MODELS = ("recurrent", "transformer")


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        lengths: T, of the target.
        size: features of embeddings, and of a direction of the recurrent encoder.
        seconds: how long about the rounds of one length take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
    """

    lengths: tuple[int, ...] = (32, 128, 512, 2048)
    size: int = 128
    seconds: float = 20.0
    output: Path | None = None
    fresh: bool = False


def main(config: Config) -> None:
    results = Results(config.output or result_file("lengths"), "lengths", config.fresh)
    for length in config.lengths:
        for kind, prepared in (("training", training), ("writing", writing)):
            case = f"T{length}, {kind}"
            if case in results:
                continue
            made = {model: prepared(model, config.size, length) for model in MODELS}
            programs = {model: program for model, (program, _) in made.items()}
            seconds = interleaved(programs, affordable(programs, config.seconds), warm=True)
            measured = rows(case, seconds, reference="recurrent")
            for row in measured:
                row |= {"length": length, "kind": kind, "bytes": made[row["program"]][1]}
            results.add(measured)
            print("\n".join(_lines(measured)), flush=True)
    print(table(results.stored))


def model_of(kind: str, size: int) -> tuple[Any, Callable[[Any], Any]]:
    """Parameters and the way back to the model; both kinds have as many within 5 %."""
    settings = EncoderDecoderConfig(model=kind, hidden_size=size, embedding_size=size, transformer_layers=2)
    return functional(settings.encoder_decoder(VOCABULARY, jax.random.key(0)))


def training(kind: str, size: int, length: int) -> tuple[Callable[[], object], int]:
    """A training step, value and gradients, and the bytes that the compiler sets aside for it."""
    params, rebuild = model_of(kind, size)
    random = np.random.default_rng(0)
    batch = {
        "source": random.integers(4, VOCABULARY, (SOURCE, BATCH)), "source_lengths": np.full(BATCH, SOURCE),
        "inputs": random.integers(4, VOCABULARY, (length, BATCH)),
        "targets": random.integers(4, VOCABULARY, (length, BATCH)), "target_lengths": np.full(BATCH, length),
    }  # fmt: skip
    batch = {name: jnp.asarray(array, jnp.int32) for name, array in batch.items()}

    def loss(params: Any, batch: Any) -> jax.Array:
        nats, count = target_nats(rebuild(params), batch)
        return nats / count

    compiled = jax.jit(jax.value_and_grad(loss)).lower(params, batch).compile()
    sizes: Any = compiled.memory_analysis()
    return lambda: compiled(params, batch), sizes.temp_size_in_bytes


def writing(kind: str, size: int, length: int) -> tuple[Callable[[], object], int]:
    """Writing a target token by token, and the bytes that are carried from one to the next."""
    params, rebuild = model_of(kind, size)
    source = jnp.asarray(np.random.default_rng(0).integers(4, VOCABULARY, (SOURCE, BATCH)), jnp.int32)
    lengths = jnp.full((BATCH,), SOURCE)

    def write(params: Any) -> jax.Array:
        model = rebuild(params)
        memory = model.encode(source, lengths)
        # The end is forbidden, so that every text is as long.
        options: dict[str, Any] = {"begin": 2, "end": 3, "steps": length, "forbidden": (3,)}
        return greedy_search(lambda c, t: model.step(memory, c, t), model.start(memory, length), **options).tokens

    compiled = jax.jit(write).lower(params).compile()
    return lambda: compiled(params), carried_bytes(kind, size, length)


def carried_bytes(kind: str, size: int, length: int) -> int:
    """What a writer of so many tokens carries from one to the next."""
    params, rebuild = model_of(kind, size)
    source, lengths = jnp.zeros((SOURCE, BATCH), jnp.int32), jnp.full((BATCH,), SOURCE)
    carry = jax.eval_shape(lambda p: rebuild(p).start(rebuild(p).encode(source, lengths), length), params)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(carry))


def table(stored: dict[str, Any]) -> str:
    """Markdown: the transformer beside the recurrent network, length by length."""
    heads = ["T", "work", *(f"{model}, {what}" for model in MODELS for what in ("ms", "MB"))]
    lines = ["| " + " | ".join([*heads, "transformer / recurrent time"]) + " |", "|" + "---|" * (len(heads) + 1)]
    for start in range(0, len(stored["rows"]), len(MODELS)):
        lines += _lines(stored["rows"][start : start + len(MODELS)])
    return "\n".join(lines)


def _lines(measured: list[dict[str, Any]]) -> list[str]:
    ours = next(row for row in measured if row["program"] == "recurrent")
    cells = [
        f"{row['median'] * 1e3:.4g} | {row['bytes'] / 1e6:.3g}"
        for model in MODELS for row in measured if row["program"] == model
    ]  # fmt: skip
    ratio = Ratio(**ours["ratios"]["transformer"])
    return [f"| {ours['length']:,} | {ours['kind']} | {' | '.join(cells)} | {ratio} |"]


if __name__ == "__main__":
    main(tyro.cli(Config))
