"""A library of any number of narrated videos: one small picture each, and captions of made-up
lines."""

import random
from fractions import Fraction
from pathlib import Path

import numpy as np

from howto.media.encode import H264Writer

WORDS = (
    "fold press pour stir cut spread hammer wipe water roll crack whisk glue sand paint drill screw"
    " tie wash dry shirt sleeve pan bowl egg wheel pot box window knife board brush nail soil leaf"
    " ribbon paper towel sponge now then gently slowly here again the a and with into over under"
    " carefully both sides first last side edge"
).split()
SECONDS_PER_LINE = 4


def make_library(folder: Path, *, videos: int, lines: int, seed: int = 0) -> Path:
    """Write the videos and their captions into a new folder, and return it.

    Args:
        videos: how many; each is another file to the library, though all show the same.
        lines: captions of each, 8 words every 4 s.
    """
    folder.mkdir(parents=True)
    chance = random.Random(seed)
    one = folder / "video-0000.mp4"
    with H264Writer(one, width=16, height=16, frame_rate=Fraction(1, SECONDS_PER_LINE)) as writer:
        for _ in range(lines):
            writer.write_frame(np.zeros((16, 16, 3), np.uint8))
    content = one.read_bytes()
    for number in range(videos):
        video = folder / f"video-{number:04}.mp4"
        # A `free` box at the end is no part of the picture, and makes the file one of its own.
        padding = number.to_bytes(8, "big")
        video.write_bytes(content + (8 + len(padding)).to_bytes(4, "big") + b"free" + padding)
        video.with_suffix(".en.vtt").write_text(_captions(chance, lines))
    return folder


def _captions(chance: random.Random, lines: int) -> str:
    cues = ["WEBVTT\n"]
    for line in range(lines):
        start = line * SECONDS_PER_LINE
        text = " ".join(chance.choices(WORDS, k=8))
        cues.append(f"{_clock(start)} --> {_clock(start + SECONDS_PER_LINE)}\n{text}\n")
    return "\n".join(cues)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.000"
