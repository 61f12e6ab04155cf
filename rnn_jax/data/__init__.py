"""Data: pinned data sets, the user's own text and recordings, tokenizers and batches."""

from rnn_jax.data.archives import read_members
from rnn_jax.data.batches import LABELLED_AXES, BucketBatches, LabelledBatches, best_bounds, in_order
from rnn_jax.data.download import DataError, MissingData, fetch
from rnn_jax.data.features import LogMel
from rnn_jax.data.padding import Packed, Padded, pack, pad, unpack
from rnn_jax.data.parallel import PARALLEL_AXES, ParallelBatches, teacher_forcing
from rnn_jax.data.sources import Dataset, FolderFile, IndexFile, UrlFile, digests, url_files
from rnn_jax.data.streams import TokenStream, evaluation_rows
from rnn_jax.data.subwords import Subwords
from rnn_jax.data.text import read_lines, read_text, split
from rnn_jax.data.tokenizers import CharTokenizer, Tokenizer
from rnn_jax.data.vocabulary import BEGIN, END, PAD, UNKNOWN, Vocabulary, Words, split_words

__all__ = [
    "BEGIN",
    "END",
    "LABELLED_AXES",
    "PAD",
    "PARALLEL_AXES",
    "UNKNOWN",
    "BucketBatches",
    "CharTokenizer",
    "DataError",
    "Dataset",
    "FolderFile",
    "IndexFile",
    "LabelledBatches",
    "LogMel",
    "MissingData",
    "Packed",
    "Padded",
    "ParallelBatches",
    "Subwords",
    "TokenStream",
    "Tokenizer",
    "UrlFile",
    "Vocabulary",
    "Words",
    "best_bounds",
    "digests",
    "evaluation_rows",
    "fetch",
    "in_order",
    "pack",
    "pad",
    "read_lines",
    "read_members",
    "read_text",
    "split",
    "split_words",
    "teacher_forcing",
    "unpack",
    "url_files",
]
