"""Four pairs of turns, and their tokens."""

from experiments.chatbot.batches import TurnTokenizer
from experiments.chatbot.data import Pair
from rnn_jax.data import Words

PAIRS = [Pair(("a b", "c"), "b a"), Pair(("c",), "a b c c"), Pair(("b",), "B a!"), Pair(("a a a a a a",), "c")]
TOKENIZER = TurnTokenizer(Words.fit(["a b c"], lower=True), 5)
