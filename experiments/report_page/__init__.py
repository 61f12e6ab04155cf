"""The parts of the page of results that `python -m experiments.page` writes."""
