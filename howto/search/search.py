"""The search stage: a query against a library, answered with moments. A notebook can call it as it
stands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from howto.collect.kept import addresses_of, at_second
from howto.errors import UsageError
from howto.library import Library
from howto.search import words
from howto.search.fusion import fuse
from howto.search.listen import Offer, offer
from howto.search.moments import Moment, join
from howto.search.phrases import counted, shown
from howto.search.query import Query
from howto.search.refresh import Progress, Refreshed, refresh
from howto.search.words import Candidate

__all__ = ["SIGNALS", "Answer", "Hit", "ask", "check_options", "search"]

SIGNALS: Mapping[str, Callable[[Library, Query], list[Candidate]]] = {
    "words": lambda library, query: words.rank(library.connection, query),
}
"""Signal to the function that ranks a library's spans by it. Fusion takes any number of them."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A moment, named as a person names it.

    Attributes:
        video: path of the video, relative to the folder searched.
        path: the same, absolute.
        start, end: seconds.
        score: 0..1; see `howto.search.words`.
        caption: what is said there, or the name of the chapter or video that matched.
        ranks: rank of its best line in every signal that ranked it, from 1.
        matched: where the words were found: `narration`, `chapter`, `title`.
        address: where the moment is on the web, for a collected video; '' for others.
        has_media: False where only its captions were collected: `path` is then no file.
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search gives.

    Attributes:
        folder: the folder searched.
        signals: those that ranked.
        notes: what the person should know beside the hits, one sentence each.
        refreshed: what was brought up to date first.
        videos: how many videos with a picture the folder holds.
        offer: slow work that would find more, or None.
    """

    query: Query
    folder: Path
    signals: tuple[str, ...]
    hits: tuple[Hit, ...]
    notes: tuple[str, ...]
    refreshed: Refreshed
    videos: int
    offer: Offer | None = field(default=None)


def search(
    query: str,
    folder: str | Path = ".",
    *,
    top: int = 10,
    by: Sequence[str] = ("words",),
    min_score: float = 0.0,
    state_dir: Path | None = None,
    on_progress: Progress | None = None,
) -> Answer:
    """Bring the library of a folder up to date, and find moments in it.

    Args:
        query: any string; any of its words may match, rare ones count more.
        folder: the folder of videos, or one inside it: then only what lies in that one is found.
        top: the most hits wanted.
        by: signals to rank by.
        min_score: leave out hits below it, 0..1.
        state_dir: where to keep the state instead of `.howto` in the folder.
        on_progress: told of every file that is looked at.

    Raises:
        UsageError: the query is empty, the folder is missing, or a signal is unknown.
        LibraryError: the library cannot be used.
    """
    parsed = Query.parse(query)
    check_options(top, by, min_score)
    with Library.open(Path(folder), state_dir) as library:
        refreshed = refresh(library, on_progress=on_progress)
        return ask(library, parsed, Path(folder), refreshed, top=top, by=by, min_score=min_score)


def check_options(top: int, by: Sequence[str], min_score: float) -> None:
    """Refuse what cannot mean anything, before any work is done.

    Raises:
        UsageError: with what was expected.
    """
    unknown = [name for name in by if name not in SIGNALS]
    if unknown or not by:
        raise UsageError(
            f"cannot search by {', '.join(unknown) or 'nothing'}. "
            f"Signals there are: {', '.join(SIGNALS)}"
        )
    if top < 1:
        raise UsageError(f"--top is {top}; ask for at least 1 hit")
    if not 0 <= min_score <= 1:
        raise UsageError(f"--min-score is {min_score:g}; scores lie between 0 and 1")


def ask(
    library: Library,
    query: Query,
    folder: Path,
    refreshed: Refreshed | None = None,
    *,
    top: int = 10,
    by: Sequence[str] = ("words",),
    min_score: float = 0.0,
) -> Answer:
    """Find moments in a library as it stands.

    Args:
        folder: the library's folder, or one inside it to which the hits are restricted.
        refreshed: what was brought up to date before, to be passed on.
        top, by, min_score: as in `search`.
    """
    with library.reading():
        return _answer(library, query, folder, refreshed or Refreshed(), top, by, min_score)


def _answer(
    library: Library,
    query: Query,
    folder: Path,
    refreshed: Refreshed,
    top: int,
    by: Sequence[str],
    min_score: float,
) -> Answer:
    names = _names(library, folder.resolve())
    rankings = {
        signal: _in_order(SIGNALS[signal](library, query), names, min_score)
        for signal in dict.fromkeys(by)
    }
    moments = join(fuse(rankings, key=lambda one: one.key), top)
    addresses = addresses_of(library, {moment.number for moment in moments})
    listening = offer(library, set(names))
    return Answer(
        query=query,
        folder=folder.resolve(),
        signals=tuple(rankings),
        hits=tuple(_hit(moment, names, addresses, folder.resolve()) for moment in moments),
        notes=tuple(
            _notes(library, query, folder, names, refreshed, found=bool(moments), offer=listening)
        ),
        refreshed=refreshed,
        videos=_count(library, names, "outcomes WHERE stage = 'probe' AND state = 'ok'"),
        offer=listening,
    )


def _in_order(
    candidates: Sequence[Candidate], names: Mapping[int, str], min_score: float
) -> list[Candidate]:
    """The candidates inside the folder, best first; of equal ones the path decides, then the time.

    Numbers would not do: they follow the order in which the workers were done.
    """
    inside = (one for one in candidates if one.number in names and one.score >= min_score)
    return sorted(inside, key=lambda one: (-one.score, names[one.number], one.start))


def _names(library: Library, folder: Path) -> dict[int, str]:
    """The path of each video inside the folder, relative to it."""
    inside = PurePosixPath(folder.relative_to(library.folder).as_posix())
    prefix = "" if inside == PurePosixPath(".") else f"{inside}/"
    names: dict[int, str] = {}
    for number, paths in library.paths().items():
        within = [path for path in paths if path.startswith(prefix)]
        if within:
            names[number] = within[0].removeprefix(prefix)
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
    )


def _count(library: Library, names: Mapping[int, str], rows: str) -> int:
    """How many of these videos have such a row."""
    numbers = library.connection.execute(f"SELECT DISTINCT number FROM {rows}")  # noqa: S608
    return sum(number in names for (number,) in numbers)


def _notes(
    library: Library,
    query: Query,
    folder: Path,
    names: Mapping[int, str],
    refreshed: Refreshed,
    *,
    found: bool,
    offer: Offer | None,
) -> list[str]:
    notes = [f"the folder {shown(Path(path))} cannot be read" for path in refreshed.unreadable]
    if not names:
        return [*notes, f"there are no videos in {shown(folder)}"]
    if not query.terms:
        notes.append(f"there is no word in {query.text!r} to look for")
    elif not found:
        notes.append(f"no moment matches {query.text!r}")
    if failed := _count(library, names, "outcomes WHERE state = 'failed'"):
        files = counted(failed, "file")
        notes.append(f"{files} could not be read; howto status {shown(folder)} says why")
    if damaged := _count(library, names, "narrations WHERE problems <> '[]'"):
        files = counted(damaged, "caption file")
        notes.append(
            f"a part of {files} could not be read; howto status {shown(folder)} says which"
        )
    if offer is not None:
        notes.append(offer.note(folder))
    mute = _count(library, names, _MUTE)
    if mute and not found:
        notes.append(
            f"{counted(mute, 'video')} without sound cannot be listened to: "
            "put captions beside them (VIDEO.en.vtt)"
        )
    return notes


_MUTE = (
    "outcomes JOIN videos USING (number) WHERE reason = 'no_narration'"
    " AND NOT json_extract(info, '$.has_audio')"
)
