"""Train a model of dialogue, score it beside TF-IDF (ranking) or n-grams (writing), and talk with it."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.chatbot.batches import PAIR_AXES, PairBatches, TurnTokenizer
from experiments.chatbot.config import RankingConfig, WritingConfig
from experiments.chatbot.conversation import Conversation, confidence_threshold, make_responder
from experiments.chatbot.data import DATASETS, load_conversations, split_conversations
from experiments.chatbot.mixture import NGrams, mixed
from experiments.chatbot.ranking import RankingTask
from experiments.chatbot.writing import WritingTask
from experiments.cli import print_lines
from experiments.common.prediction import scores_text
from experiments.common.reading import say
from rnn_jax.data import digests, read_lines
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, command_on, draw_curves, key_for, written_at_end
from rnn_jax.typing import Params

SCORING: dict[str, type[Any]] = {"ranking": RankingTask, "writing": WritingTask}


def prepare(config: RankingConfig | WritingConfig) -> Prepared:
    """Data, model and losses of a run."""
    corpus = load_conversations(config.data)
    say(corpus.said)
    parts = split_conversations(corpus.conversations, config.text.turns)
    turns = [turn for pair in parts["train"] for turn in (*pair.context, pair.reply)]
    tokenizer = TurnTokenizer(config.text.fit_tokenizer(turns), config.text.longest)
    counts, fit = tokenizer.counts(parts["train"]), config.fit
    params, rebuild = functional(config.build(len(counts), key_for(fit.seed, "init"), counts))
    options = {"ngram": config.ngram} if isinstance(config, WritingConfig) else {}
    task = SCORING[config.task](rebuild, tokenizer, parts, **options)
    batches = PairBatches(
        parts["train"], tokenizer, config.batch_size, fit.seed, group=fit.steps_per_dispatch, buckets=task.buckets
    )
    print(", ".join(f"{len(pairs):,} pairs for {name}" for name, pairs in parts.items()), file=sys.stderr)

    def loss(params, carry, batch, key):
        return task.loss(rebuild(params), batch, key), (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        began = time.perf_counter()
        whole, made, scores = task, rebuild, {}
        if options.get("ngram"):
            whole, share = task.mixed(outcome.params)
            made = whole.rebuild
            scores = {"network's share": share, "network alone": task.perplexity(outcome.params)}
            run.write_json("mixture.json", {"share": share})
        value, baseline, further, examples = whole.test(outcome.params)
        scores |= further | {"seconds of the test": time.perf_counter() - began}
        model = config.summary
        rows = {f"{model} (best, update {outcome.progress.best_step})": value, **baseline}
        print(f"\ntest, {task.metric}\n" + "\n".join(f"  {v:7.2f}  {name}" for name, v in rows.items()))
        print("\n".join(f"  {name}: {score}" for name, score in scores.items()))
        title = f"{Path(config.data).name}, {config.task}: {model}"
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        run.write_text("sample.txt", examples)
        replies = [pair.reply for pair in parts["train"] + parts["validation"]]
        respond = make_responder(made(outcome.params), tokenizer, replies)
        run.write_json("sure.json", confidence_threshold(respond, parts["validation"]))
        print(f"\n{examples}\ntalk with it: {command_on('experiments.chatbot', run, 'chat RUN')}")
        return {"model": model, "metric": task.metric, "value": value, "higher_is_better": task.higher_is_better,
                "baseline": baseline, "published": [], "scores": scores}  # fmt: skip

    replies = [pair.reply for pair in parts["train"]]
    return Prepared(
        Task(params, loss, batches.batch, PAIR_AXES, task.validate, monitor=task.monitor,
             higher_is_better=task.higher_is_better),
        finish, data=digests(DATASETS.get(config.data, config.data)),
        files={"tokenizer.json": tokenizer.tokenizer.to_json(), "replies.json": replies},
    )  # fmt: skip


def restore(run: Run, config: RankingConfig | WritingConfig) -> Trained:
    """The best model of a run, and the tokenizer of its turns."""
    tokenizer = TurnTokenizer(config.text.read_tokenizer(run.read_json("tokenizer.json")), config.text.longest)
    params, rebuild = functional(config.build(len(tokenizer.tokenizer), key_for(config.fit.seed, "init")))
    if isinstance(config, WritingConfig) and config.ngram:
        rebuild = mixed_again(run, config.ngram, tokenizer, rebuild)
    return Trained.best(run, config, params, rebuild, preprocessor=tokenizer)


def mixed_again(
    run: Run, order: int, tokenizer: TurnTokenizer, rebuild: Callable[[Params], Any]
) -> Callable[[Params], Any]:
    """The network of a run mixed with n-grams of this order, as it was when the run ended.

    Raises:
        ValueError: the run is not finished, so that the share of the network is not known.
    """
    share = written_at_end("experiments.chatbot", run, "mixture.json")["share"]
    replies = [tokenizer.reply(reply) for reply in run.read_json("replies.json")]
    return mixed(rebuild, NGrams(replies, len(tokenizer.tokenizer), order), share)


def evaluate(trained: Trained) -> None:
    """Print the scores of a trained model on its test pairs, beside those of simpler ones."""
    config = trained.config
    parts = split_conversations(load_conversations(config.data).conversations, config.text.turns)
    task = SCORING[config.task](trained.rebuild, trained.preprocessor, parts)
    value, baseline, scores, _ = task.test(trained.params)
    print(scores_text({task.metric: value, **baseline, **scores}))


def chat(trained: Trained) -> None:
    """Answer lines from standard input, one reply a line; a reply that scores low is marked as unsure."""
    run, tokenizer = trained.run, trained.preprocessor
    respond = make_responder(trained.model, tokenizer, run.read_json("replies.json"))
    conversation = Conversation(respond, tokenizer, trained.config.text.turns, run.read_json("sure.json"))
    print(conversation.about, file=sys.stderr)
    print_lines(conversation.answer(line) for line in read_lines(sys.stdin.buffer))
