"""Video and sound files: what they are, and their frames, samples and subtitles at exact times.

Importing this package imports nothing heavy; each module says what it needs.
"""
