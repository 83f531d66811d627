"""How good an embedding is: ranks, recall, and what chance alone would give."""
