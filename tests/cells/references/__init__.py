"""The equations of each cell in NumPy float64, written from the papers, one gate a line: an oracle, not a library.

`reference(name)` finds the function with the name that the cell has in `rnn_jax.CELLS`.
"""

import importlib
import pkgutil


def reference(name):
    """`(params, carry, x) -> (carry, y)` for the cell called `name`."""
    for module in pkgutil.iter_modules(__path__):
        found = getattr(importlib.import_module(f"{__name__}.{module.name}"), name, None)
        if found is not None:
            return found
    raise AssertionError(f"tests/cells/references has no function {name!r}: write it from the paper")
