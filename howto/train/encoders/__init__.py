"""Text encoders of the core: `word2vec`, the paper's, and `learned`."""
