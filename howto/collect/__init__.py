"""Filling a library: which videos there are, and what lies beside them."""
