"""On how many threads PyTorch computes: on as many as there are cores, or on one, whichever is faster.

Its threads wait for each other at every operation. Where operations are small, as in one row of a sequence, that costs
more than it saves, and beside other processes it can cost a slice of the scheduler, milliseconds, each time.
"""

import torch

from benchmarks.timing import Program, cores, seconds_of

LONG = 0.5
"""Seconds from which one call is enough to tell."""
CALLS = 3


def on_fastest_threads(program: Program) -> Program:
    """`program`, after PyTorch was set to the number of threads on which it is faster."""
    seconds = {}
    for threads in dict.fromkeys((cores(), 1)):
        torch.set_num_threads(threads)
        first = seconds_of(program, 1)
        seconds[threads] = first if first > LONG else min(seconds_of(program, 1) for _ in range(CALLS))
    torch.set_num_threads(min(seconds, key=lambda threads: seconds[threads]))
    return program
