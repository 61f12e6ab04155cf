"""Cells in continuous time, for what is observed at any moments: what they do depends on the time between steps."""
