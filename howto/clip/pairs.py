"""Pairs: clips with captions as a training set takes them, made from one narration.

A pure function of the narration, the video and the options: the stage (`howto.clip.stage`) calls it
for each video of a library, a notebook calls it for one.
"""

import inspect
import math
from dataclasses import dataclass, replace
from typing import Any

from howto.clip.bounds import ClipOfLines, duration_of
from howto.clip.candidates import candidates, widened
from howto.clip.quality import QUALITY_VERSION, quality
from howto.clip.words import ALL_WORDS, PAPER, WordOptions, words
from howto.contracts import Clipper
from howto.errors import UsageError
from howto.plugins import create, find, load
from howto.recipe import Recipe
from howto.records import Clip, Line, Narration, Video

__all__ = ["MOST_CANDIDATES", "Pair", "PairOptions", "make_pairs"]

MOST_CANDIDATES = 100
"""For each pair all of them are stored."""

_WORDS = {options.name: options for options in (PAPER, ALL_WORDS)}
_LANGUAGE_OF_LISTS = "en"


@dataclass(frozen=True, slots=True)
class Pair:
    """A clip of one video with its caption, and how likely the caption names what is seen.

    Attributes:
        start, end: seconds.
        caption: never without a word.
        first, last: the outermost lines of the narration that the captions are from.
        quality: 0..1, see `howto.clip.quality`; None where the narration is in another language
            than the word lists.
        candidates: MIL-NCE's K captions, the pair's own one first; empty where none were asked for.
    """

    start: float
    end: float
    caption: str
    first: int
    last: int
    quality: float | None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PairOptions:
    """How pairs are made.

    Attributes:
        clipper: name of a clipper; None: `lines` with candidates, `grow` without.
        min_seconds: the shortest clip, in the clipper's own sense; with candidates, what clips are
            widened to. None: the clipper's default, 5 for both.
        min_words: the fewest words of a clip, for a clipper that knows it; None: its default.
        num_candidates: K of MIL-NCE, at most `MOST_CANDIDATES`; None: one caption for each clip.
        words: `all`, or `paper` to leave out stop words as the published captions do.
        drop_below: pairs of lower quality are left out; 0 keeps all.

    Raises:
        UsageError: a value that cannot mean anything.
    """

    clipper: str | None = None
    min_seconds: float | None = None
    min_words: int | None = None
    num_candidates: int | None = None
    words: str = "all"
    drop_below: float = 0.0

    def __post_init__(self) -> None:
        if self.words not in _WORDS:
            raise UsageError(f"no words named {self.words!r}. There are: {', '.join(_WORDS)}")
        if not 0 <= self.drop_below <= 1:
            raise UsageError(f"qualities lie in 0 to 1, so none is below {self.drop_below}")
        if self.num_candidates is not None and not 1 <= self.num_candidates <= MOST_CANDIDATES:
            raise UsageError(
                f"{self.num_candidates} candidates: expected 1 to {MOST_CANDIDATES}; MIL-NCE has 4 "
                "or 5"
            )
        for name in ("min_seconds", "min_words"):
            if (value := getattr(self, name)) is not None and not 0 <= value < math.inf:
                raise UsageError(f"{name} is {value}, expected a number of 0 or more")

    @property
    def clipper_name(self) -> str:
        """The clipper that is meant."""
        return self.clipper or ("lines" if self.num_candidates else "grow")

    @property
    def clipper_options(self) -> dict[str, Any]:
        """The keyword options that the clipper is made with."""
        options: dict[str, Any] = {"min_words": self.min_words}
        if self.num_candidates is None:
            options["min_seconds"] = self.min_seconds
        return {name: value for name, value in options.items() if value is not None}

    @property
    def word_options(self) -> WordOptions:
        """Which words captions are made of."""
        return _WORDS[self.words]

    @property
    def widened_to(self) -> float | None:
        """Seconds that clips with candidates are widened to; None without candidates."""
        if self.num_candidates is None:
            return None
        return 5.0 if self.min_seconds is None else self.min_seconds

    def make_clipper(self) -> Clipper:
        """Construct the clipper.

        Raises:
            PluginError: as `howto.plugins.create`.
            UsageError: the clipper does not take `min_seconds` or `min_words`.
        """
        clipper: Clipper = create("clippers", self.clipper_name, **self.clipper_options)
        return clipper

    def recipe(self) -> Recipe:
        """All that determines a pair set, but for the narrations.

        Raises:
            PluginError, UsageError: as `make_clipper`.
        """
        clipper = self.make_clipper()
        version = getattr(clipper, "version", None) or find("clippers", self.clipper_name).version
        return Recipe.of(
            stage="clip",
            clipper={"name": clipper.name, "version": version, **self._parameters()},
            candidates=self.num_candidates,
            widened_to=self.widened_to,
            words=self.words,
            drop_below=self.drop_below,
            quality=QUALITY_VERSION,
        )

    def _parameters(self) -> dict[str, Any]:
        """The clipper's parameters with its defaults, so that a changed default is another set."""
        signature = inspect.signature(load("clippers", self.clipper_name))
        bound = signature.bind_partial(**self.clipper_options)
        bound.apply_defaults()
        return {
            name: value if isinstance(value, bool | int | float | str | None) else repr(value)
            for name, value in bound.arguments.items()
        }


def make_pairs(
    narration: Narration, video: Video, options: PairOptions, clipper: Clipper | None = None
) -> list[Pair]:
    """Make the pairs of one video, in order of start.

    With `words="paper"` the stop words go first and lines without any other word go with them, as
    when the published captions were made; a clipper that reads how things were said
    (`wants_all_words`) is given all of them, and they are left out of its captions. Clips that hold
    no word give no pair.

    Args:
        clipper: made by `options.make_clipper()`; None makes one.

    Raises:
        ItemError: the clipper looks at the video, and it cannot be read.
        PluginError, UsageError: as `PairOptions.make_clipper`.
    """
    clipper = clipper or options.make_clipper()
    chosen = options.word_options
    if getattr(clipper, "wants_all_words", False):
        clips = [
            replace(clip, caption=chosen.caption(clip.caption))
            for clip in _clips(clipper, narration, video)
        ]
    else:
        spoken, places = _spoken_lines(narration, chosen)
        clips = _clips(clipper, spoken, video)
        if chosen.drop_stop_words:
            clips = [
                replace(clip, first=places[clip.first], last=places[clip.last])
                for clip in clips
                if clip.first <= clip.last
            ]
    clips = [clip for clip in clips if words(clip.caption)]
    scored = _pairs(clips, video, options)
    if narration.language and narration.language.partition("-")[0].lower() != _LANGUAGE_OF_LISTS:
        scored = [replace(pair, quality=None) for pair in scored]
    return [pair for pair in scored if pair.quality is None or pair.quality >= options.drop_below]


def _spoken_lines(narration: Narration, chosen: WordOptions) -> tuple[Narration, list[int]]:
    """The narration with the words chosen, and the index that each of its lines had before."""
    if not chosen.drop_stop_words:
        return narration, list(range(len(narration.lines)))
    lines: list[Line] = []
    places: list[int] = []
    for index, line in enumerate(narration.lines):
        if text := chosen.caption(line.text):
            lines.append(Line(line.start, line.end, text))
            places.append(index)
    return replace(narration, lines=tuple(lines)), places


def _clips(clipper: Clipper, narration: Narration, video: Video) -> list[ClipOfLines]:
    """The clips, each with the lines it is from: as its clipper says, else those it shows."""
    return [
        clip if isinstance(clip, ClipOfLines) else _placed(clip, narration.lines)
        for clip in clipper.pairs(narration, video)
    ]


def _placed(clip: Clip, lines: tuple[Line, ...]) -> ClipOfLines:
    shown = [
        index
        for index, line in enumerate(lines)
        if clip.start <= (line.start + line.end) / 2 <= clip.end
    ]
    first, last = (shown[0], shown[-1]) if shown else _nearest(clip, lines)
    return ClipOfLines(clip.video_id, clip.start, clip.end, clip.caption, first, last)


def _nearest(clip: Clip, lines: tuple[Line, ...]) -> tuple[int, int]:
    if not lines:
        return 0, -1
    nearest = min(range(len(lines)), key=lambda index: abs(lines[index].start - clip.start))
    return nearest, nearest


def _pairs(clips: list[ClipOfLines], video: Video, options: PairOptions) -> list[Pair]:
    if options.num_candidates is None:
        return [
            Pair(one.start, one.end, one.caption, one.first, one.last, quality(one.caption))
            for one in clips
        ]
    runs = candidates(
        [clip.start for clip in clips], [clip.end for clip in clips], options.num_candidates
    )
    return [
        _with_candidates(index, run, clips, video, options.widened_to or 0.0)
        for index, run in enumerate(runs)
    ]


def _with_candidates(
    index: int, run: range, clips: list[ClipOfLines], video: Video, widened_to: float
) -> Pair:
    own = clips[index]
    start, end = widened(own.start, own.end, widened_to, duration_of(video))
    members = [clips[max(0, min(place, len(clips) - 1))] for place in run]
    # The own caption first, once; the others as they are said.
    others = [clip.caption for place, clip in zip(run, members, strict=True) if place != index]
    return Pair(
        start,
        end,
        own.caption,
        first=min(clip.first for clip in members),
        last=max(clip.last for clip in members),
        # One of them is enough: MIL-NCE is free to match any.
        quality=max(quality(clip.caption) for clip in members),
        candidates=(own.caption, *others),
    )
