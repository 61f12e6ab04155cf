"""Train a language model, score it beside simpler ones, and let it write."""

import itertools

import jax
import jax.numpy as jnp

from experiments.cli import as_command
from experiments.common.reading import say
from experiments.published import published
from experiments.text_generation.baselines import text_baselines
from experiments.text_generation.config import Config
from experiments.text_generation.data import DATASETS, load_corpus, opening, split_corpus
from experiments.text_generation.model import make_text_score, sample_text
from rnn_jax.data import CharTokenizer, TokenStream, digests, split
from rnn_jax.losses import token_cross_entropy
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, draw_curves, flatten, key_for, replace_fields
from rnn_jax.train.fields import default_values


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    corpus = load_corpus(config.corpus)
    say(corpus.said)
    parts, said = split_corpus(corpus, config.corpus, config.hold_out_test)
    say(said)
    tokenizer = CharTokenizer.fit(corpus.text)  # which symbols there are is known of a text; of nothing else is learned
    stream = TokenStream(tokenizer.encode(parts.train), config.batch_size, config.length, config.fit.seed)
    model = config.model.build(len(tokenizer), key_for(config.fit.seed, "init"))
    params, rebuild = functional(model)
    start = model.initial_carry((config.batch_size,))
    score = make_text_score(rebuild, tokenizer.encode(parts.validation))

    def loss(params, carry, batch, key):
        carry = jax.tree.map(lambda s, c: jnp.where(batch["fresh"], s, c), start, carry)
        carry, logits = rebuild(params)(batch["inputs"], carry, key=key)
        nats, count = token_cross_entropy(logits, batch["targets"])
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        value, baselines = outcome.progress.best, text_baselines(tokenizer, parts.train, parts.scored)
        several = config.fit.steps > config.fit.evaluate_every
        scores = {"best of the evaluations on the part that chose the update": value} if several else {}
        if parts.test:
            scores = {"validation": value}
            value = make_text_score(rebuild, tokenizer.encode(parts.test))(outcome.params)
        rows = {f"{config.model.cell} (update {outcome.progress.best_step})": value, **baselines}
        part = "test" if parts.test else "validation"
        print(f"\n{part}, nats per character\n" + "\n".join(f"  {v:.3f}  {name}" for name, v in rows.items()))
        first, key = opening(tokenizer.vocabulary), key_for(config.fit.seed, "sample")
        characters = sample_text(rebuild(outcome.params), tokenizer, first, key, temperature=0.8)
        text = "".join(itertools.islice(characters, 600))
        run.write_text("sample.txt", text)
        model = config.model.summary
        draw_curves(run.records(), run.figures / "curves.png", title=model, unit="nats/char", lines=baselines)
        print(f"\nsample, temperature 0.8\n{text}\n")
        longer = replace_fields(config, steps=10 * config.fit.steps)
        said = as_command("experiments.text_generation", values=flatten(longer), defaults=default_values(Config))
        print(f"train longer: {said}   (--help lists every option)")
        return {"model": model, "metric": "nats/char", "value": value, "higher_is_better": False,
                "baseline": baselines, "published": published(f"text_generation/{config.corpus}"),
                "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, stream.batch, {"inputs": 1, "targets": 1, "fresh": None},
             lambda params: {"validation_loss": score(params)}, carry=start),
        finish, data=digests(DATASETS.get(config.corpus, config.corpus)),
        files={"vocabulary.json": tokenizer.vocabulary},
    )  # fmt: skip


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run, and the tokenizer of its characters."""
    tokenizer = CharTokenizer(run.read_json("vocabulary.json"))
    model = config.model.build(len(tokenizer), key_for(config.fit.seed, "init"))
    carry = model.initial_carry((config.batch_size,))
    return Trained.best(run, config, *functional(model), preprocessor=tokenizer, carry=carry)


def evaluate(trained: Trained) -> None:
    """Print the nats per character of a trained model on the last tenth of its text."""
    text = split(load_corpus(trained.config.corpus).text)[1]
    score = make_text_score(trained.rebuild, trained.preprocessor.encode(text))
    print(f"{score(trained.params):.4f} nats per character, {len(text)} characters")


def sample(
    trained: Trained, prompt: str = "", characters: int = 1000, temperature: float = 0.8,
    top_k: int = 0, top_p: float = 1.0, seed: int = 0,
) -> None:  # fmt: skip
    """Let a trained model write after a prompt, by default on a new line; each character appears as it is drawn."""
    tokenizer = trained.preprocessor
    written = sample_text(
        trained.model, tokenizer, prompt or opening(tokenizer.vocabulary), key_for(seed, "sample"),
        temperature=temperature, top_k=top_k, top_p=top_p,
    )  # fmt: skip
    print(prompt.lstrip("\n"), end="", flush=True)
    for character in itertools.islice(written, characters):
        print(character, end="", flush=True)
    print()
