"""Narration of a video: caption files beside it, subtitle streams inside it.

`formats.read_captions` reads one caption file; the sources in `sidecar` and `embedded` read a
video's.
"""
