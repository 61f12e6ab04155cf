"""Cells over pictures."""
