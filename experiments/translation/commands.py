"""Train an encoder-decoder, score its translations by BLEU and chrF, and translate with it."""

import itertools
import sys
import time
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from experiments.common.reading import say
from experiments.published import published
from experiments.translation.config import Config
from experiments.translation.data import DATASETS, load_parallel
from experiments.translation.model import align_text, encode_sources, translate_texts
from rnn_jax.data import PARALLEL_AXES, ParallelBatches, Subwords, digests, read_lines
from rnn_jax.metrics import translation_scores
from rnn_jax.models import make_generate, make_nats_per_token, target_nats
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, draw_alignment, draw_curves, key_for


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    (texts, said), fit = load_parallel(config.corpus, config.target_corpus), config.fit
    say(said)
    subwords = Subwords.fit(itertools.chain(*texts["train"]), config.vocabulary_size, lower=not config.cased)
    # Too long ones are refused before training.
    held_out, _ = (encode_sources(subwords, texts[part].source) for part in ("validation", "test"))
    expected = [subwords.encode(text) for text in texts["validation"].target]
    sources, targets = ([subwords.encode(text) for text in side] for side in texts["train"])
    batches = ParallelBatches(
        sources, targets, config.batch_size, fit.seed, group=fit.steps_per_dispatch, buckets=config.buckets
    )
    print(f"{batches.order.wasted:.0%} of the steps are padding, in lengths {batches.order.bounds}", file=sys.stderr)
    params, rebuild = functional(config.model.encoder_decoder(len(subwords), key_for(fit.seed, "init")))
    greedy, nats_per_token = make_generate(rebuild, beams=1), make_nats_per_token(rebuild)

    def loss(params, carry, batch, key):
        nats, count = target_nats(rebuild(params), batch, key, config.label_smoothing)
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        translations = translate_texts(greedy, params, subwords, texts["validation"].source)
        scores = translation_scores(translations, texts["validation"].target, cased=config.cased)
        return {"validation_bleu": scores["BLEU"], "validation_loss": nats_per_token(params, held_out, expected)}

    def finish(outcome: Outcome, run: Run) -> dict:
        test, beam = texts["test"], make_generate(rebuild, beams=config.beams, alpha=config.alpha)
        copied, scores = translation_scores(test.source, test.target, cased=config.cased)["BLEU"], {}
        for name, search in (("greedy", greedy), ("beam", beam)):
            translate_texts(search, outcome.params, subwords, test.source)  # compiled before it is timed
            began = time.perf_counter()
            translations = translate_texts(search, outcome.params, subwords, test.source)
            seconds = time.perf_counter() - began
            scores[name] = translation_scores(translations, test.target, cased=config.cased)
            scores[name]["seconds"] = seconds
            print(f"test, {name}: " + ", ".join(f"{what} {value:.2f}" for what, value in scores[name].items()))
        examples = zip(test.source[:50], translations, test.target[:50], strict=False)
        run.write_text("examples.txt", "\n".join(f"> {s}\n< {w}\n= {t}\n" for s, w, t in examples))
        pieces, weights = align_text(rebuild(outcome.params), subwords, test.source[0], translations[0])
        draw_alignment(weights, pieces, run.figures / "attention.png")
        model, known = config.model.architecture, published(f"translation/{config.corpus}-en-de")
        draw_curves(run.records(), run.figures / "curves.png", title=model, unit="nats/subword", lines={})
        return {"model": model, "metric": "BLEU", "value": scores["beam"]["BLEU"], "higher_is_better": True,
                "baseline": {"source copied": copied}, "published": known, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, PARALLEL_AXES, evaluate, monitor="validation_bleu", higher_is_better=True),
        finish, data=data_digests(config), files={"subwords.json": subwords.to_json()},
    )  # fmt: skip


def data_digests(config: Config) -> dict[str, str]:
    """The SHA-256 of each file of the corpus."""
    second = digests(config.target_corpus) if config.target_corpus else {}
    return digests(DATASETS.get(config.corpus, config.corpus)) | second


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run, and its subwords."""
    subwords = Subwords.from_json(run.read_json("subwords.json"))
    model = config.model.encoder_decoder(len(subwords), key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=subwords)


def evaluate(
    trained: Trained, part: Literal["train", "validation", "test"] = "test", beams: int | None = None
) -> None:  # fmt: skip
    """Print BLEU and chrF of a trained model on a part of its corpus; beams as in training."""
    config = trained.config
    texts = load_parallel(config.corpus, config.target_corpus).parts[part]
    generate = make_generate(trained.rebuild, beams=beams or config.beams, alpha=config.alpha)
    translations = translate_texts(generate, trained.params, trained.preprocessor, texts.source)
    scores = translation_scores(translations, texts.target, cased=config.cased)
    print(", ".join(f"{name} {value:.2f}" for name, value in scores.items()) + f", {len(texts.source)} sentences")


def translate(trained: Trained, sentence: Positional[str] = "", figure: Path | None = None) -> None:
    """Translate a sentence, or each line of standard input; `figure` shows where each subword looked."""
    config, subwords = trained.config, trained.preprocessor
    generate = make_generate(trained.rebuild, beams=config.beams, alpha=config.alpha)
    for text in [sentence] if sentence else read_lines(sys.stdin.buffer):
        (translation,) = translate_texts(generate, trained.params, subwords, [text])
        print(translation, flush=True)
        if figure and translation:
            pieces, weights = align_text(trained.model, subwords, text, translation)
            draw_alignment(weights, pieces, figure)
