"""The suite for sources of videos."""

import itertools
import math
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

from howto.collect.fetched import Candidate, CaptionTrack, Described, Pace, Task
from howto.errors import ItemError, Reason, UsageError
from howto.records import Kind
from howto.testing.contract import PluginContract, expect

__all__ = ["SourceContract"]

_SAFE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-[A-Za-z0-9_-]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_FORM = re.compile(r"[a-z0-9]{2,5}")
_MANY = 1000
_HEIGHT = 360


class SourceContract(PluginContract):
    """A source offers videos in order, says what it knows of them, and fetches whole files.

    Override `offering`, and `refused` where a site can say no. Put files into the empty folder that
    each is given; a site belongs on loopback.

    Attributes:
        task: what the source is asked for.
        is_search: its candidates come of a search, so their ranks are 1, 2, 3 ...
        needs: what describing and fetching need that a test has not, such as `YouTube`; these tests
            are skipped, with that as the reason.
    """

    kind: ClassVar[str] = "sources"
    task: ClassVar[Task | None] = Task("Fold a Shirt", query="how to fold a shirt")
    is_search: ClassVar[bool] = False
    needs: ClassVar[str] = ""

    def offering(self, folder: Path) -> Any:
        """Return the source with at least two videos to offer, one of them with captions."""
        raise NotImplementedError("return the source with at least two videos to offer")

    def refused(self, folder: Path) -> list[tuple[Any, Candidate]]:  # noqa: ARG002
        """Return sources, each with a candidate that it cannot describe."""
        return []

    def test_says_how_fast_it_may_be_asked(self) -> None:
        """`polite` has seconds, none of them negative."""
        pace = self.create().polite
        expect(isinstance(pace, Pace), f"polite: expected a Pace, got {pace!r}")
        for what in ("requests", "captions", "media"):
            seconds = getattr(pace, what)
            expect(0 <= seconds < math.inf, f"polite.{what}: expected seconds, got {seconds!r}")

    def test_without_a_list_it_says_so(self) -> None:
        """A source of a list that was made without one, or a search without a task: UsageError."""
        with pytest.raises(UsageError):
            list(self.create().find(None, 1))

    def test_candidates_are_safe_and_in_order(self, tmp_path: Path) -> None:
        """Ids that are names of files everywhere, each once; ranks as `is_search` says."""
        source = self.offering(tmp_path)
        found = self._found(source, _MANY)
        expect(len(found) >= 2, f"offering: expected at least two videos, got {len(found)}")
        for candidate in found:
            _expect_candidate(candidate, source.name)
        ids = [candidate.video_id for candidate in found]
        expect(len(set(ids)) == len(ids), f"expected each video once, got {ids}")
        ranks = [candidate.rank for candidate in found]
        if self.is_search:
            expect(ranks == list(range(1, len(ranks) + 1)), f"expected ranks 1, 2 ..., got {ranks}")

    def test_no_more_than_the_limit(self, tmp_path: Path) -> None:
        """The limit cuts the list off, and changes nothing before that."""
        source = self.offering(tmp_path)
        everything = self._found(source, _MANY)
        for limit in (1, 2):
            found = self._found(source, limit)
            expect(
                found == everything[:limit],
                f"limit {limit}: expected {everything[:limit]}, got {found}",
            )

    def test_the_same_again(self, tmp_path: Path) -> None:
        """Asked twice, it offers the same."""
        source = self.offering(tmp_path)
        first, second = (self._found(source, _MANY) for _ in range(2))
        expect(first == second, f"expected the same candidates again, got {first} and {second}")

    def test_describes_what_it_offers(self, tmp_path: Path) -> None:
        """What is not known is None or empty; tracks have a language, a form and a kind."""
        source = self._online(tmp_path)
        for candidate in self._found(source, _MANY):
            described = source.describe(candidate)
            _expect_described(described, candidate)
            again = source.describe(candidate)
            expect(described == again, f"{candidate.video_id}: described anew, it is not equal")

    def test_captions_are_one_whole_file(self, tmp_path: Path) -> None:
        """`<video_id>.<language>.<form>`, not empty, and nothing else in the folder."""
        source = self._online(tmp_path)
        fetched = 0
        for candidate in self._found(source, _MANY):
            described = source.describe(candidate)
            for number, track in enumerate(described.tracks):
                into = _folder(tmp_path, f"{candidate.video_id}-{number}")
                path = source.captions(described, track, into)
                name = f"{candidate.video_id}.{track.language}.{track.form}"
                _expect_only(path, into, name)
                fetched += 1
        expect(fetched, "offering: expected a video with captions, got none")

    def test_media_is_one_whole_file(self, tmp_path: Path) -> None:
        """`<video_id>.<suffix>`, with a picture that can be decoded, and nothing else there."""
        from howto.media.probe import probe

        source = self._online(tmp_path)
        for candidate in itertools.islice(self._found(source, _MANY), 3):
            described = source.describe(candidate)
            into = _folder(tmp_path, candidate.video_id)
            path = source.media(described, _HEIGHT, into)
            _expect_only(path, into, f"{candidate.video_id}{path.suffix}")
            info = probe(path)
            stated = described.duration
            expect(
                stated is None or abs(info.duration - stated) <= max(2.0, 0.02 * stated),
                f"{candidate.video_id}: described as {stated} s, the file has {info.duration} s",
            )
            again = source.media(described, _HEIGHT, into)
            expect(again == path, f"fetched again into the same folder: {again}, not {path}")
            _expect_only(again, into, path.name)

    def test_a_refusal_has_a_reason(self, tmp_path: Path) -> None:
        """One bad video costs one video."""
        cases = self.refused(tmp_path)
        if not cases:
            pytest.skip(f"needs {self.needs}" if self.needs else "refused returns none")
        for source, candidate in cases:
            with pytest.raises(ItemError) as caught:
                source.describe(candidate)
            reason = caught.value.reason
            expect(isinstance(reason, Reason), f"expected a Reason, got {reason!r}")

    def _found(self, source: Any, limit: int) -> list[Candidate]:
        return list(source.find(self.task, limit))

    def _online(self, folder: Path) -> Any:
        if self.needs:
            pytest.skip(f"needs {self.needs}")
        return self.offering(_folder(folder, "offering"))


def _expect_candidate(candidate: Candidate, name: str) -> None:
    expect(isinstance(candidate, Candidate), f"expected a Candidate, got {candidate!r}")
    expect(
        _SAFE_ID.fullmatch(candidate.video_id),
        f"video_id {candidate.video_id!r}: expected a prefix, a hyphen, and then letters, digits, "
        "- and _ only",
    )
    expect(candidate.source == name, f"source: expected {name!r}, got {candidate.source!r}")
    expect(candidate.address, f"{candidate.video_id}: expected an address, got nothing")
    expect(candidate.rank >= 0, f"rank: expected 0 or more, got {candidate.rank!r}")


def _expect_described(described: Described, candidate: Candidate) -> None:
    what = candidate.video_id
    expect(isinstance(described, Described), f"{what}: expected a Described, got {described!r}")
    expect(described.candidate == candidate, f"{what}: described another, {described.candidate}")
    duration = described.duration
    expect(
        duration is None or 0 < duration < math.inf,
        f"{what}: expected a duration in seconds or None, got {duration!r}",
    )
    expect(
        re.fullmatch(r"(\d{4}-\d{2}-\d{2})?", described.uploaded),
        f"{what}: uploaded: expected YYYY-MM-DD or '', got {described.uploaded!r}",
    )
    starts = [chapter.start for chapter in described.chapters]
    expect(starts == sorted(starts), f"{what}: expected chapters in order, got {starts}")
    for track in described.tracks:
        _expect_track(what, track)


def _expect_track(what: str, track: CaptionTrack) -> None:
    expect(isinstance(track, CaptionTrack), f"{what}: expected a CaptionTrack, got {track!r}")
    expect(
        _LANGUAGE.fullmatch(track.language),
        f"{what}: language: expected a BCP 47 tag, got {track.language!r}",
    )
    expect(_FORM.fullmatch(track.form), f"{what}: form: expected a suffix, got {track.form!r}")
    expect(isinstance(track.kind, Kind), f"{what}: kind: expected a Kind, got {track.kind!r}")


def _expect_only(path: Path, folder: Path, name: str) -> None:
    expect(path == folder / name, f"expected {folder / name}, got {path}")
    there = sorted(found.name for found in folder.iterdir())
    expect(there == [name], f"expected {name} and nothing else, got {there}")
    expect(path.stat().st_size, f"{name}: expected something in it, it is empty")


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
