"""Captions: how quickly narration is read and made into pairs.

captions.rolling_over_webvtt   our reading of YouTube's rolling WebVTT, from the file to a Narration
                               with the start of every word, over the webvtt-py package's parse,
                               which gives the cues alone; the same files of 10 minutes of speech
"""

import importlib.util
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import webvtt
from library_of_clips import WORDS
from measure import PAIRS, Figure, emit, median_ratio, parse

from howto.transcribe.formats import read_captions

FILES, FILES_QUICK = 60, 15
MINUTES = 10
WORDS_PER_LINE = (5, 9)
WORD_MS = (150, 600)  # about 160 words a minute, as people talk


def main() -> None:
    quick = parse(__doc__ or "").quick
    figures = rolling_figures(FILES_QUICK if quick else FILES)
    # Pairs are measured by a script of their own, and told here with the other captions' figures.
    if importlib.util.find_spec("pairs_100k"):
        from pairs_100k import figures as pairs_figures

        figures += pairs_figures(quick)
    emit(figures)


def rolling_figures(files: int) -> list[Figure]:
    """Read the same rolling files by both, in turns."""
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"video-{number}.en.vtt" for number in range(files)]
        for number, path in enumerate(paths):
            path.write_text(rolling_file(random.Random(number)))
        narration = read_captions(paths[0])
        num_words = sum(len(line.words) for line in narration.lines)
        size = paths[0].stat().st_size
        print(f"{files} files; the first: {size:,} bytes, {num_words} words", end="; ")
        ours = seconds(read_captions, paths)
        print(f"ours {files / ours:.0f} files/s on one core", end=", ")
        print(f"webvtt-py {files / seconds(webvtt.read, paths):.0f}")
        ratio = median_ratio(
            lambda: seconds(webvtt.read, paths), lambda: seconds(read_captions, paths), PAIRS
        )
    return [Figure.at_least("captions.rolling_over_webvtt", ratio, 5)]


def seconds(read: Callable[[Path], object], paths: list[Path]) -> float:
    """CPU time of this process for reading all files once."""
    began = time.process_time()
    for path in paths:
        read(path)
    return time.process_time() - began


def rolling_file(chance: random.Random) -> str:
    """A recogniser's track as YouTube writes it: every line built up, settled, and shown above."""
    blocks = ["WEBVTT\nKind: captions\nLanguage: en"]
    at, above = 0, " "
    while at < MINUTES * 60_000:
        words = chance.choices(WORDS, k=chance.randint(*WORDS_PER_LINE))
        starts = [at]
        for _ in words:
            starts.append(starts[-1] + chance.randint(*WORD_MS))
        *starts, end = starts
        built = words[0] + "".join(
            f"<{clock(start)}><c> {word}</c>"
            for word, start in zip(words[1:], starts[1:], strict=True)
        )
        blocks.append(cue(at, end - 10, above, built))
        above = " ".join(words)
        blocks.append(cue(end - 10, end, above, " "))
        at = end
    return "\n\n".join(blocks) + "\n\n"


def cue(start: int, end: int, upper: str, lower: str) -> str:
    return f"{clock(start)} --> {clock(end)} align:start position:0%\n{upper}\n{lower}"


def clock(ms: int) -> str:
    """Milliseconds as `00:00:01.000`."""
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


if __name__ == "__main__":
    main()
