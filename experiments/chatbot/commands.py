"""The commands: train and others."""

import dataclasses
import sys
import time
from pathlib import Path

import tyro
from flax import nnx

from experiments.chatbot.chat import Chat, make_respond, sure_from, talk
from experiments.chatbot.config import DialogueSettings
from experiments.chatbot.data import CHATTERBOT, load_conversations, split_conversations
from experiments.chatbot.model import PAIR_AXES, PairBatches, TurnTokens
from experiments.chatbot.ranking import Ranking
from experiments.chatbot.writing import Writing
from experiments.cli import Flags, open_run, resume_command
from rnn_jax.data import digests, read_lines
from rnn_jax.nnx import functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves

NAME = "chatbot"
TASKS = {"ranking": Ranking, "writing": Writing}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(DialogueSettings, FitConfig):
    """A model that finds replies or writes them."""

    data: str = "chatterbot"
    """chatterbot, or the path of your own conversations: one in each line, its turns with tabs between them."""
    batch_size: int = 64
    """Pairs in an update; for ranking, each reply is told from the others in it."""
    hidden_size: int = 64
    dropout: float = 0.3
    steps: int = 240
    evaluate_every: int = 40
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    weight_decay: float = 0.05


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    parts = split_conversations(load_conversations(config.data), config.turns)
    turns = [turn for pair in parts["train"] for turn in (*pair.context, pair.reply)]
    tokens = TurnTokens(config.fit_tokenizer(turns), config.longest)
    counts = tokens.counts(parts["train"])
    params, rebuild = functional(config.dialogue_model(len(counts), key_for(config.seed, "init"), counts))
    task = TASKS[config.task](rebuild, tokens, parts)
    batches = PairBatches(
        parts["train"], tokens, config.batch_size, config.seed, group=config.steps_per_dispatch, buckets=task.buckets
    )
    print(", ".join(f"{len(pairs):,} pairs for {name}" for name, pairs in parts.items()), file=sys.stderr)

    def loss(params, carry, batch, key):
        return task.loss(rebuild(params), batch, key), (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        began = time.perf_counter()
        value, baseline, scores, examples = task.test(outcome.params)
        scores |= {"seconds of the test": time.perf_counter() - began}
        model = (
            config.model if config.model == "transformer" else f"{config.cell} {config.layers} x {config.hidden_size}"
        )
        rows = {f"{model} (best, update {outcome.progress.best_step})": value, **baseline}
        print(f"\ntest, {task.metric}\n" + "\n".join(f"  {v:7.2f}  {name}" for name, v in rows.items()))
        print("\n".join(f"  {name}: {score}" for name, score in scores.items()))
        title = f"{Path(config.data).name}, {config.task}: {model}"
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        run.write_text("sample.txt", examples)
        replies = [pair.reply for pair in parts["train"] + parts["validation"]]
        respond = make_respond(rebuild(outcome.params), tokens, replies)
        run.write_json("sure.json", sure_from(respond, parts["validation"]))
        print(f"\n{examples}\ntalk with it: python -m experiments.{NAME} chat {run.path}")
        return {"model": model, "metric": task.metric, "value": value, "higher_is_better": task.higher_is_better,
                "baseline": baseline, "published": [], "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, PAIR_AXES, task.validate, monitor=task.monitor,
             higher_is_better=task.higher_is_better),
        finish, data=digests(CHATTERBOT if config.data == "chatterbot" else config.data),
        files={"tokenizer.json": tokens.tokenizer.to_json(), "replies.json": [pair.reply for pair in parts["train"]]},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a model of dialogue and compare it with TF-IDF (ranking) or n-grams (writing)."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Run, Config, nnx.Module, TurnTokens]:
    """The best model of a run and its tokens."""
    opened, config = open_run(run, Config)
    tokens = TurnTokens(config.read_tokenizer(opened.read_json("tokenizer.json")), config.longest)
    params, rebuild = functional(config.dialogue_model(len(tokens.tokenizer), key_for(config.seed, "init")))
    return opened, config, rebuild(best_params(params, (), config, opened)), tokens


def evaluate(run: tyro.conf.Positional[Path]) -> None:
    """Print the scores of a trained model on its test pairs, beside those of simpler ones."""
    _, config, model, tokens = trained(run)
    params, rebuild = functional(model)
    parts = split_conversations(load_conversations(config.data), config.turns)
    task = TASKS[config.task](rebuild, tokens, parts)
    value, baseline, scores, _ = task.test(params)
    print("\n".join(f"{name}: {v}" for name, v in {task.metric: value, **baseline, **scores}.items()))


def chat(run: tyro.conf.Positional[Path]) -> None:
    """Answer lines from standard input, one reply a line; a reply that scores low is marked as unsure."""
    opened, config, model, tokens = trained(run)
    respond = make_respond(model, tokens, opened.read_json("replies.json"))
    conversation = Chat(respond, tokens, config.turns, opened.read_json("sure.json"))
    print(conversation.about, file=sys.stderr)
    talk(conversation, read_lines(sys.stdin.buffer))
