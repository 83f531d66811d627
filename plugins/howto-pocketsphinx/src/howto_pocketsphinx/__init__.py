"""Speech recognition for howto with PocketSphinx, whose wheel carries a US-English model."""
