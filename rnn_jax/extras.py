"""Packages that come with an extra: what is said where one is imported and not there."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

EXTRAS = {
    **dict.fromkeys(
        ("tyro", "matplotlib", "tokenizers", "sacrebleu", "jiwer", "yaml", "scipy", "mido", "markdown_it",
         "statsmodels", "sklearn", "optuna", "PIL", "imageio", "pandas", "soundfile", "Bio", "charset_normalizer"),
        "experiments",
    ),
    "flatbuffers": "export",
    **dict.fromkeys(("onnx", "safetensors"), "interop"),
    "ziglang": "fused",
    **dict.fromkeys(("torch", "keras"), "peers"),
}  # fmt: skip
"""The names that they are imported by, and the extra of each."""

DISTRIBUTION = "rnn-jax-lab"
"""What an index knows this package by."""

CHECKOUT = Path(__file__).parents[1]


class MissingExtra(ModuleNotFoundError):
    """A package is not installed; the message says how all packages of its extra are."""


@contextlib.contextmanager
def optional_imports() -> Iterator[None]:
    """Around the imports of packages that come with an extra.

    Raises:
        MissingExtra: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not (said := explained(error)):
            raise
        raise MissingExtra(said, name=error.name) from error


def explained(error: ModuleNotFoundError) -> str:
    """What to do about a package that is not there; empty where it is none of an extra."""
    if isinstance(error, MissingExtra):
        return str(error)
    package = (error.name or "").partition(".")[0]
    return f"{package} is not installed: {install(EXTRAS[package])}" if package in EXTRAS else ""


def install(extra: str) -> str:
    """The command that installs an extra: from the checkout where this is one, with the versions that are tested."""
    if not (CHECKOUT / "requirements.lock").exists():
        return f'pip install "{DISTRIBUTION}[{extra}]"'
    folder, lock = (".", "requirements.lock") if Path.cwd() == CHECKOUT else (CHECKOUT, CHECKOUT / "requirements.lock")
    return f'pip install -c {lock} -e "{folder}[{extra}]"'
