"""Cells that keep the length of their state: orthogonal and antisymmetric kernels, oscillators."""
