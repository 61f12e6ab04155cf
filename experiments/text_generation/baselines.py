"""What a language model is measured against: characters' frequencies, 5-grams, and a compressor."""

from experiments.common.ngram import ngram_nats
from rnn_jax.data import CharTokenizer
from rnn_jax.metrics import compression_nats


def text_baselines(tokenizer: CharTokenizer, train: str, test: str) -> dict[str, float]:
    """Nats per character that simpler means spend on the test text."""
    train_tokens, test_tokens = tokenizer.encode(train), tokenizer.encode(test)
    return {
        "unigram": ngram_nats(train_tokens, test_tokens, len(tokenizer), 1),
        "5-gram": ngram_nats(train_tokens, test_tokens, len(tokenizer), 5),
        "xz": compression_nats(train, test),
    }
