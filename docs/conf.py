"""How Sphinx builds the documentation: `make docs`. Pages are MyST Markdown; their code runs while they are built."""

import itertools
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import generate  # noqa: E402
from sphinx.pycode import ModuleAnalyzer  # noqa: E402

import rnn_jax  # noqa: E402

project = "rnn_jax"
author = "the developers of rnn_jax"
version = release = rnn_jax.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.doctest", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "sphinx_book_theme"
html_title = "rnn_jax"
html_static_path: list[str] = []
html_theme_options = {"navbar_persistent": []}  # one field for searches, in the side bar
html_show_sourcelink = False

# Pages are run anew only when their code changed; a cell that fails, or takes longer, fails the build.
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
if folder := os.environ.get("RNN_JAX_DATA"):
    os.environ["RNN_JAX_DATA"] = os.path.abspath(folder)  # pages run in folders of their own
os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # a page has no widgets
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # what a base class says of a method stands there
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
default_role = "code"  # the docstrings' `names`
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # a field that has a docstring of its own is not described twice
napoleon_attr_annotations = False  # the signature has the types
toc_object_entries = False  # hundreds of names on the side of every page
add_module_names = False


def mathematics_as_it_stands(app, what, name, obj, options, lines: list[str]) -> None:
    """The docstrings' |x| and a * b are no markup, `code` is, and what is indented below a paragraph stays as it is."""
    text: list[str] = []
    for literal, block in itertools.groupby(zip(lines, literal_lines(lines), strict=True), key=lambda pair: pair[1]):
        lines_of_it = [line for line, _ in block]
        text += ["::", "", *lines_of_it] if literal else without_marks("\n".join(lines_of_it)).split("\n")
    lines[:] = text


def literal_lines(lines: list[str]) -> list[bool]:
    """Which lines are code or equations: indented, behind an empty line below one that is not indented."""
    literal: list[bool] = []
    for i, line in enumerate(lines):
        begins = i > 1 and not lines[i - 1] and not lines[i - 2].startswith(" ")
        goes_on = bool(literal) and literal[-1]
        literal.append((goes_on and not line) or (line.startswith("    ") and (goes_on or begins)))
    return literal


def without_marks(text: str) -> str:
    """Text with its code in two backquotes, which also stand before a letter, as in `leaf`s; no marks outside of it."""
    parts = re.split(r"(`+[^`]*`+)", text)
    for i, part in enumerate(parts):
        if part.startswith("`"):
            code = " ".join(part.strip("`").split())
            parts[i] = f"``{code}``" + ("\\ " if parts[i + 1][:1].isalnum() else "")
        else:
            part = re.sub(r"(?m)^(\s*\w+: |\s*)([A-Z]\.)$", r"\1\\\2", part)  # a size alone, `D.`, begins no list
            parts[i] = re.sub(r"([|*])", r"\\\1", part)
    return "".join(parts)


def whole_signature(app, obj, bound_method: bool) -> None:
    """An overloaded function is shown with the signature that has all its options."""
    if obj.__module__.startswith("rnn_jax."):
        analyzer = ModuleAnalyzer.for_module(obj.__module__)
        analyzer.analyze()
        analyzer.overloads.clear()


def setup(app):
    """Pages that are drawn from the code and the committed results are written before Sphinx looks for sources."""
    app.connect("builder-inited", lambda app: generate.write(Path(app.srcdir)))
    app.connect("autodoc-before-process-signature", whole_signature)
    app.connect("autodoc-process-docstring", mathematics_as_it_stands, priority=400)  # before napoleon's, at 500
