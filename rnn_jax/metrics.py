"""Scores of whole tasks."""

import lzma
import math


def compression_nats(train: str, test: str) -> float:
    """What xz, having read a training text, spends on a test text: nats per character.

    The growth of the compressed size (xz -9e) when the test text is appended to the training text.

    Raises:
        ValueError: the test text is empty.
    """
    if not test:
        raise ValueError("test is empty: expected a text of at least one character")
    both, alone = (len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)) for text in (train + test, train))
    return (both - alone) * 8 * math.log(2) / len(test)
