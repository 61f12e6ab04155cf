"""Studies: configs times seeds, searches, their statistics, tables and figures."""
