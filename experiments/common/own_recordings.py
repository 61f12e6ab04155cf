"""The user's own recordings and drawings: divided into parts, and found fit for CTC before anything is trained."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from experiments.common.reading import counted, describe_parts, refuse_one_class, refuse_unseen
from experiments.common.recordings import PARTS, Recording
from experiments.common.splitting import number_groups, repeated, split_groups
from rnn_jax.data.download import DataError

SHARES = dict(zip(PARTS, (0.8, 0.1, 0.1), strict=True))
"""Of the parts of one's own data."""


def content_digest(recording: Recording) -> str:
    """Equal for recordings of equal samples or points."""
    digest = hashlib.sha256()
    for segment in recording.segments:
        digest.update(str(segment.shape).encode() + segment.tobytes())
    return digest.hexdigest()


def divide_recordings(recordings: Sequence[Recording], source: str) -> tuple[dict[str, list[Recording]], list[str]]:
    """The parts training, validation and test: 8, 1 and 1 tenths, shuffled, word by word, copies on one side.

    A recording of several words counts as one of its rarest word, so that rare words are in training first; and one
    with a word that would be in no recording for training is for training.

    Args:
        recordings: with their words.
        source: of them, for messages.

    Returns:
        The parts, and notes on what is odd.

    Raises:
        DataError: there are fewer than ten, or too few different ones for three parts.
    """
    if len(recordings) < 10:
        raise DataError(f"{source} has {len(recordings)} entries: expected at least 10, for three parts")
    rarity = Counter(word for recording in recordings for word in set(recording.words))
    labels = [min(recording.words, key=lambda word: (rarity[word], word)) for recording in recordings]
    digests = [content_digest(recording) for recording in recordings]
    groups = number_groups(digests)
    if len(set(digests)) < len(SHARES):
        raise DataError(f"{source} has {len(set(digests))} different entries: expected at least 3, for three parts")
    parts = split_groups(groups.tolist(), number_groups(labels), SHARES)
    places = {part: list(map(int, chosen)) for part, chosen in parts.items()}
    known = {word for place in places["training"] for word in recordings[place].words}
    for part in PARTS[1:]:
        unseen = {digests[place] for place in places[part] if not known.issuperset(recordings[place].words)}
        places["training"] += [place for place in places[part] if digests[place] in unseen]
        places[part] = [place for place in places[part] if digests[place] not in unseen]
        known |= {word for place in places["training"] for word in recordings[place].words}
    if empty := [part for part in PARTS if not places[part]]:
        raise DataError(
            f"{source} has {len(set(digests))} different entries, and words that are in one of them alone: nothing is "
            f"left for {' and '.join(empty)}; add more of the same words"
        )
    notes = []
    if count := repeated(groups):
        notes.append(f"note: {count:,} of {len(recordings):,} are copies of others; copies are in one part")
    first: dict[str, Recording] = {}
    for digest, recording in zip(digests, recordings, strict=True):
        first.setdefault(digest, recording)
    pairs = [(first[d], r) for d, r in zip(digests, recordings, strict=True) if first[d].words != r.words]
    if pairs:
        one, other = pairs[0]
        such = f"such as {one.name} and {other.name}"
        notes.append(f"note: {len(pairs):,} of them have equal content and different labels, {such}")
    return {part: [recordings[place] for place in sorted(places[part])] for part in PARTS}, notes


def shared_copies(parts: Mapping[str, Sequence[Recording]]) -> list[str]:
    """A note where the user's own parts share recordings."""
    digests = {part: {content_digest(recording) for recording in recordings} for part, recordings in parts.items()}
    return [
        f"note: {len(both):,} recordings of the {part} part are in the training part, too: its scores say little"
        for part in PARTS[1:]
        if (both := digests[part] & digests["training"])
    ]


def labels_needed(words: Sequence[str]) -> int:
    """The fewest steps in which CTC can say so many words: one each, and a blank between two equal ones."""
    return len(words) + sum(a == b for a, b in pairwise(words))


def check_alignable(
    recordings: Sequence[Recording], steps: Callable[[Recording], int], source: str, remedy: str, kind: str = ""
) -> None:
    """See to it that each recording has a step at least for each of its labels.

    Args:
        recordings: of all parts.
        steps: how many a recording has.
        source: of the recordings, for messages.
        remedy: what to do.
        kind: stands before the names of recordings.

    Raises:
        DataError: one has fewer.
    """
    short = [(r, needed, have) for r in recordings if (needed := labels_needed(r.words)) > (have := steps(r))]
    if short:
        lines = dict.fromkeys(
            f"{kind}{r.name}: {len(r.words)} labels, which need {needed} steps, and {have} steps"
            for r, needed, have in short
        )
        named = "\n  ".join([*lines][:20])
        more = f"\n  and {len(lines) - 20:,} more" * (len(lines) > 20)
        raise DataError(
            f"{source}: {len(short):,} of {len(recordings):,} have more labels than steps, with which CTC learns "
            f"nothing; {remedy}\n  {named}{more}"
        )


def describe_recordings(
    parts: Mapping[str, Sequence[Recording]], what: str, length: Callable[[Recording], float], unit: str, source: str
) -> list[str]:
    """What has been read, in a few lines.

    Args:
        parts: by name.
        what: the recordings are.
        length: of a recording.
        unit: of the length.
        source: of the data, for messages.

    Raises:
        DataError: the validation or test part has words that the training part lacks, or all recordings have the same.
    """
    words = {part: [word for r in recordings for word in r.words] for part, recordings in parts.items()}
    refuse_unseen(source, words, "move some of them into the training part, or leave them out")
    every = [recording for recordings in parts.values() for recording in recordings]
    longest = max(every, key=length)
    if all(len(recording.words) == 1 for recording in every):
        refuse_one_class(source, words["training"])
        lines = describe_parts(what, words)
    else:
        sizes = ", ".join(f"{len(recordings):,} {part}" for part, recordings in parts.items())
        total = [word for of_part in words.values() for word in of_part]
        lines = [f"{len(every):,} {what}: {sizes}", f"{len(set(total)):,} different labels: {counted(total)}"]
        lines.append(f"at most {max(len(r.words) for r in every)} labels in one")
    return [*lines, f"the longest, {longest.name[:60] or 'without a name'}, has {length(longest):g} {unit}"]
