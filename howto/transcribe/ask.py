"""Asking narration sources about one video, in order: the first that has a narration wins."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from howto.errors import HowtoError, ItemError, Reason
from howto.plugin_options import Option, of_plugin
from howto.recipe import Recipe
from howto.records import Narration, Outcome, Stage, State, Video
from howto.transcribe.ends import Ends, with_ends

if TYPE_CHECKING:
    from howto.contracts import NarrationSource

__all__ = [
    "HAD_NOTHING",
    "NO_SOURCE",
    "QUICK_SOURCES",
    "Answer",
    "Wish",
    "as_asked",
    "ask",
    "make_sources",
    "nothing_found",
    "recipe_of",
]

QUICK_SOURCES = ("sidecar", "embedded")
"""Narration sources that cost next to nothing, in the order in which they are asked."""

NO_SOURCE = "none"
"""In a recipe: all sources that were asked had nothing."""

HAD_NOTHING = "had_nothing"
"""The part of a narration's recipe that says which other sources were asked, as `as_asked` says it,
and had nothing."""

_WHERE_NOT_WHAT = frozenset({"device", "download"})
"""Options of sources that say where the work is done; what comes of it is the same."""

_VERSION = 2
"""Changes whenever the same files would give another narration; 2 came with rolling captions."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How narration is wanted.

    Attributes:
        sources: names of narration sources, the first asked first.
        language: the preferred one; None is each source's own preference.
        ends: the rule for the ends of lines; None is what `formats.read_captions` does.
        options: keyword arguments for the sources that they name.
    """

    sources: tuple[str, ...] = QUICK_SOURCES
    language: str | None = None
    ends: Ends | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sources had.

    Attributes:
        source: the name of the one that has the narration, or `NO_SOURCE`.
    """

    narration: Narration | None
    source: str
    outcome: Outcome


def make_sources(wish: Wish) -> "list[NarrationSource]":
    """Construct the sources of a wish.

    Raises:
        UnknownPlugin, DuplicatePlugin, BrokenPlugin: as `plugins.create`.
        UsageError: a language is wanted, and a source does not take one, or hears another alone; an
            option that a source does not take.
    """
    from howto.plugins import create, load

    sources = []
    for name in wish.sources:
        options: dict[str, object] = of_plugin(wish.options, name)
        if wish.language is not None:
            options.setdefault("language", wish.language)
        if wish.ends is not None and "ends" in inspect.signature(load("asr", name)).parameters:
            options["ends"] = wish.ends
        sources.append(create("asr", name, **options))
    return sources


def ask(video: Video, sources: "Sequence[NarrationSource]", ends: Ends | None = None) -> Answer:
    """Ask the sources about a video. A failure is kept, and the next source is asked.

    Args:
        ends: a rule asked for, for the sources that do not know of rules.

    Raises:
        HowtoError: other than ItemError: a source cannot be used at all.
    """
    failure: ItemError | None = None
    for source in sources:
        try:
            narration = source.narrate(video)
        except ItemError as error:
            failure = failure or error
            continue
        except HowtoError:
            raise  # the source itself cannot be used (weights missing, say): no video's fault
        except Exception as error:  # noqa: BLE001 a source's bug costs one video, as a decoder's does
            detail = f"{type(error).__name__}: {error}"
            failure = failure or ItemError(Reason.INTERNAL_ERROR, detail)
            continue
        if narration is not None and narration.lines:
            if ends is not None and not hasattr(source, "ends"):
                narration = replace(narration, lines=with_ends(narration.lines, ends))
            return Answer(narration, source.name, _outcome(video, State.OK))
    if failure is not None:
        failed = _outcome(video, State.FAILED, failure.reason, failure.detail)
        return Answer(None, NO_SOURCE, failed)
    return Answer(None, NO_SOURCE, nothing_found(video, sources))


def nothing_found(video: Video, sources: "Sequence[NarrationSource]") -> Outcome:
    """The outcome of a video for which none of the sources has anything."""
    heard = [source.name for source in sources if source.listens]
    if not heard:
        return _outcome(video, State.SKIPPED, Reason.NO_NARRATION)
    detail = f"{' and '.join(heard)} heard no speech"
    return _outcome(video, State.SKIPPED, Reason.NOTHING_SAID, detail)


def _outcome(video: Video, state: State, reason: Reason | None = None, detail: str = "") -> Outcome:
    return Outcome(video.video_id, Stage.TRANSCRIBE, state, reason, detail)


def recipe_of(source: str, wish: Wish, companions: str) -> Recipe:
    """The recipe of a narration.

    Args:
        companions: the text that changes with the files beside the video. What is heard does not
            depend on them, so it counts for the quick sources alone.
    """
    parts: dict[str, object] = {**as_asked(source, wish, companions), "version": _VERSION}
    if wish.ends is not None:
        parts["ends"] = wish.ends
    if before := wish.sources[: wish.sources.index(source)] if source in wish.sources else ():
        parts[HAD_NOTHING] = [as_asked(one, wish, companions) for one in before]
    return Recipe.of(**parts)


def as_asked(source: str, wish: Wish, companions: str) -> dict[str, object]:
    """How one source is asked: all that may change whether it has anything.

    Args:
        companions: as for `recipe_of`.
    """
    parts: dict[str, object] = {"source": source}
    if source in (*QUICK_SOURCES, NO_SOURCE):
        parts["companions"] = companions
    if wish.language is not None:
        parts["language"] = wish.language
    given = of_plugin(wish.options, source).items()
    if options := {key: value for key, value in given if key not in _WHERE_NOT_WHAT}:
        parts["options"] = options
    return parts
