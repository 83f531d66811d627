"""The vector index: embeddings of what a search returns, as float16 on the disk, with exact search
in numpy and an approximate index from the size where it pays."""
