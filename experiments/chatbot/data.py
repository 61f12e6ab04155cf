"""Conversations as pairs of a context and its reply, divided so that nothing that is tested was read."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.prediction import Item
from experiments.common.splitting import connect, number_groups, repeated
from experiments.common.text import normal_form, read_file_text
from rnn_jax.data import Subwords, Words
from rnn_jax.data.archives import read_members
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, IndexFile
from rnn_jax.data.vocabulary import SPECIALS, UNKNOWN

CHATTERBOT = Dataset(
    name="chatterbot",
    files=(
        IndexFile(
            name="chatterbot_corpus-1.3.3-py2.py3-none-any.whl",
            project="chatterbot-corpus",
            version="1.3.3",
            sha256="86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
            size=345_706,
        ),
    ),
    licence="BSD-3-Clause",
    citation="G. Cox, ChatterBot Corpus, version 1.3.3",
    split="none",
)


DATASETS = {"chatterbot": CHATTERBOT}


class Pair(NamedTuple):
    """Some turns of a conversation, and the one after them."""

    context: tuple[str, ...]
    """The turns before the reply, the nearest last."""
    reply: str


class Corpus(NamedTuple):
    """Conversations, and what is to be said of them."""

    conversations: list[list[str]]
    """The turns of each."""
    said: list[str]
    """What was read and what is odd about it, in lines."""


def load_conversations(name: str) -> Corpus:
    """The conversations of the corpus `"chatterbot"`, or of the file at that path; see `read_conversations`.

    Raises:
        DataError: it is neither, or it cannot be had.
    """
    if name in DATASETS:
        return Corpus(load_chatterbot(), [])
    if not Path(name).exists():
        raise DataError(f"data={name!r} is no file, and not the corpus chatterbot")
    return read_conversations(name)


def read_conversations(path: str | Path) -> Corpus:
    """Read conversations from a text file: one in each line, two or more turns with a tab between them.

    Raises:
        DataError: the file cannot be read, is empty, or a line has an empty turn or fewer than two turns;
            the message names the line.
    """
    items, said = conversation_items(path)
    if wrong := next((item for item in items if isinstance(item.value, Exception)), None):
        raise DataError(f"{path}, line {wrong.id}: {wrong.value}")
    return Corpus([item.value for item in items], said)


def conversation_items(path: str | Path) -> tuple[list[Item], list[str]]:
    """The conversations in a file, each line a list of turns or the error why it is none; what is to be said of them.

    Raises:
        DataError: the file cannot be read, or is empty.
    """
    file, items = read_file_text(path), []
    for number, line in enumerate(file.text.removesuffix("\n").split("\n"), 1):
        turns = [" ".join(turn.split()) for turn in line.split("\t")]
        if len(turns) < 2:
            error = DataError(f"no tab in {line[:60]!r}; expected what is said, a tab, the reply")
            items.append(Item(number, error))
        elif not all(turns):
            items.append(Item(number, DataError(f"column {turns.index('') + 1} of {len(turns)} is empty")))
        else:
            items.append(Item(number, turns))
    conversations = [item.value for item in items if not isinstance(item.value, Exception)]
    turns = [len(turns) for turns in conversations] or [0]
    alike = repeated(number_groups([tuple(map(normal_form, turns)) for turns in conversations]))
    said = [f"{path}: {len(conversations):,} conversations, {sum(turns):,} turns, {max(turns)} at most ({file.form})"]
    said += [f"repeated: {alike:,} conversations are as an earlier one, but for case and punctuation"] if alike else []
    return items, [*said, *file.notes]


def known_words(tokenizer: Words | Subwords, turn: str) -> bool:
    """Whether a tokenizer knows a word of a turn, or part of one."""
    return bool(tokenizer.decode(tokenizer.encode(turn)).replace(SPECIALS[UNKNOWN], "").strip())


def conversation_pairs(conversations: Sequence[Sequence[str]], turns: int) -> list[Pair]:
    """Every turn but the first with up to `turns` turns before it; of pairs with the same text, the first one."""
    pairs: dict[tuple[str, ...], Pair] = {}
    for conversation in conversations:
        for place in range(1, len(conversation)):
            window = tuple(conversation[max(0, place - turns) : place + 1])
            pairs.setdefault(tuple(map(normal_form, window)), Pair(window[:-1], window[-1]))
    return list(pairs.values())


def split_conversations(
    conversations: Sequence[Sequence[str]], turns: int, held_out: float = 0.15
) -> dict[str, list[Pair]]:
    """Divide conversations into pairs for training, validation and test.

    No turn of one part is in another one, in either role and in whatever case and punctuation: conversations that share
    a turn, directly or by way of others, stay together. Such groups come in one fixed random order.

    Args:
        conversations: two turns or more each.
        turns: of a context, at most.
        held_out: the share of the pairs for validation, and that for the test.

    Raises:
        DataError: too few conversations are independent of each other.
    """
    groups = [conversation_pairs([conversations[i] for i in group], turns) for group in related(conversations)]
    order = [groups[i] for i in np.random.default_rng(0).permutation(len(groups))]
    parts: dict[str, list[Pair]] = {"test": [], "validation": [], "train": []}
    size = held_out * sum(map(len, order))
    for group in order:
        name = next((name for name in ("test", "validation") if len(parts[name]) < size), "train")
        parts[name] += group
    if min(map(len, parts.values())) < 2:
        raise DataError(
            f"{len(conversations)} conversations in {len(groups)} groups that share no turn: too few for training, "
            "validation and test"
        )
    return parts


def related(conversations: Sequence[Sequence[str]]) -> list[list[int]]:
    """The places of conversations in groups; two that share a turn are in one group."""
    groups: dict[int, list[int]] = {}
    for i, group in enumerate(connect([[normal_form(turn) for turn in turns] for turns in conversations]).tolist()):
        groups.setdefault(group, []).append(i)
    return list(groups.values())


def load_chatterbot() -> list[list[str]]:
    """The English ChatterBot corpus: 2,025 conversations, which have 2,306 pairs of neighbouring turns.

    More than half of them are the same ten questions about computers, asked and answered 1,050 times.

    Returns:
        The turns of each conversation, in the order of the files' names; blanks around and inside are tidied. One
        entry of the corpus is no conversation, for want of a line break, and is left out.

    Raises:
        DataError: the data cannot be had (see `fetch`).
        ImportError: PyYAML is not installed; it comes with the extra `experiments`.
    """
    import yaml

    (archive,) = fetch(CHATTERBOT).values()
    return [
        [" ".join(turn.split()) for turn in conversation]
        for content in read_members(archive, "chatterbot_corpus/data/english/*.yml").values()
        for conversation in yaml.safe_load(content)["conversations"]
        if isinstance(conversation, list)
    ]
