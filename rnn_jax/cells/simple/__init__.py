"""Simple recurrent networks: one recurrent product and a nonlinearity, without gates."""
