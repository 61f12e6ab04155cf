"""The commands: train and others."""

import dataclasses
import itertools
import sys
import time
from pathlib import Path

import tyro

from experiments.cli import Flags, open_run, resume_command
from experiments.translation.data import MULTI30K, load_parallel
from rnn_jax.data import Subwords, digests
from rnn_jax.data.labelled import read_lines
from rnn_jax.data.parallel import PARALLEL_AXES, ParallelBatches
from rnn_jax.metrics import translation_scores
from rnn_jax.models import EncoderDecoderConfig
from rnn_jax.models.translation import align_text, make_writer, target_nats, translate_texts
from rnn_jax.nnx import functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_alignment, draw_curves

NAME = "translation"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(EncoderDecoderConfig, FitConfig):
    """An encoder-decoder over subwords that both languages share."""

    corpus: str = "multi30k"
    """multi30k, or the path of a file with a sentence, a tab and its translation in each line."""
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
    hidden_size: int = 256
    dropout: float = 0.4
    transformer_layers: int = 3
    embedding_dropout: float = 0.3
    cpu_devices: int = 1  # the decoder's loop adds gradients up at each step; devices would wait for each other
    steps: int = 3960
    evaluate_every: int = 220
    learning_rate: float = 2e-3
    warmup_steps: int = 400


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    texts = load_parallel(config.corpus)
    subwords = Subwords.fit(itertools.chain(*texts["train"]), config.vocabulary_size, lower=True)
    sources, targets = ([subwords.encode(text) for text in side] for side in texts["train"])
    batches = ParallelBatches(
        sources, targets, config.batch_size, config.seed, group=config.steps_per_dispatch, buckets=config.buckets
    )
    print(f"{batches.order.wasted:.0%} of the steps are padding, in lengths {batches.order.bounds}", file=sys.stderr)
    params, rebuild = functional(config.encoder_decoder(len(subwords), key_for(config.seed, "init")))
    greedy = make_writer(rebuild, beams=1)

    def loss(params, carry, batch, key):
        nats, count = target_nats(rebuild(params), batch, key, config.label_smoothing)
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        written = translate_texts(greedy, params, subwords, texts["validation"].source)
        return {"validation_bleu": translation_scores(written, texts["validation"].target)["BLEU"]}

    def finish(outcome: Outcome, run: Run) -> dict:
        test, writer = texts["test"], make_writer(rebuild, beams=config.beams, alpha=config.alpha)
        copied, scores = translation_scores(test.source, test.target)["BLEU"], {}
        for name, search in (("greedy", greedy), ("beam", writer)):
            translate_texts(search, outcome.params, subwords, test.source)  # compiled before it is timed
            began = time.perf_counter()
            written = translate_texts(search, outcome.params, subwords, test.source)
            scores[name] = translation_scores(written, test.target) | {"seconds": time.perf_counter() - began}
            print(f"test, {name}: " + ", ".join(f"{what} {value:.2f}" for what, value in scores[name].items()))
        examples = zip(test.source[:50], written, test.target[:50], strict=False)
        run.write_text("examples.txt", "\n".join(f"> {s}\n< {w}\n= {t}\n" for s, w, t in examples))
        pieces, weights = align_text(rebuild(outcome.params), subwords, test.source[0], written[0])
        draw_alignment(weights, pieces, run.figures / "attention.png")
        model = f"{config.cell} {config.layers} x {config.hidden_size}" if config.model == "recurrent" else config.model
        draw_curves(run.records(), run.figures / "curves.png", title=model, unit="nats/subword", lines={})
        return {"model": model, "metric": "BLEU", "value": scores["beam"]["BLEU"], "higher_is_better": True,
                "baseline": {"source copied": copied}, "published": [], "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, PARALLEL_AXES, evaluate, monitor="validation_bleu", higher_is_better=True),
        finish, data=digests(MULTI30K if config.corpus == "multi30k" else config.corpus), files={"subwords.json": subwords.to_json()},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train an encoder-decoder and translate the test part."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path):
    """Config, subwords and best parameters of a run, and the way from parameters to the model."""
    opened, config = open_run(run, Config)
    subwords = Subwords.from_json(opened.read_json("subwords.json"))
    params, rebuild = functional(config.encoder_decoder(len(subwords), key_for(config.seed, "init")))
    return config, subwords, best_params(params, (), config, opened), rebuild


def evaluate(run: tyro.conf.Positional[Path], corpus_file: str = "", part: str = "test", beams: int = 0) -> None:
    """Print BLEU and chrF of a trained model on a part of its corpus or of another file; beams as in training."""
    config, subwords, params, rebuild = trained(run)
    texts = load_parallel(corpus_file or config.corpus)[part]
    writer = make_writer(rebuild, beams=beams or config.beams, alpha=config.alpha)
    scores = translation_scores(translate_texts(writer, params, subwords, texts.source), texts.target)
    print(", ".join(f"{name} {value:.2f}" for name, value in scores.items()) + f", {len(texts.source)} sentences")


def translate(
    run: tyro.conf.Positional[Path], sentence: tyro.conf.Positional[str] = "", figure: Path | None = None
) -> None:
    """Translate a sentence, or each line of standard input; `figure` shows where each subword looked."""
    config, subwords, params, rebuild = trained(run)
    writer = make_writer(rebuild, beams=config.beams, alpha=config.alpha)
    for text in [sentence] if sentence else read_lines(sys.stdin.buffer):
        (written,) = translate_texts(writer, params, subwords, [text])
        print(written, flush=True)
        if figure and written:
            pieces, weights = align_text(rebuild(params), subwords, text, written)
            draw_alignment(weights, pieces, figure)
