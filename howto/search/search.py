"""The search stage: a query against a library, answered with moments. A notebook can call it as it
stands."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from howto.collect.kept import addresses_of, at_second
from howto.errors import ItemError, LibraryBusy, UsageError
from howto.library import Library
from howto.search import words
from howto.search.filters import Filters, allowed
from howto.search.fusion import fuse
from howto.search.like import Like, LikeMoment, combined, embed_like, moment_of
from howto.search.listen import Offer, offer
from howto.search.moments import Moment, join
from howto.search.phrases import counted, shown
from howto.search.pictures import PictureOffer, Pictures
from howto.search.query import Query
from howto.search.refresh import Progress, Refreshed, refresh
from howto.search.signals import (
    AUTO,
    SIGNALS,
    Chosen,
    Opened,
    as_measured,
    check_signals,
    choose_signals,
)
from howto.search.words import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from howto.search.meaning import Meaning
    from howto.search.vector_signal import VectorSignal

__all__ = ["SIGNALS", "Answer", "Hit", "ask", "check_options", "search"]

_SAID_WELL = 0.5
"""A line that scores this much by its words is a match, whatever is seen there."""


_BUSY = "{} did not rank: another howto is writing its index; search again when it is done"


@dataclass(frozen=True, slots=True)
class Hit:
    """A moment, named as a person names it.

    Attributes:
        video: path of the video, relative to the folder searched.
        path: the same, absolute.
        start, end: seconds.
        score: 0..1, the best that a signal gives it; of words see `howto.search.words`, of vectors
            `howto.search.calibrate`.
        caption: what is said there, or the name of the chapter or video that matched; '' where
            nothing is said.
        ranks: rank of its best line in every signal that ranked it, from 1.
        matched: where it was found: `narration`, `chapter`, `title`, `meaning`, `pictures`.
        address: where the moment is on the web, for a collected video; '' for others.
        has_media: False where only its captions were collected: `path` is then no file.
        at: the second that shows it best.
    """

    video: str
    path: Path
    start: float
    end: float
    score: float
    caption: str
    ranks: Mapping[str, int]
    matched: tuple[str, ...]
    address: str = ""
    has_media: bool = True
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search gives.

    Attributes:
        query: without terms where only a picture was asked for.
        folder: the folder searched.
        signals: those that ranked; of one that was asked for and did not, `notes` say why.
        notes: what the person should know beside the hits, one sentence each.
        refreshed: what was brought up to date first.
        videos: how many videos with a picture the folder holds.
        offer: slow work that would find more, or None.
        model: whose pictures ranked, or None.
        why: why these signals, where howto chose them; else ''.
        confident: False where the hits are the nearest there are, and no match.
        picture_offer: features that would find more, or None.
    """

    query: Query
    folder: Path
    signals: tuple[str, ...]
    hits: tuple[Hit, ...]
    notes: tuple[str, ...]
    refreshed: Refreshed
    videos: int
    offer: Offer | None = field(default=None)
    model: str | None = None
    why: str = ""
    confident: bool = True
    picture_offer: PictureOffer | None = None


def search(
    query: str,
    folder: str | Path = ".",
    *,
    top: int = 10,
    by: Sequence[str] | None = None,
    model: str = AUTO,
    min_score: float = 0.0,
    like: Like | None = None,
    without: str = "",
    filters: Filters = Filters(),
    state_dir: Path | None = None,
    on_progress: Progress | None = None,
) -> Answer:
    """Bring the library of a folder up to date, and find moments in it.

    Args:
        query: any string; any of its words may match, rare ones count more. '' where `like` is
            all that is asked for.
        folder: the folder of videos, or one inside it: then only what lies in that one is found.
        top: the most hits wanted.
        by: signals to rank by; None: those that were measured to be best here, else words.
        model: whose pictures rank: a run, a ready model, `auto` or `none`.
        min_score: leave out hits below it, 0..1.
        like: a picture that hits should look like (`howto.search.like.parse_like`).
        without: words of what is not wanted.
        filters: which videos to look at.
        state_dir: where to keep the state instead of `.howto` in the folder.
        on_progress: told of every file that is looked at, and of every video embedded.

    Raises:
        UsageError: the query is empty, the folder is missing, or a signal or model is unknown.
        PluginError: a model or encoder that was asked for cannot be had.
        LibraryError: the library cannot be used.
    """
    parsed = Query.parse(query) if query.strip() or like is None else None
    check_options(top, by, min_score, model=model, by_picture=like is not None)
    with Library.open(Path(folder), state_dir) as library:
        refreshed = refresh(library, on_progress=on_progress)
        return ask(
            *(library, parsed, Path(folder), refreshed),
            top=top,
            by=by,
            model=model,
            min_score=min_score,
            like=like,
            without=without,
            filters=filters,
            on_progress=on_progress,
        )


def check_options(
    top: int,
    by: Sequence[str] | None,
    min_score: float,
    *,
    model: str = AUTO,
    by_picture: bool = False,
) -> None:
    """Refuse what cannot mean anything, before any work is done.

    Raises:
        UsageError: with what was expected.
    """
    check_signals(by, model, by_picture=by_picture)
    if top < 1:
        raise UsageError(f"--top is {top}; ask for at least 1 hit")
    if not 0 <= min_score <= 1:
        raise UsageError(f"--min-score is {min_score:g}; scores lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a library, all of it.

    Attributes:
        query: None where only a picture is.
    """

    query: Query | None
    folder: Path
    top: int
    min_score: float
    like: Like | None
    without: Query | None
    filters: Filters

    @property
    def shown(self) -> Query:
        """The query as people see it."""
        if self.query is not None:
            return self.query
        return Query(self.like.text if self.like else "", ())


@dataclass(frozen=True, slots=True)
class _Ready:
    """Signals that are up to date; None for those that do not rank."""

    pictures: Pictures | None
    meaning: "Meaning | None"

    @property
    def vectors(self) -> "list[VectorSignal]":
        return [one.signal for one in (self.pictures, self.meaning) if one is not None]


def ask(
    library: Library,
    query: Query | None,
    folder: Path,
    refreshed: Refreshed | None = None,
    *,
    top: int = 10,
    by: Sequence[str] | None = None,
    model: str = AUTO,
    min_score: float = 0.0,
    like: Like | None = None,
    without: str = "",
    filters: Filters = Filters(),
    opened: Opened | None = None,
    on_progress: Progress | None = None,
    on_wait: Callable[[], None] | None = None,
    wait: float | None = None,
) -> Answer:
    """Find moments in a library as it stands.

    Args:
        query: None where `like` is all that is asked for.
        folder: the library's folder, or one inside it to which the hits are restricted.
        refreshed: what was brought up to date before, to be passed on.
        opened: signals kept open from one call to the next.
        on_progress, on_wait: of bringing the signals' indexes up to date.
        wait: the most seconds that another process which writes an index is waited for; then a
            signal ranks by what its index held before, or not at all, and a note says so. None: an
            hour, and then it is an error.
        top, by, model, min_score, like, without, filters: as in `search`.

    Raises:
        As `search` does.
    """
    if query is None and like is None:
        raise UsageError("nothing is asked for: neither words nor a picture")
    asked = _Asked(
        *(query, folder.resolve(), top, min_score, like),
        without=Query.parse(without) if without.strip() else None,
        filters=filters,
    )
    text, by_picture = query is not None, like is not None
    chosen = choose_signals(library, by, model, text=text, by_picture=by_picture, folder=folder)
    kept = opened if opened is not None else Opened()
    pictures = meaning = None
    notes = []
    if chosen.model is not None and "pictures" in chosen.signals:
        seer = kept.models.opened(library, chosen.model)
        # Before its index is made, which may take long.
        chosen = as_measured(library, chosen, seer.recipe, folder)
        if "pictures" in chosen.signals:
            try:
                pictures = kept.pictures(library, seer, on_progress, on_wait, wait)
            except LibraryBusy:
                if wait is None:
                    raise
                notes.append(_BUSY.format("pictures"))
    if "meaning" in chosen.signals:
        try:
            meaning = kept.meaning(library, on_progress, on_wait, wait)
        except LibraryBusy:
            if wait is None:
                raise
            notes.append(_BUSY.format("meaning"))
    chosen = replace(chosen, notes=(*chosen.notes, *notes))
    ready = _Ready(pictures, meaning)
    with library.reading():
        return _answer(library, asked, chosen, ready, refreshed or Refreshed(), folder)


def _answer(
    library: Library,
    asked: _Asked,
    chosen: Chosen,
    ready: _Ready,
    refreshed: Refreshed,
    folder: Path,
) -> Answer:
    everything, names = _looked_at(library, asked)
    rankings, seen = _rankings(library, asked, chosen, ready, names)
    moment = seen.moment if seen is not None else None
    itself = moment.number if moment is not None else None
    moments = join(fuse(rankings, key=lambda one: one.key), asked.top)
    addresses = addresses_of(library, {moment.number for moment in moments})
    listening = offer(library, set(names))
    pictures = ready.pictures
    # A video that is asked with has to be seen, whether or not it passes the filters.
    wanted = {*names, *([itself] if itself is not None else [])}
    pictured = pictures.offer(library, wanted) if pictures is not None else None
    confident = _is_confident(rankings, itself)
    notes = [*chosen.notes, *(seen.notes if seen is not None else ())]
    if everything:
        notes += _signal_notes(ready, rankings.keys(), is_picture=asked.like is not None)
    if asked.without is not None and not asked.without.terms:
        notes.append(f"there is no word in --not {asked.without.text!r}: nothing is left out")
    if everything and not names:
        notes.append(f"none of {counted(len(everything), 'video')} passes the filters")
    if moments and not confident:
        elsewhere = " in another video" if itself is not None else ""
        notes.append(
            f"no confident match for {asked.shown.text!r}{elsewhere}: these are the nearest"
        )
    notes += _notes(library, asked, folder, everything, refreshed, bool(moments), listening)
    if pictured is not None:
        notes.append(pictured.note(folder))
    return Answer(
        query=asked.shown,
        folder=asked.folder,
        signals=tuple(rankings),
        hits=tuple(_hit(moment, names, addresses, asked.folder) for moment in moments),
        notes=tuple(notes),
        refreshed=refreshed,
        videos=_count(library, everything, "outcomes WHERE stage = 'probe' AND state = 'ok'"),
        offer=listening,
        model=chosen.model if "pictures" in rankings else None,
        why=chosen.why,
        confident=confident or not moments,
        picture_offer=pictured,
    )


# --- ranking ---


def _rankings(
    library: Library,
    asked: _Asked,
    chosen: Chosen,
    ready: _Ready,
    names: Mapping[int, str],
) -> "tuple[dict[str, list[Candidate]], _PictureQuery | None]":
    """What each signal that ranked puts forward, best first; and what is asked of pictures.

    Args:
        names: of the videos looked at.
    """
    excluded = words.clips_saying(library.connection, asked.without) if asked.without else set()
    seen = None
    if ready.pictures is not None:
        seen = _picture_query(library, asked, ready.pictures)
    rankings: dict[str, list[Candidate]] = {}
    for signal in chosen.signals:
        found = _ranked(library, asked, ready, signal, seen, names, excluded)
        if found is not None:
            rankings[signal] = [
                one for one in found if one.number in names and one.score >= asked.min_score
            ]
    if seen is not None and seen.moment is not None:
        rankings = {name: _but(seen.moment, found) for name, found in rankings.items()}
    return rankings, seen


def _ranked(
    library: Library,
    asked: _Asked,
    ready: _Ready,
    signal: str,
    seen: "_PictureQuery | None",
    names: Mapping[int, str],
    excluded: Set[int],
) -> list[Candidate] | None:
    """What one signal puts forward, best first; None where it has no query, or nothing to rank.

    Args:
        seen: what is asked of the model of pictures.
        names: of the videos looked at.
        excluded: keys of clips that are not wanted.
    """
    if signal == "words":
        if asked.query is None or not asked.query.terms:
            return None
        found = words.rank(
            *(library.connection, asked.query),
            among=_among(library, names),
            without=excluded,
            unnamed=asked.without,
        )
        return sorted(found, key=lambda one: (-one.score, names.get(one.number, ""), one.start))
    if signal == "meaning" and ready.meaning is not None and asked.query is not None:
        vectors, is_picture = ready.meaning.signal, False
        query = _without(ready.meaning, [ready.meaning.embed(asked.query.text)], asked)
    elif ready.pictures is not None and seen is not None and seen.vector is not None:
        vectors, is_picture, query = ready.pictures.signal, seen.is_picture, seen.vector
    else:
        return None
    if vectors.index is None:
        return None
    return vectors.rank(
        library,
        query,
        video_ids=_ids(library, names),
        without=excluded,
        is_picture=is_picture,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _PictureQuery:
    """What is asked of a model of pictures.

    Attributes:
        vector: float32 (D,); None where it understands nothing of what is asked, or has no features
            of what it should look like.
        is_picture: a picture is a part of it.
        moment: where in the library the picture is from.
        notes: what it does not understand.
    """

    vector: "NDArray[np.float32] | None"
    is_picture: bool
    moment: LikeMoment | None
    notes: tuple[str, ...]


def _picture_query(library: Library, asked: _Asked, pictures: Pictures) -> _PictureQuery:
    """Put words, picture and what is not wanted into one vector, as far as the model knows them."""
    wanted, unwanted, notes, moment = [], None, [], None
    if asked.query is not None:
        left = "pictures did not rank" if asked.like is None else "pictures rank by --like alone"
        notes += _unknown(pictures, asked.query, "", left)
        if pictures.knows(asked.query.text):
            wanted.append(pictures.embed(asked.query.text))
    if asked.like is not None:
        moment = moment_of(library, asked.like, asked.folder)
        if moment is not None and library.video_id(moment.number) in pictures.missing:
            path = library.paths_of(moment.number)[0]
            lacking = f"{path} has no features for {pictures.model.name}: pictures did not rank"
            return _PictureQuery(None, True, moment, (lacking,))
        wanted.append(_embedded(library, pictures, asked.like, moment))
    if asked.without is not None and asked.without.terms:
        notes += _unknown(pictures, asked.without, "--not ", "pictures rank without it")
        if pictures.knows(asked.without.text):
            unwanted = pictures.embed(asked.without.text)
    query = combined(wanted, unwanted) if wanted else None
    return _PictureQuery(query, asked.like is not None, moment, tuple(notes))


def _embedded(
    library: Library, pictures: Pictures, like: Like, moment: LikeMoment | None
) -> "NDArray[np.float32]":
    """What hits should look like, as float32 (D,).

    Raises:
        UsageError: it cannot be seen.
    """
    try:
        return embed_like(library, pictures.model, like, moment)
    except ItemError as error:
        told = str(error)
        if moment is not None:
            # Nobody knows a video by its hash.
            video_id, path = library.video_id(moment.number), library.paths_of(moment.number)[0]
            told = told.replace(f"video {video_id}", path)
        raise UsageError(f"--like {like.text}: {told}") from error


def _unknown(pictures: Pictures, query: Query, option: str, left: str) -> list[str]:
    """What of a query the model does not know, one sentence.

    Args:
        option: that it was given with, and a space; '' for the query itself.
        left: what follows where it knows nothing of it.
    """
    name = pictures.model.name
    if not pictures.knows(query.text):
        return [f"{name} knows no word of {option}{query.text!r}: {left}"]
    unknown = pictures.unknown_words(query)
    if not unknown:
        return []
    words = ", ".join(map(repr, unknown))
    pronoun = "it" if len(unknown) == 1 else "them"
    return [
        f"{name} does not know {words} of {option}{query.text!r}: pictures rank without {pronoun}"
    ]


def _without(
    meaning: "Meaning", wanted: "list[NDArray[np.float32]]", asked: _Asked
) -> "NDArray[np.float32]":
    """One vector to ask for, away from what is not wanted."""
    unwanted = None
    if asked.without is not None and asked.without.terms:
        unwanted = meaning.embed(asked.without.text)
    return combined(wanted, unwanted)


def _among(library: Library, names: Mapping[int, str]) -> Set[int] | None:
    """The numbers of the videos looked at; None: all there are."""
    query = "SELECT count(DISTINCT number) FROM files"
    (count,) = library.connection.execute(query).fetchone()
    return None if count == len(names) else names.keys()


def _ids(library: Library, names: Mapping[int, str]) -> set[str] | None:
    """The ids of the videos looked at; None: all there are."""
    rows = library.connection.execute(
        "SELECT number, video_id FROM videos WHERE number IN (SELECT number FROM files)"
    ).fetchall()
    if len(rows) == len(names):
        return None
    return {video_id for number, video_id in rows if number in names}


def _but(moment: LikeMoment, found: list[Candidate]) -> list[Candidate]:
    """Without the clips that hold the moment asked with: they are like themselves."""
    number, at = moment.number, moment.seconds
    return [one for one in found if one.number != number or not one.start <= at <= one.end]


def _is_confident(rankings: Mapping[str, Sequence[Candidate]], itself: int | None) -> bool:
    """A clip is said well, or stands out as few unrelated queries would let it.

    All that was ranked counts, however few moments are shown: a library holds a match or not.

    Args:
        itself: the video that is asked with. Its clips are like each other, whatever they show: a
            match is in another.
    """
    said = max((one.score for one in rankings.get("words", ())), default=0.0)
    vectors = [found for signal, found in rankings.items() if signal != "words"]
    if said >= _SAID_WELL or not vectors:
        return said >= _SAID_WELL
    from howto.search.calibrate import CONFIDENT

    near = (one.score for found in vectors for one in found if one.number != itself)
    return max(near, default=0.0) >= CONFIDENT


def _signal_notes(ready: _Ready, ranked: Set[str], *, is_picture: bool) -> list[str]:
    """What happened while the signals were brought up to date, and what their scores are worth.

    Args:
        ranked: the signals that did.
        is_picture: the query of pictures is one.
    """
    notes = []
    for signal in ready.vectors:
        if signal.index is None:
            notes.append(f"{signal.name} did not rank: there is nothing here that it could rank")
        if signal.brought.is_behind:
            notes.append(
                f"another howto is writing the index of {signal.name}: what is new since it began "
                "is not found by it yet"
            )
        if signal.brought.renewed:
            notes.append(f"the index of {signal.name} was made anew; {signal.brought.renewed}")
        if failed := signal.brought.failed:
            notes.append(
                f"{counted(len(failed), 'video')} could not be searched by {signal.name}: "
                f"{failed[0][1]}"
            )
        by_picture = is_picture and signal.name == "pictures"
        if signal.name in ranked and not signal.is_measured(by_picture):
            notes.append(
                f"scores of {signal.name} are rough: there is too little here to measure what "
                "unrelated queries find"
            )
    return notes


# --- showing ---


def _looked_at(library: Library, asked: _Asked) -> tuple[dict[int, str], dict[int, str]]:
    """The name of each video inside the folder searched, and of those that pass the filters: a name
    that matches their glob, where one does."""
    inside = PurePosixPath(asked.folder.relative_to(library.folder).as_posix())
    prefix = "" if inside == PurePosixPath(".") else f"{inside}/"
    paths, glob = _names(library, prefix), asked.filters.video
    everything = {number: names[0] for number, names in paths.items()}
    if asked.filters.ask_nothing:
        return everything, everything
    passing = allowed(library, asked.filters, paths)
    names = {number: name for number, name in everything.items() if number in passing}
    if glob is not None:
        for number in names:
            of_glob = (
                one
                for one in paths[number]
                if fnmatchcase(one, glob) or fnmatchcase(prefix + one, glob)
            )
            names[number] = next(of_glob, names[number])
    return everything, names


def _names(library: Library, prefix: str) -> dict[int, list[str]]:
    """The paths of each video inside a folder, relative to it.

    Args:
        prefix: of these paths in the library: the folder and a slash, or ''.
    """
    names: dict[int, list[str]] = {}
    for number, paths in library.paths().items():
        within = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
        if within:
            names[number] = within
    return names


def _hit(
    moment: Moment,
    names: Mapping[int, str],
    addresses: Mapping[int, tuple[str, bool]],
    folder: Path,
) -> Hit:
    video = names[moment.number]
    address, has_media = addresses.get(moment.number, ("", True))
    return Hit(
        video=video,
        path=folder / video,
        start=moment.start,
        end=moment.end,
        score=moment.score,
        caption=moment.caption,
        ranks=moment.ranks,
        matched=moment.matched,
        address=at_second(address, moment.start) if address else "",
        has_media=has_media,
        at=moment.at,
    )


def _count(library: Library, names: Mapping[int, str], rows: str) -> int:
    """How many of these videos have such a row."""
    numbers = library.connection.execute(f"SELECT DISTINCT number FROM {rows}")  # noqa: S608
    return sum(number in names for (number,) in numbers)


def _notes(
    library: Library,
    asked: _Asked,
    folder: Path,
    names: Mapping[int, str],
    refreshed: Refreshed,
    found: bool,
    listening: Offer | None,
) -> list[str]:
    notes = [f"the folder {shown(Path(path))} cannot be read" for path in refreshed.unreadable]
    if not names:
        return [*notes, f"there are no videos in {shown(folder)}"]
    if asked.query is not None and not asked.query.terms:
        notes.append(f"there is no word in {asked.query.text!r} to look for")
    elif not found:
        notes.append(f"no moment matches {asked.shown.text!r}")
    if failed := _count(library, names, "outcomes WHERE state = 'failed'"):
        files = counted(failed, "file")
        notes.append(f"{files} could not be read; howto status {shown(folder)} says why")
    if damaged := _count(library, names, "narrations WHERE problems <> '[]'"):
        files = counted(damaged, "caption file")
        notes.append(
            f"a part of {files} could not be read; howto status {shown(folder)} says which"
        )
    if listening is not None:
        notes.append(listening.note(folder))
    mute = _count(library, names, _MUTE)
    if mute and not found:
        notes.append(
            f"{counted(mute, 'video')} without sound cannot be listened to: "
            f"put captions beside {'it' if mute == 1 else 'them'} (VIDEO.en.vtt)"
        )
    return notes


_MUTE = (
    "outcomes JOIN videos USING (number) WHERE reason = 'no_narration'"
    " AND NOT json_extract(info, '$.has_audio')"
)
