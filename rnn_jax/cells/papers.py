"""Where a cell comes from: one record a paper, and BibTeX from it."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Paper:
    """A publication.

    Args:
        key: of the BibTeX entry.
        authors: as in BibTeX, "Surname, Given and Surname, Given".
        title: as printed.
        year: of this version.
        journal: with volume and number, for an article.
        booktitle: the conference, for a paper in proceedings. With neither it is a preprint or a report.
        arxiv: the identifier, such as "1406.1078".
    """

    key: str
    authors: str
    title: str
    year: int
    journal: str = ""
    booktitle: str = ""
    arxiv: str = ""

    def bibtex(self) -> str:
        """The BibTeX entry."""
        kind = "article" if self.journal else "inproceedings" if self.booktitle else "misc"
        fields = {
            "author": self.authors, "title": f"{{{self.title}}}", "year": self.year,
            "journal": self.journal, "booktitle": self.booktitle, "eprint": self.arxiv,
            "archiveprefix": "arXiv" if self.arxiv else "",
        }  # fmt: skip
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{kind}{{{self.key},", *lines, "}"])

    def surnames(self) -> str:
        """The authors as in running text: "Cho et al."."""
        surnames = [author.partition(",")[0].strip() for author in self.authors.split(" and ")]
        return " & ".join(surnames) if len(surnames) < 3 else f"{surnames[0]} et al."


def citation(cell: Any) -> str:
    """Print the BibTeX of the papers behind a cell, and of its parts where it has some; also return it.

    Args:
        cell: a cell or its class.

    Raises:
        ValueError: no paper is known for it.
    """
    papers = list(dict.fromkeys(_papers(cell)))
    if not papers:
        name = cell.__name__ if isinstance(cell, type) else type(cell).__name__
        raise ValueError(f"cell={name}: it names no paper; give its class an attribute `papers` of rnn_jax.Paper")
    text = "\n\n".join(paper.bibtex() for paper in papers)
    print(text)
    return text


def _papers(cell: Any) -> list[Paper]:
    found = list(getattr(cell, "papers", ()))
    if dataclasses.is_dataclass(cell) and not isinstance(cell, type):
        for field in dataclasses.fields(cell):
            value = getattr(cell, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                found += _papers(part)
    return found
