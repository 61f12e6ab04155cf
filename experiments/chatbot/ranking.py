"""How well replies are ranked, by a dual encoder and by the words that texts share."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from experiments.chatbot.baselines import tfidf_scores
from experiments.chatbot.batches import TurnTokenizer
from experiments.chatbot.data import Pair, normal_form
from experiments.chatbot.model import DualEncoder, in_batch_loss, make_vectors
from rnn_jax.metrics import negative_log_likelihood, recall_at
from rnn_jax.typing import Params


class RankingTask:
    """The task ranking: its loss, its validation and its test.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of a `DualEncoder`.
        tokenizer: of the turns.
        parts: the pairs of "train", "validation" and "test".
    """

    metric, higher_is_better, monitor, buckets = "recall@1 %", True, "validation_recall@1", 1

    def __init__(
        self, rebuild: Callable[[Params], DualEncoder], tokenizer: TurnTokenizer, parts: dict[str, list[Pair]]
    ):
        self.parts = parts
        self.held_out = {name: HeldOut(parts[name]) for name in ("validation", "test")}
        self.encoded = {
            name: (
                [tokenizer.context(pair.context) for pair in parts[name]],
                [tokenizer.reply(p.reply) for p in parts[name]],
            )
            for name in self.held_out
        }
        self._vectors = make_vectors(rebuild, tokenizer.longest)

    def loss(self, model: DualEncoder, batch: dict[str, Any], key: jax.Array) -> jax.Array:
        """Nats of telling the replies of a training batch apart; see `in_batch_loss`."""
        context_key, reply_key = jax.random.split(key)
        contexts = model(batch["contexts"], batch["context_lengths"], key=context_key)
        replies = model(batch["replies"], batch["reply_lengths"], key=reply_key)
        return in_batch_loss(model.scores(contexts, replies), batch["texts"])

    def validate(self, params: Params) -> dict[str, float]:
        """Nats of telling the true reply from the other candidates, recall@1 and recall@5."""
        held_out, cosines = self.held_out["validation"], self.cosines("validation", params)
        recalls = {f"validation_{name}": value for name, value in held_out.recalls(cosines).items()}
        return {"validation_loss": held_out.nats(cosines * float(np.exp(params["log_scale"])))} | recalls

    def test(self, params: Params) -> tuple[float, dict[str, float], dict[str, Any], str]:
        """recall@1 of the test pairs, that of TF-IDF, more scores, and examples."""
        held_out, cosines = self.held_out["test"], self.cosines("test", params)
        known = {normal_form(turn) for pair in self.parts["train"] for turn in (*pair.context, pair.reply)}
        words = tfidf_scores(self.parts["train"], held_out.pairs)
        contexts = [normal_form(turn) in known for pair in held_out.pairs for turn in pair.context]
        replies = [normal_form(pair.reply) in known for pair in held_out.pairs]
        scores = {
            "recall@5 %": held_out.recall(cosines, 5),
            "recall@5 % of baselines": {name: held_out.recall(values, 5) for name, values in words.items()},
            "training pairs, test pairs": [len(self.parts["train"]), len(held_out.pairs)],
            "% of test contexts, replies in training": [100 * float(np.mean(contexts)), 100 * float(np.mean(replies))],
        }
        baselines = {name: held_out.recall(values, 1) for name, values in words.items()}
        return held_out.recall(cosines, 1), baselines, scores, held_out.examples(cosines)

    def cosines(self, part: str, params: Params) -> np.ndarray:
        """Of each context of a part with each of its replies, `[N, N]`."""
        contexts, replies = (self._vectors(params, sequences) for sequences in self.encoded[part])
        return contexts @ replies.T


class HeldOut:
    """Held-out pairs, and for each the true reply among others of the held-out ones.

    Args:
        pairs: the pairs.
        count: candidates of each, the true reply among them.
        draws: how often the others are drawn; every draw counts alike, and all of them are the same in every run.
    """

    def __init__(self, pairs: Sequence[Pair], count: int = 10, draws: int = 10):
        self.pairs, self.replies = pairs, [pair.reply for pair in pairs]
        self.candidates = np.stack([draw_candidates(pairs, self.replies, count, seed) for seed in range(draws)])

    def recall(self, scores: np.ndarray, k: int) -> float:
        """In % of the draws, the true reply is among the k best; scores `[N, N]` of each context with each reply."""
        return 100 * recall_at(k, self.chosen(scores))

    def nats(self, scores: np.ndarray) -> float:
        """Of the true reply among the candidates, by the softmax of their scores."""
        chosen = self.chosen(scores).astype(np.float64)
        chosen = np.exp(chosen - chosen.max(axis=1, keepdims=True))
        return negative_log_likelihood(chosen / chosen.sum(axis=1, keepdims=True), np.zeros(len(chosen), int))

    def chosen(self, scores: np.ndarray) -> np.ndarray:
        """The scores of the candidates in all draws, `[draws · N, count]`."""
        every = np.broadcast_to(scores, (len(self.candidates), *scores.shape))
        return np.take_along_axis(every, self.candidates, 2).reshape(-1, self.candidates.shape[-1])

    def recalls(self, scores: np.ndarray) -> dict[str, float]:
        """recall@1 and recall@5."""
        return {f"recall@{k}": self.recall(scores, k) for k in (1, 5)}

    def examples(self, scores: np.ndarray, count: int = 5) -> str:
        """The true reply and the best of the first draw, for contexts that went right and for some that went wrong."""
        rows = np.take_along_axis(scores, self.candidates[0], 1)
        best, shown = rows.argmax(axis=1), []
        for title, places in (("right", np.flatnonzero(best == 0)), ("wrong", np.flatnonzero(best != 0))):
            shown.append(f"{title}: {len(places)} of {len(best)}")
            for i in places[:: max(1, len(places) // count)][:count]:
                shown.append(f"  {' / '.join(self.pairs[i].context)[-90:]}")
                shown.append(f"    true    {rows[i, 0]:.2f}  {self.replies[i][:80]}")
                if best[i]:
                    shown.append(
                        f"    chosen  {rows[i, best[i]]:.2f}  {self.replies[self.candidates[0, i, best[i]]][:80]}"
                    )
        return "\n".join(shown) + "\n"


def draw_candidates(pairs: Sequence[Pair], replies: Sequence[str], count: int, seed: int) -> np.ndarray:
    """For each pair the places of `count` candidates in `replies`, int `[N, count]`: first the true reply's.

    The others are drawn at random from the replies that are not the same text (see `normal_form`), each at most once.

    Raises:
        ValueError: a reply of a pair is not among the replies, or there are too few others.
    """
    forms = [normal_form(reply) for reply in replies]
    places = {form: i for i, form in enumerate(forms)}
    distinct = np.array(sorted(places.values()))
    rng, rows = np.random.default_rng(seed), []
    for pair in pairs:
        true = places.get(normal_form(pair.reply))
        if true is None or len(distinct) < count:
            raise ValueError(
                f"{len(distinct)} different replies, the true one {'missing' if true is None else 'among them'}: "
                f"expected it and at least {count - 1} others"
            )
        rows.append([true, *rng.choice(distinct[distinct != true], count - 1, replace=False)])
    return np.array(rows)
