"""Running one function over many videos: the engines."""
