"""Sentence encoders for howto: frozen text encoders around sentence-transformers."""
