"""Cells with gates: LSTM, GRU and what came of them."""
