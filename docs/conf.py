"""How Sphinx builds the documentation: `make docs`. Pages are MyST Markdown; their code runs while they are built."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import generate  # noqa: E402

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
html_show_sourcelink = False

# Pages are run anew only when their code changed; a cell that fails, or takes longer, fails the build.
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
default_role = "code"  # the docstrings' `names`
napoleon_google_docstring = True
napoleon_numpy_docstring = False
add_module_names = False


def mathematics_as_it_stands(app, what, name, obj, options, lines: list[str]) -> None:
    """The docstrings' |x| and a * b are no markup: what is outside of backquotes is escaped."""
    for i, line in enumerate(lines):
        parts = re.split(r"(`+[^`]*`+)", line)
        lines[i] = "".join(part if part.startswith("`") else re.sub(r"([|*])", r"\\\1", part) for part in parts)


def setup(app):
    """Pages that are drawn from the code and the committed results are written before Sphinx looks for sources."""
    app.connect("builder-inited", lambda app: generate.write(Path(app.srcdir)))
    app.connect("autodoc-process-docstring", mathematics_as_it_stands, priority=400)  # before napoleon's, at 500
