"""Data: pinned data sets, the user's own text, tokenizers and batches."""

from rnn_jax.data.archives import read_members
from rnn_jax.data.catalogue import DATASETS, digests
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, FolderFile, IndexFile, UrlFile
from rnn_jax.data.streams import TokenStream, evaluation_rows
from rnn_jax.data.text import load_corpus, load_text, read_text, split
from rnn_jax.data.tokenizers import CharTokenizer

__all__ = [
    "DATASETS",
    "CharTokenizer",
    "DataError",
    "Dataset",
    "FolderFile",
    "IndexFile",
    "TokenStream",
    "UrlFile",
    "digests",
    "evaluation_rows",
    "fetch",
    "load_corpus",
    "load_text",
    "read_members",
    "read_text",
    "split",
]
