"""Nothing that a model is tested on reaches its training or its choice, in any application.

A run is decided by its initial parameters, its batches, the files that it keeps (vocabulary, scaling) and what
`evaluate` says of parameters. While these are bitwise the same, so are the chosen step and what is kept of it.
"""

import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import pytest

from experiments.chatbot import commands as chatbot
from experiments.genomics import EXPERIMENT as GENOMICS
from experiments.genomics import commands as genomics
from experiments.registry import experiment_names, load_experiment
from experiments.translation import commands as translation
from experiments.video import captions
from rnn_jax.train import Outcome, Prepared, Run, Task
from rnn_jax.train.fields import field_types, replace_fields
from rnn_jax.train.replica import Progress
from rnn_jax.train.state import initial_state
from tests.experiments.genomics.test_commands import planted
from tests.experiments.tiny_applications import SMALL, TINY, Visit, examples, fingerprint, other

BATCHES = 3
ORACLES = ("translation", "video-captions")
"""What so small a model says is all wrong; here their models know the answers to what was to be validated on."""


WRITES_AT_THE_END = ("chatbot-ranking", "chatbot-writing", "forecasting", "predictive_maintenance")
"""Whose runs keep what is decided when the training is over: shares, bands, thresholds."""


class Prepares(NamedTuple):
    """An application that can be prepared again and again, each time with parts as one wants them."""

    name: str
    config: Any
    whole: Prepared
    scores: dict[str, float]
    parts: dict[str, Any]

    def __call__(self, changed: str) -> Prepared:
        """With another content of one part."""
        assert changed in self.parts
        return prepared(self.name, self.config, lambda part, content: other(content) if part == changed else content)

    def with_seed(self, seed: int) -> Prepared:
        """By another seed, of the same parts, where no key draws them."""
        config = replace_fields(self.config, seed=seed)
        return prepared(self.name, config, lambda part, new: new if isinstance(new, jax.Array) else self.parts[part])


def prepared(name: str, config: Any, visit: Visit) -> Prepared:
    with pytest.MonkeyPatch.context() as patch:
        TINY[name].divide(patch, visit)
        return load_experiment(name.partition("-")[0]).prepare(config)


@pytest.fixture(scope="module", params=TINY)
def prepares(request, tmp_path_factory):
    name, _, task = request.param.partition("-")
    tiny, seen = TINY[request.param], {}
    fields = {**tiny.fields, **tiny.write(tmp_path_factory.mktemp(name)), **({"task": task} if task else {})}
    experiment = load_experiment(name)
    known = field_types(experiment.config_type(fields))
    config = experiment.configure({field: value for field, value in SMALL.items() if field in known} | fields)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translation, "translate_texts", lambda *arguments: translated(seen, arguments[-1]))
        patch.setattr(chatbot, "confidence_threshold", lambda respond, pairs: repr(pairs))  # so small a model has none
        patch.setattr(captions, "make_generate", lambda rebuild, beams: lambda params, videos: told(seen, videos))
        whole = prepared(request.param, config, lambda part, content: seen.setdefault(part, content))
        yield Prepares(request.param, config, whole, whole.task.evaluate(whole.task.params), seen)


def translated(parts: dict[str, Any], texts: list[str]) -> list[str]:
    """The translations of the texts that are validated on, and nothing of others."""
    known = dict(zip(*parts["validation"], strict=True))
    return [known.get(text, "") for text in texts]


def told(parts: dict[str, Any], videos: list[np.ndarray]) -> list[np.ndarray]:
    """The captions of the videos that are validated on, and nothing of other videos."""
    rng, words = np.random.default_rng(0), captions.caption_words(parts["training"])
    drawn = [captions.captioned_video(parts["validation"], rng) for _ in range(captions.VIDEOS["validation"])]
    known = {video.tobytes(): words.encode(caption) for video, caption in drawn}
    return [known.get(video.tobytes(), np.zeros(0, np.int32)) for video in videos]


def decisions(prepared: Prepared) -> dict[str, Any]:
    """All that decides a training but its choice of a step."""
    task = prepared.task
    return {
        "params": fingerprint(jax.tree.leaves(task.params)), "files": json.dumps(prepared.files),
        "batches": fingerprint([jax.device_get(task.batch(i)) for i in range(BATCHES)]),
    }  # fmt: skip


def test_every_application_is_here():
    assert {name.partition("-")[0] for name in TINY} | {"genomics"} == set(experiment_names())


def test_no_two_parts_share_an_example(prepares):
    assert set(prepares.parts) == set(TINY[prepares.name].parts)
    found = {part: set(examples(content)) for part, content in prepares.parts.items()}
    assert all(found.values())
    for one, two in itertools.combinations(found, 2):
        assert not found[one] & found[two], f"{one} and {two} share examples"


def test_the_test_part_decides_nothing_and_the_validation_part_only_chooses(prepares):
    """Else the parameters, the chosen step or its validation scores would depend on them.

    Where there is no test part, none is read before the end, or there is none. Anomaly detection validates on a fifth
    of the rows that it learns from, which are scaled together.
    """
    params = prepares.whole.task.params
    for part in prepares.parts.keys() & {"validation", "test"}:
        again = prepares(part)
        assert decisions(again) == decisions(prepares.whole), f"{part} is learned from"
        assert (again.task.evaluate(params) == prepares.scores) == (part == "test"), f"{part} and the evaluation"


def test_the_training_part_is_what_is_learned_from(prepares):
    assert decisions(prepares("training"))["batches"] != decisions(prepares.whole)["batches"]


def test_another_seed_gives_other_batches(prepares):
    """Of the same training part; where a batch is all of it, there is nothing to draw."""
    task = prepares.whole.task
    several = fingerprint(jax.device_get(task.batch(0))) != fingerprint(jax.device_get(task.batch(1)))
    assert (decisions(prepares.with_seed(1))["batches"] != decisions(prepares.whole)["batches"]) == several
    assert several or prepares.name == "anomaly_detection"


def decided_at_the_end(prepared: Prepared, config: Any, folder: Path) -> dict[str, str]:
    """What a run keeps beside its result when its training is over, by the names of files."""
    run = Run.create(folder, "guarded", "run", config)
    before = {path.name for path in run.path.iterdir()}
    state = initial_state(prepared.task.params, optax.identity(), prepared.task.carry)
    prepared.finish(Outcome(state.params, state, Progress(best=1.0), "finished", 0), run)
    return {path.name: path.read_text() for path in run.path.glob("*.json") if path.name not in before}


@pytest.mark.parametrize(
    "prepares",
    [pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in WRITES_AT_THE_END)) for name in TINY],
    indirect=True,
)
def test_the_test_part_decides_nothing_at_the_end(prepares, tmp_path):
    whole = decided_at_the_end(prepares.whole, prepares.config, tmp_path / "whole")
    assert bool(whole) == (prepares.name in WRITES_AT_THE_END)
    if "test" in prepares.parts:
        assert decided_at_the_end(prepares("test"), prepares.config, tmp_path / "test") == whole
    if whole and "validation" in prepares.parts:
        assert decided_at_the_end(prepares("validation"), prepares.config, tmp_path / "validation") != whole


def preferred(task: Task, one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether the first of two evaluations is the better one, as a run sees it."""
    progress = Progress()
    progress.gained(other[task.monitor], 1, task.higher_is_better)
    return progress.gained(one[task.monitor], 2, task.higher_is_better)


def test_an_evaluation_has_its_loss(prepares):
    assert "validation_loss" in prepares.scores, "which any search can go by"


def test_what_is_better_is_kept(prepares):
    """Of a loss and an error the lower one; of an accuracy and its like the higher one."""
    task = prepares.whole.task
    higher = any(word in task.monitor for word in ("accuracy", "recall", "bleu", "exact"))
    lower = any(word in task.monitor for word in ("loss", "error", "rmse"))
    assert higher != lower and task.higher_is_better == higher
    if prepares.name in ORACLES:
        assert preferred(task, prepares.scores, prepares("validation").task.evaluate(task.params))


@pytest.mark.exhaustive
@pytest.mark.parametrize("prepares", [name for name in TINY if name not in ORACLES], indirect=True)
def test_a_trained_model_is_preferred_to_a_random_one(prepares):
    task, optimizer = prepares.whole.task, optax.adam(0.02)

    @jax.jit
    def update(params, state, carry, batch, key):
        gradients, (carry, _) = jax.grad(task.loss, has_aux=True)(params, carry, batch, key)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, carry

    params, state, carry = task.params, optimizer.init(task.params), task.carry
    for i in range(60):
        params, state, carry = update(params, state, carry, task.batch(i), jax.random.key(i))
    rng = np.random.default_rng(0)
    random = jax.tree.map(lambda leaf: np.asarray(3 * rng.normal(size=leaf.shape), leaf.dtype), params)
    assert preferred(task, task.evaluate(params), task.evaluate(random))


def test_in_genomics_no_fold_reaches_the_models_that_are_tested_or_validated_on_it(tmp_path, monkeypatch):
    """What all folds decide together is the step that is kept, by the mean of what each model does on its next fold."""
    (tmp_path / "my.fasta").write_text(planted(36))
    fields = SMALL | {"data": str(tmp_path / "my.fasta"), "folds": 4, "embedding_size": 4}
    config = GENOMICS.configure(fields)
    texts, labels, *_ = config.cross_validation.load()
    folds = config.cross_validation.split(texts, labels, config.fit)
    encode, whole = genomics.encode_sequences, GENOMICS.prepare(config)
    before = [whole.task.batch(i) for i in range(BATCHES)]
    changed = [other(text) if fold == 1 else text for text, fold in zip(texts, folds.fold, strict=True)]
    monkeypatch.setattr(genomics, "encode_sequences", lambda _: encode(changed))
    again = GENOMICS.prepare(config)
    assert decisions(again)["params"] == decisions(whole)["params"] and again.files == whole.files
    after = [again.task.batch(i) for i in range(BATCHES)]
    for model in range(folds.count):
        same = all(np.array_equal(a["codes"][model], b["codes"][model]) for a, b in zip(after, before, strict=True))
        assert same == (model in (0, 1))  # model 0 is validated on fold 1, and model 1 tested
    seen = []

    def predictions(models, params, rows):
        seen.append(rows)
        return np.full((*rows.shape, 3), 1 / 3)

    monkeypatch.setattr(genomics.FoldModels, "probabilities", predictions)
    whole.task.evaluate(whole.task.params)
    (rows,) = seen
    for model, row in enumerate(rows):
        assert set(folds.fold[row[row >= 0]]) == {(model + 1) % folds.count}
    assert not whole.task.higher_is_better and whole.task.monitor == "validation_loss"
