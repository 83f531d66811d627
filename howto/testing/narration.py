"""The suite for narration sources."""

import math
from pathlib import Path
from typing import ClassVar

import pytest

from howto.errors import ItemError, Reason
from howto.records import Kind, Line, Narration, Video
from howto.testing.contract import PluginContract, expect

__all__ = ["NarrationSourceContract"]


class NarrationSourceContract(PluginContract):
    """A narration source gives sorted lines, None where there is nothing, else an ItemError.

    Override `narrated_videos`, and the other two where the case can occur. Each puts its files into
    the empty folder it is given and returns the videos.

    Attributes:
        repeatable: the same video gives the same narration. Set it to False for a recogniser that
            does not promise that, and say so in its documentation.
    """

    kind: ClassVar[str] = "asr"
    repeatable: ClassVar[bool] = True

    def narrated_videos(self, folder: Path) -> list[Video]:
        """Return at least one video that this source has a narration for."""
        raise NotImplementedError("return at least one video that this source has a narration for")

    def silent_videos(self, folder: Path) -> list[Video]:  # noqa: ARG002
        """Return videos that this source has nothing for."""
        return []

    def unreadable_videos(self, folder: Path) -> list[Video]:  # noqa: ARG002
        """Return videos for which there is something that cannot be read."""
        return []

    def test_says_how_it_works(self) -> None:
        """`listens` decides whether it starts unasked; the rate makes the estimate."""
        source = self.create()
        listens, rate = source.listens, source.sound_per_second
        expect(isinstance(listens, bool), f"listens: expected a bool, got {listens!r}")
        expect(isinstance(rate, int | float), f"sound_per_second: expected a number, got {rate!r}")
        expect(
            not listens or rate > 0,
            f"sound_per_second: expected seconds of sound per second of work, got {rate}",
        )

    def test_lines_are_sorted_and_timed(self, tmp_path: Path) -> None:
        """At least one line; 0 <= start <= end, finite; sorted by start, and so are its words."""
        source = self.create()
        videos = self.narrated_videos(tmp_path)
        expect(videos, "narrated_videos: expected at least one video, got none")
        for video in videos:
            narration, what = source.narrate(video), video.path.name
            expect(
                isinstance(narration, Narration), f"{what}: expected a Narration, got {narration!r}"
            )
            expect(narration.lines, f"{what}: expected at least one line, got none")
            starts = [line.start for line in narration.lines]
            expect(starts == sorted(starts), f"{what}: expected lines sorted by start: {starts}")
            for line in narration.lines:
                _expect_line(f"{what}, line at {line.start} s", line)

    def test_says_what_it_is(self, tmp_path: Path) -> None:
        """Kind, language, source and problems are what the records say."""
        source = self.create()
        for video in self.narrated_videos(tmp_path):
            narration = source.narrate(video)
            expect(isinstance(narration.lines, tuple), "lines: expected a tuple")
            expect(isinstance(narration.problems, tuple), "problems: expected a tuple")
            expect(
                isinstance(narration.kind, Kind), f"kind: expected a Kind, got {narration.kind!r}"
            )
            expect(narration.source, "source: expected words for a person, got nothing")
            expect(
                narration.language is None or narration.language.strip(),
                "language: expected a BCP 47 tag, or None where nothing says it",
            )

    def test_the_same_again(self, tmp_path: Path) -> None:
        """The same video gives the same narration."""
        if not self.repeatable:
            pytest.skip("repeatable = False")
        for video in self.narrated_videos(tmp_path):
            first, second = (self.create().narrate(video) for _ in range(2))
            expect(first == second, f"{video.path.name}: a second call gave another narration")

    def test_nothing_there_is_none(self, tmp_path: Path) -> None:
        """A video without narration is no error: another source is asked next."""
        source, videos = self.create(), self.silent_videos(tmp_path)
        if not videos:
            pytest.skip("silent_videos returns none")
        for video in videos:
            narration = source.narrate(video)
            expect(
                narration is None,
                f"{video.path.name}: expected None where there is nothing, got {narration!r}",
            )

    def test_unreadable_is_an_item_error(self, tmp_path: Path) -> None:
        """One bad video costs one video, and its outcome has a reason."""
        source, videos = self.create(), self.unreadable_videos(tmp_path)
        if not videos:
            pytest.skip("unreadable_videos returns none")
        for video in videos:
            with pytest.raises(ItemError) as caught:
                source.narrate(video)
            reason = caught.value.reason
            expect(
                isinstance(reason, Reason), f"{video.path.name}: expected a Reason, got {reason!r}"
            )

    def test_leaves_the_files_alone(self, tmp_path: Path) -> None:
        """A user's folder is never written to."""
        source, videos = self.create(), self.narrated_videos(tmp_path)
        before = _contents(tmp_path)
        for video in videos:
            source.narrate(video)
        after = _contents(tmp_path)
        changed = sorted({path.name for path, _ in before.items() ^ after.items()})
        expect(not changed, f"expected the video's folder as it was; changed: {changed}")


def _expect_line(what: str, line: Line) -> None:
    expect(
        0 <= line.start <= line.end < math.inf,
        f"{what}: expected 0 <= start <= end, got {line.start} .. {line.end}",
    )
    expect(line.text.strip(), f"{what}: expected text, got {line.text!r}")
    for word in line.words:
        expect(word.start <= word.end, f"{what}: expected start <= end of {word}")
    starts = [word.start for word in line.words]
    expect(starts == sorted(starts), f"{what}: expected its words in order of start: {starts}")


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
