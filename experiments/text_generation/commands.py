"""The commands: train and others."""

import dataclasses
import itertools
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import tyro
from flax import nnx

from experiments.cli import Flags, open_run, resume_command
from experiments.text_generation.data import CORPORA, load_corpus
from experiments.text_generation.text import make_text_score, text_baselines, write_text
from rnn_jax.data import CharTokenizer, TokenStream, digests, split
from rnn_jax.losses import token_cross_entropy
from rnn_jax.models import LanguageModel, RecurrentConfig
from rnn_jax.nnx import functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves

NAME = "text_generation"
PUBLISHED = {"minGRU": 1.548, "minLSTM": 1.555, "Mamba": 1.575, "transformer": 1.547}
SOURCE = "Feng et al. 2024, arXiv:2410.01201"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RecurrentConfig, FitConfig):
    """A recurrent language model over the characters of a text; the last tenth is for validation."""

    corpus: str = "shakespeare"
    """shakespeare, tinyshakespeare, or the path of a UTF-8 text file."""
    embedding_size: int = 64
    """Features of an embedded character."""
    tied: bool = False
    """Score with the transposed embedding; embedding_size must equal hidden_size."""
    batch_size: int = 64
    """Rows of the text that are read in parallel."""
    length: int = 64
    """Characters of a row in one batch: how far gradients reach back."""
    hidden_size: int = 320
    dropout: float = 0.0
    steps: int = 1200
    evaluate_every: int = 400
    learning_rate: float = 5e-3


def build_model(config: Config, vocabulary_size: int) -> LanguageModel:
    """The model with the initial values of config.seed."""
    return LanguageModel(
        vocabulary_size, config.embedding_size, config.stack(config.embedding_size), tied=config.tied,
        dropout_rate=config.dropout, dropout_kind=config.dropout_kind, dtype=jnp.dtype(config.dtype),
        rngs=nnx.Rngs(params=key_for(config.seed, "init")),
    )  # fmt: skip


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    texts = split(load_corpus(config.corpus))
    tokenizer = CharTokenizer.fit("".join(texts))
    stream = TokenStream(tokenizer.encode(texts[0]), config.batch_size, config.length, config.seed)
    model = build_model(config, len(tokenizer))
    params, rebuild = functional(model)
    start = model.initial_carry((config.batch_size,))
    score = make_text_score(rebuild, tokenizer.encode(texts[1]))

    def loss(params, carry, batch, key):
        carry = jax.tree.map(lambda s, c: jnp.where(batch["fresh"], s, c), start, carry)
        carry, logits = rebuild(params)(batch["inputs"], carry, key=key)
        nats, count = token_cross_entropy(logits, batch["targets"])
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        value, baselines = outcome.progress.best, text_baselines(tokenizer, *texts)
        rows = {f"{config.cell} (update {outcome.progress.best_step})": value, **baselines}
        print("\nvalidation, nats per character\n" + "\n".join(f"  {v:.3f}  {name}" for name, v in rows.items()))
        first = "\n" if "\n" in tokenizer.vocabulary else tokenizer.vocabulary[0]
        letters = write_text(rebuild(outcome.params), tokenizer, first, key_for(config.seed, "sample"), temperature=0.8)
        text = "".join(itertools.islice(letters, 600))
        run.write_text("sample.txt", text)
        model = f"{config.cell} {config.layers} x {config.hidden_size}"
        draw_curves(run.records(), run.figures / "curves.png", title=model, unit="nats/char", lines=baselines)
        print(f"\nsample, temperature 0.8\n{text}\n\nmore:   python -m experiments.{NAME} sample {run.path}")
        print(f"longer: python -m experiments.{NAME} --steps {10 * config.steps}   (--help lists every option)")
        known = PUBLISHED if config.corpus == "tinyshakespeare" else {}
        published = [{"value": nats, "who": who, "source": SOURCE} for who, nats in known.items()]
        return {"model": model, "metric": "nats/char", "value": value, "higher_is_better": False,
                "baseline": baselines, "published": published}  # fmt: skip

    return Prepared(
        Task(params, loss, stream.batch, {"inputs": 1, "targets": 1, "fresh": None},
             lambda params: {"validation_loss": score(params)}, carry=start),
        finish,
        data=digests(CORPORA.get(config.corpus, config.corpus)),
        files={"vocabulary.json": tokenizer.vocabulary},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a language model, compare it with simpler ones, and let it write."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, LanguageModel, CharTokenizer]:
    """The best model of a run."""
    opened, config = open_run(run, Config)
    tokenizer = CharTokenizer(opened.read_json("vocabulary.json"))
    model = build_model(config, len(tokenizer))
    params, rebuild = functional(model)
    return config, rebuild(best_params(params, model.initial_carry((config.batch_size,)), config, opened)), tokenizer


def evaluate(run: tyro.conf.Positional[Path], corpus_file: Annotated[str, tyro.conf.arg(name="corpus")] = "") -> None:
    """Print the nats per character of a trained model on its validation text, or on all of another text."""
    config, model, tokenizer = trained(run)
    text = load_corpus(corpus_file) if corpus_file else split(load_corpus(config.corpus))[1]
    params, rebuild = functional(model)
    print(f"{make_text_score(rebuild, tokenizer.encode(text))(params):.4f} nats per character, {len(text)} characters")


def sample(
    run: tyro.conf.Positional[Path], prompt: str = "\n", characters: int = 1000, temperature: float = 0.8,
    top_k: int = 0, top_p: float = 1.0, seed: int = 0,
) -> None:  # fmt: skip
    """Let a trained model write after a prompt; each character appears as soon as it is drawn."""
    _, model, tokenizer = trained(run)
    print(prompt.lstrip("\n"), end="", flush=True)
    letters = write_text(
        model, tokenizer, prompt, key_for(seed, "sample"), temperature=temperature, top_k=top_k, top_p=top_p
    )
    for letter in itertools.islice(letters, characters):
        print(letter, end="", flush=True)
    print()
