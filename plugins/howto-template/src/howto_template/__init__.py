"""A backbone, a text encoder and a negative sampler for howto, small enough to copy."""
