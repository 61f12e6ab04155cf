"""Native loops: the whole loop over a cell as one call, compiled for it by the C++ compiler at hand.

graph       expressions that share what is equal
units       the gates of a cell as such expressions, of one unit
split       what of a cell depends on the params alone, and what belongs into the loop
adapters    cells whose arrays lie otherwise, as the loop needs them
plan        what the loop does at every step, forward and back
order       in which order it does so
source      its C++, around what all loops share, common.cc
build       compiled when it is first needed, and kept for the user
primitives  the loop as JAX sees it: derivatives of every order, vmap, other devices
"""
