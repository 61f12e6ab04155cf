"""Did anything become slower? Two result files, row by row.

    python -m benchmarks.regression OLD.json NEW.json --tolerance 0.05

What is compared is each row's ratios, other programs' times over its own: those were measured side by side, so they
hold from one run to the next, which times do not. A ratio fell if its new interval lies below the old one by more than
the tolerance. Rows of bytes are compared as they are. Exits with 1 if there is one, and names them.
"""

import sys
from pathlib import Path

import tyro

from benchmarks.results import Row, read
from benchmarks.timing import Ratio


def main(old: tyro.conf.Positional[Path], new: tyro.conf.Positional[Path], tolerance: float = 0.05) -> int:
    """Name what became slower from one result file to another; exit with 1 if anything did.

    Args:
        old: The result file to compare with.
        new: The result file of what may have become slower.
        tolerance: How much a ratio may fall, or bytes may grow, as a part of the old value.
    """
    files = [read(path) for path in (old, new)]
    if files[0].get("processes") != files[1].get("processes"):
        print(f"{old} and {new} cannot be compared: in one of them each program had a process of its own")
        return 1
    before, after = (_by_name(stored["rows"]) for stored in files)
    both = [name for name in before if name in after]
    found = [line for name in both for line in slower(before[name], after[name], tolerance)]
    print("\n".join(found))
    print(f"{len(both)} rows in both files, {len(before) - len(both)} only in {old}: {len(found)} became slower")
    return int(bool(found))


def slower(old: Row, new: Row, tolerance: float) -> list[str]:
    """A line for each ratio of a row that fell, and for bytes that grew, beyond the tolerance."""
    name = f"{new['case']}: {new['program']}"
    lines = []
    for other, stored in old.get("ratios", {}).items():
        before = Ratio(**stored)
        after = Ratio(**new["ratios"][other]) if other in new.get("ratios", {}) else before
        if after.high < before.low * (1 - tolerance):
            lines.append(f"{name}: {other}'s time over its own fell from {before} to {after}")
    if "bytes" in old and new["bytes"] > old["bytes"] * (1 + tolerance):
        lines.append(f"{name}: grew from {old['bytes']:,} to {new['bytes']:,} bytes")
    return lines


def _by_name(rows: list[Row]) -> dict[tuple[str, str], Row]:
    return {(row["case"], row["program"]): row for row in rows}


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
