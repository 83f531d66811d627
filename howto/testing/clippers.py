"""The suite for clippers."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from howto.clip.bounds import duration_of
from howto.clip.words import words
from howto.records import Clip, Kind, Line, Narration, Video
from howto.testing.contract import PluginContract, expect
from howto.testing.media import media_info

__all__ = ["ClipperContract"]


class ClipperContract(PluginContract):
    """A clipper gives clips in order, inside the video, with words that are said in it.

    Override `video` with a real one where the clipper looks at the picture, and `narrations` to add
    your own hard cases.
    """

    kind: ClassVar[str] = "clippers"

    def video(self, duration: float | None = 60.0) -> Video:
        """Return a video to cut; with None, one that was not probed. The file does not exist."""
        info = None if duration is None else media_info(duration)
        return Video("contract", Path("contract.mp4"), info=info)

    def narrations(self) -> dict[str, Narration]:
        """Return narrations as they occur, by what is special about them. The video has 60 s."""
        return {what: _narration(lines) for what, lines in _LINES.items()}

    @pytest.mark.parametrize("duration", [60.0, None], ids=["probed", "not probed"])
    def test_clips_are_inside_the_video_and_in_order(self, duration: float | None) -> None:
        """start <= end, both within 0 and the duration, sorted by start."""
        for what, video, clips in self._cases(duration):
            longest = duration_of(video)
            limit = math.inf if longest is None else longest
            for clip in clips:
                expect(
                    0 <= clip.start <= clip.end <= limit and math.isfinite(clip.end),
                    f"{what}: expected 0 <= start <= end <= {limit}, got {clip}",
                )
            starts = [clip.start for clip in clips]
            expect(starts == sorted(starts), f"{what}: expected clips in order of start: {starts}")

    @pytest.mark.parametrize("duration", [60.0, None], ids=["probed", "not probed"])
    def test_clips_are_records_of_this_video(self, duration: float | None) -> None:
        """A list of Clip, each with the video's id."""
        for what, video, clips in self._cases(duration):
            expect(isinstance(clips, list), f"{what}: expected a list, got {type(clips).__name__}")
            for clip in clips:
                expect(isinstance(clip, Clip), f"{what}: expected a Clip, got {clip!r}")
                expect(
                    clip.video_id == video.video_id,
                    f"{what}: expected video_id {video.video_id!r}, got {clip.video_id!r}",
                )

    def test_captions_hold_only_what_is_said(self) -> None:
        """Every word of a caption is a word of the narration."""
        narrations = self.narrations()
        for what, _, clips in self._cases():
            said = {word for line in narrations[what].lines for word in words(line.text)}
            for clip in clips:
                added = [word for word in words(clip.caption) if word not in said]
                expect(not added, f"{what}: expected only words of the narration, got {added} too")

    def test_something_comes_of_a_narration(self) -> None:
        """A clipper that drops everything that is said is of no use."""
        spoken = [clip for _, _, clips in self._cases() for clip in clips if clip.caption]
        expect(spoken, "expected at least one clip with a caption, got none of any narration")

    def test_nothing_said_gives_no_caption(self) -> None:
        """A narration without lines may give windows, but no words."""
        for duration in (60.0, None):
            clips = self.create().pairs(_narration([]), self.video(duration))
            captions = [clip.caption for clip in clips if clip.caption]
            expect(not captions, f"expected no captions where nothing is said, got {captions}")

    def test_the_same_again(self) -> None:
        """The same narration gives the same clips, from the same object and from a new one."""
        clipper = self.create()
        for what, narration in self.narrations().items():
            first, second = (clipper.pairs(narration, self.video()) for _ in range(2))
            expect(first == second, f"{what}: a second call gave other clips")
            fresh = self.create().pairs(narration, self.video())
            expect(first == fresh, f"{what}: a second {type(clipper).__name__} gave other clips")

    def _cases(self, duration: float | None = 60.0) -> Iterator[tuple[str, Video, list[Clip]]]:
        clipper, video = self.create(), self.video(duration)
        for what, narration in self.narrations().items():
            yield what, video, clipper.pairs(narration, video)


def _narration(lines: list[tuple[float, float, str]]) -> Narration:
    records = tuple(Line(start, end, text) for start, end, text in lines)
    return Narration(records, "en", Kind.MANUAL, "contract suite")


# Real caption files have all of these; the last two come from captions of another cut of the video.
_LINES: dict[str, list[tuple[float, float, str]]] = {
    "nothing said": [],
    "one line": [(2.0, 4.5, "fold the left side")],
    "lines with pauses": [
        (0.5, 2.0, "today we fold a shirt"),
        (4.0, 6.0, "lay it flat"),
        (30.0, 33.0, "fold it in half, don't pull"),
    ],
    "lines that overlap": [
        (0.0, 4.0, "take"),
        (2.0, 6.0, "the"),
        (4.0, 8.0, "sleeve"),
        (4.0, 5.0, "now"),
    ],
    "a line inside another": [(0.0, 50.0, "music"), (10.0, 12.0, "crack two eggs")],
    "growing past the line before": [
        (0.0, 4.9, "first"),
        (5.0, 9.0, "second"),
        (9.0, 9.5, "third"),
        (20.0, 21.0, "fourth"),
    ],
    "lines of no length": [(3.0, 3.0, "oh"), (3.0, 3.0, "well"), (60.0, 60.0, "bye")],
    "a line without words": [(1.0, 2.0, ""), (2.0, 3.0, "..."), (3.0, 9.0, "stir")],
    "other scripts": [(1.0, 3.0, "Привет, мир"), (3.0, 6.0, "切る 混ぜる")],
    "a line across the end": [(58.0, 64.0, "see you next time")],
    "lines after the end": [(10.0, 12.0, "whisk"), (61.0, 63.0, "thanks"), (90.0, 95.0, "bye")],
}
