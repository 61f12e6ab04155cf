"""Cells that are linear in their carry: state spaces, minimal gates, associative memories; run in parallel by scans."""
