"""A search as the page reads it: the hits of `howto.search`, each with the id of its video."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from howto import plugins
from howto.errors import UsageError
from howto.joint.known import known_models
from howto.joint.places import what_there_is
from howto.library import Library
from howto.search.filters import Filters, parse_date
from howto.search.like import Like
from howto.search.meaning import ENCODER
from howto.search.phrases import named, shown
from howto.search.pictures import models_in_use
from howto.search.query import Query
from howto.search.refresh import Progress
from howto.search.search import Answer, Hit, ask, check_options
from howto.search.signals import AUTO, NO_MODEL, Opened, choose_signals
from howto.serve.settings import Settings
from howto.serve.videos import place_of

__all__ = ["Search", "answer", "by_words_alone", "check_model", "ways_to_search"]


_WAIT = 5.0  # seconds for another process that writes an index: others wait for the same thread


@dataclass(frozen=True, slots=True)
class Search:
    """What a client asks for.

    Attributes:
        query: None where only a picture is.
        by: signals; None: whichever are best here.
        like: id of a video and seconds: hits should look like that moment; None: nothing.
    """

    query: Query | None
    top: int
    by: tuple[str, ...] | None
    model: str
    min_score: float
    without: str
    filters: Filters
    like: tuple[str, float] | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Search":
        """Read what was said in an address.

        Raises:
            UsageError: nothing is asked for, or it means nothing.
        """
        like = (values["like"], values["at"]) if values["like"] else None
        named_signals = tuple(one.strip() for one in values["by"].split(",") if one.strip())
        search = cls(
            query=Query.parse(values["q"]) if values["q"].strip() or like is None else None,
            top=values["top"],
            by=named_signals or None,
            model=values["model"],
            min_score=values["min_score"],
            without=values["without"],
            filters=Filters(
                video=values["video"] or None,
                after=parse_date(values["after"]) if values["after"] else None,
                longer_than=values["longer_than"] or None,
            ),
            like=like,
        )
        check_options(
            search.top, search.by, search.min_score, model=search.model, by_picture=bool(like)
        )
        return search


def check_model(library: Library, name: str) -> None:
    """Refuse what is no name of a model here. A client names no folder: not even one of a run.

    Args:
        name: '' and the words for whichever is best, and for none, pass.

    Raises:
        UsageError: it is no run of this library, and no ready model that is known.
    """
    if name in ("", AUTO, NO_MODEL):
        return
    if not (name in models_in_use(library) or name in _known_names(library)):
        raise UsageError(f"no model named {name!r}. {what_there_is(library)}")


def _known_names(library: Library) -> list[str]:
    return [one.name for one in known_models(library) if one.kind != "checkpoint"]


def by_words_alone(library: Library, search: Search) -> bool:
    """Whether nothing has to be loaded to answer.

    Raises:
        UsageError: it cannot be told which model is meant, or it is none of those here.
    """
    check_model(library, search.model)
    chosen = choose_signals(
        library, search.by, search.model, text=bool(search.query), by_picture=bool(search.like)
    )
    return chosen.signals == ("words",)


def answer(
    library: Library,
    settings: Settings,
    search: Search,
    opened: Opened | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Find moments in the library as it stands. Times in seconds.

    Args:
        opened: signals kept open from one search to the next.
        on_progress: told of every video that is made searchable by a signal first.

    Raises:
        UsageError: an option means nothing here.
        PluginError: a model or an encoder that was asked for cannot be had.
        NoVideo: what hits should look like is not here.
    """
    found = ask(
        library,
        search.query,
        settings.folder,
        top=search.top,
        by=search.by,
        model=search.model,
        min_score=search.min_score,
        like=_like(library, settings, search.like),
        without=search.without,
        filters=search.filters,
        opened=opened,
        on_progress=on_progress,
        wait=_WAIT,
    )
    return _as_json(library, settings, found)


def _like(library: Library, settings: Settings, like: tuple[str, float] | None) -> Like | None:
    """A moment of a video. A client names no file: not even one that is only looked at."""
    if like is None:
        return None
    name = place_of(library, settings, like[0]).name
    return Like(f"{named(name)}@{like[1]:g}", Path(name), like[1])


def _as_json(library: Library, settings: Settings, found: Answer) -> dict[str, Any]:
    # Where the folder lies on this machine is nobody's business who looks from another.
    place, name = shown(settings.folder), shown(Path(settings.folder.name))
    return {
        "query": found.query.text,
        "terms": list(found.query.terms),
        "signals": list(found.signals),
        "model": found.model or "",
        "why": found.why,
        "confident": found.confident,
        "videos": found.videos,
        "hits": [_hit(library, hit) for hit in found.hits],
        "notes": [note.replace(place, name) for note in found.notes],
    }


def _hit(library: Library, hit: Hit) -> dict[str, Any]:
    inside = hit.path.is_relative_to(library.folder)
    path = hit.path.relative_to(library.folder) if inside else hit.path
    number = library.number_of_file(path.as_posix())
    return {
        "video_id": library.video_id(number) if number is not None else "",
        "video": named(hit.video),
        "start": round(hit.start, 3),
        "end": round(hit.end, 3),
        "at": round(hit.at, 3),
        "score": round(hit.score, 4),
        "caption": hit.caption,
        "ranks": dict(hit.ranks),
        "matched": list(hit.matched),
        "address": hit.address,
        "has_media": hit.has_media,
    }


def ways_to_search(library: Library) -> dict[str, list[str]]:
    """The signals and models that can be asked for here. Nothing is loaded."""
    models = models_in_use(library)
    encoders = {one.name for one in plugins.installed("text_encoders")}
    signals = ["words"]
    if ENCODER in encoders:
        signals.append("meaning")
    if models:
        signals.append("pictures")
    return {"signals": signals, "models": list(models)}
