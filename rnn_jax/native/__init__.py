"""Native loops: the whole loop over a gated cell as one call, compiled for the cell by the C++ compiler at hand.

units       the gates of a cell as expressions of one unit
split       what of a cell depends on the params alone, and what belongs into the loop
plan        what the loop does at every step, forward and back
source      its C++, around what all loops share, loop.cc
build       compiled when it is first needed, and kept for the user
primitives  the loop as JAX sees it: derivatives of every order, vmap, other devices
"""
