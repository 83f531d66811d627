"""Which captions of a video to take, of the many that a site offers.

What was said, as a person wrote it down; else as a machine heard it; never, unless it is allowed,
what a machine made of it in another language: a translation of a recogniser's mistakes is far from
what is heard. A track in the language wanted is often just that, so what is spoken decides.
"""

from collections.abc import Iterable

from howto.collect.fetched import CaptionTrack
from howto.records import Kind
from howto.transcribe.language import primary, same_language

__all__ = ["FORMS", "ORIGINAL", "UNKNOWN", "best_form", "choose"]

FORMS = ("json3", "srv3", "vtt", "srv1", "srv2", "ttml", "dfxp", "srt", "ass", "sami", "sbv")
"""Forms of captions we read, best first: those with a time for each word come before others."""

ORIGINAL = "-orig"
"""How YouTube's key of the automatic track in the language spoken ends."""

UNKNOWN = "und"
"""The language of a track where nothing says it; such a track may be of any."""


def best_form(forms: Iterable[str]) -> str | None:
    """The form to ask a site for, of those it offers; None where we read none of them."""
    offered = set(forms)
    return next((form for form in FORMS if form in offered), None)


def choose(
    tracks: Iterable[CaptionTrack],
    language: str | None,
    spoken: str | None,
    allow_translated: bool = False,
) -> CaptionTrack | None:
    """Choose the captions to fetch.

    The first there is of: people's in the language spoken; automatic ones marked as the original;
    other automatic ones in that language; where translations are allowed, people's and then a
    machine's in the language wanted; and last automatic ones of whatever else is spoken.

    Args:
        tracks: in the site's order, which breaks ties.
        language: the language wanted, a BCP 47 tag; None for whatever is spoken.
        spoken: what the site says is spoken; None where it does not. Then the track marked as the
            original tells it, and where there is none, `language` is taken to be spoken.
        allow_translated: take a translation into `language`, if nothing of what is spoken is there.

    Returns:
        The track, in the language spoken, which need not be `language`: the caller decides what
        that means. None where there is nothing fit.
    """
    offered = list(tracks)
    heard = [track for track in offered if track.kind is Kind.AUTOMATIC]
    originals = [track for track in heard if track.key.endswith(ORIGINAL)]
    told = spoken or (originals[0].language if originals else language)
    people = [track for track in offered if track.kind is Kind.MANUAL]
    groups = [_in_language(group, told) for group in (people, originals, heard)]
    if allow_translated:
        machines = [track for track in offered if track.kind is Kind.TRANSLATED]
        groups += [_in_language(people, language), _in_language(machines, language)]
    groups += [originals, heard]
    return next((group[0] for group in groups if group), None)


def _in_language(tracks: list[CaptionTrack], wanted: str | None) -> list[CaptionTrack]:
    """Those of a language, the nearest tag first; all of them where no language is wanted."""
    if wanted is None:
        return tracks
    same = [
        track
        for track in tracks
        if track.language == UNKNOWN or same_language(track.language, wanted)
    ]
    return sorted(same, key=lambda track: _distance(track.language.lower(), wanted.lower()))


def _distance(tag: str, wanted: str) -> int:
    """0 for the tag itself, 1 for the language without a region, 2 for another region's, 3 for a
    tag that says nothing."""
    if tag == UNKNOWN:
        return 3
    return 0 if tag == wanted else 1 if tag == primary(tag) else 2
