"""A backbone and a negative sampler for howto, small enough to copy."""
