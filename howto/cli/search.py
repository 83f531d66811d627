"""`howto search`: moments for a query, shown, listed, cut out or opened."""

import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from howto.cli.console import (
    chosen_folder,
    errors,
    output,
    plain_table,
    print_json,
    print_paths,
    progress,
)
from howto.errors import UsageError
from howto.library import Library
from howto.search.filters import Filters, parse_date, parse_seconds
from howto.search.like import Like, parse_like
from howto.search.listen import Offer, listen
from howto.search.phrases import clock, in_one_line, named
from howto.search.pictures import PictureOffer, make_offered
from howto.search.query import Query
from howto.search.refresh import Refreshed, refresh
from howto.search.results import check_sheet, cut_hits, open_hit, write_sheet
from howto.search.search import Answer, Hit, ask, check_options
from howto.search.signals import AUTO, Opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table
    from rich.text import Text

__all__ = ["as_json", "search", "show_answer"]

EXIT_FAILED = 1
_LEAST_SAID = 24
"""Columns for what is said, without which ranks have none of their own and stand below the time."""
_NARROW = 72
"""Columns of a terminal below which a table has no room for what is said."""
MOST_CHARACTERS = 160
"""Of what is said in a moment, in the table; --json gives all of it."""
EXIT_STOPPED = 130


def search(
    query: Annotated[
        str | None, typer.Argument(help="What to look for. Any of its words may match.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of videos, by default this one.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The same as FOLDER.")
    ] = None,
    top: Annotated[int, typer.Option(help="The most moments to show.")] = 10,
    by: Annotated[
        str | None,
        typer.Option(
            help="Signals to rank by, with commas: words, meaning, pictures. By default what was "
            "measured to be best here, else words."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Whose pictures rank: a run or ready model, auto, or none.")
    ] = AUTO,
    like: Annotated[
        str | None,
        typer.Option(help="What it should look like: FILE.jpg or VIDEO@SECONDS.", metavar="WHAT"),
    ] = None,
    without: Annotated[
        str, typer.Option("--not", help="Words of what is not wanted.", metavar="WORDS")
    ] = "",
    video: Annotated[
        str | None, typer.Option(help="Only videos whose path matches this.", metavar="GLOB")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(help="Only videos published on this day or later.", metavar="DATE"),
    ] = None,
    longer_than: Annotated[
        str | None,
        typer.Option(
            help="Only videos whose whole length is more than this: seconds, or 1:30. Of the "
            "moments in them it says nothing.",
            metavar="TIME",
        ),
    ] = None,
    min_score: Annotated[
        float, typer.Option(help="Leave out moments that score lower, 0 to 1.")
    ] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    files: Annotated[
        bool, typer.Option("--files", help="Print the paths of the videos alone, each once.")
    ] = False,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="With --files: end each path in NUL, for xargs -0.")
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet of the moments: .png, .jpg or .webp.")
    ] = None,
    cut: Annotated[Path | None, typer.Option(help="Cut the moments out, into this folder.")] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="With --cut: to the frame, which encodes anew.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Play the best moment.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Look again at the files that failed.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do the slow work that is offered, without asking.")
    ] = False,
    no_slow: Annotated[bool, typer.Option("--no-slow", help="Never ask about slow work.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep what howto knows here instead of FOLDER/.howto.")
    ] = None,
) -> None:
    """Find the moments of your videos where something is said or shown.

    Looks at new and changed files first: the first search of a folder takes the longest.

    Example:  howto search "fold a shirt" my_videos/ --sheet hits.png
    """
    resembling = parse_like(like) if like is not None else None
    parsed = _query(query, folder, resembling)
    signals = None
    if by is not None:
        signals = tuple(name.strip() for name in by.split(",") if name.strip())
    check_options(top, signals, min_score, model=model, by_picture=resembling is not None)
    filters = Filters(
        video=video,
        after=parse_date(after) if after is not None else None,
        longer_than=parse_seconds(longer_than) if longer_than is not None else None,
    )
    if exact and cut is None:
        raise UsageError("--exact says how to cut; name a folder for the pieces with --cut DIR")
    if json and files:
        raise UsageError("--json and --files are two ways to print; take one")
    if null and not files:
        raise UsageError("--null says how paths end; ask for them with --files")
    if yes and no_slow:
        raise UsageError("--yes and --no-slow contradict each other")
    if sheet is not None:
        check_sheet(sheet)
    if query and folder is not None and not os.path.lexists(folder):
        raise UsageError(
            f"there is no folder {folder}. Words of a query stand in quotes: "
            f"howto search {quote(f'{query} {folder}')}"
        )
    place = chosen_folder(folder, library)
    with Library.open(place, state_dir) as opened:
        if opened.is_outside:
            errors.print(f"{opened.folder} is kept in {opened.state}", style="dim")
        refreshed = _refresh(opened, retry=retry)

        kept = Opened()

        def answer() -> Answer:
            with progress("Indexing") as show:
                return ask(
                    *(opened, parsed, place, refreshed),
                    top=top,
                    by=signals,
                    model=model,
                    min_score=min_score,
                    like=resembling,
                    without=without,
                    filters=filters,
                    opened=kept,
                    on_progress=show,
                    on_wait=_waiting,
                )

        try:
            found = answer()
            never = no_slow or json or files
            if found.picture_offer and _accepted_features(found.picture_offer, yes, never):
                _make_features(opened, found.picture_offer)
                found = answer()
        except KeyboardInterrupt:
            errors.print("Stopped. What was done is kept; run the same command to go on.")
            raise typer.Exit(EXIT_STOPPED) from None
        if found.offer and _accepted(found.offer, yes=yes, never=never):
            _listen(opened, found.offer, answer)
            found = answer()
    if json:
        print_json(as_json(found))
    elif files:
        print_paths([hit.path for hit in found.hits if hit.has_media], ends_in_null=null)
        _show_notes(found)
    else:
        show_answer(found)
    whole = _use(found, sheet, cut, exact=exact, open_best=open_)
    if not (found.videos and whole):
        raise typer.Exit(EXIT_FAILED)


def _query(text: str | None, folder: Path | None, like: Like | None) -> Query | None:
    """What is asked for in words; None where a picture alone is.

    Raises:
        UsageError: neither, or a folder where the words belong.
    """
    # Unlike Path.is_dir, this answers for any text, however long.
    is_folder = text is not None and folder is None and os.path.isdir(text)  # noqa: PTH112
    if like is None:
        # A word may be the name of a folder here as well.
        if is_folder and text is not None and (os.sep in text or not text.strip(".")):
            raise UsageError(
                f"{text} is a folder, and stands where words do; say what to look for: "
                f'howto search "fold a shirt" {quote(text)}'
            )
        return Query.parse(text or "")
    if is_folder:
        raise UsageError(
            f"{text} is a folder, and stands where words do. With --like alone name the folder "
            f"with -L: howto search --like {like.text} -L {text}"
        )
    return Query.parse(text) if text is not None and text.strip() else None


def as_json(answer: Answer) -> dict[str, object]:
    """The answer as scripts read it; times in seconds, paths relative to `library`."""
    return {
        "query": answer.query.text,
        "library": str(answer.folder),
        "signals": list(answer.signals),
        "hits": [
            {
                "video": hit.video,
                "start": round(hit.start, 3),
                "end": round(hit.end, 3),
                "score": round(hit.score, 4),
                "caption": hit.caption,
                "ranks": dict(hit.ranks),
                "matched": list(hit.matched),
                **({"address": hit.address} if hit.address else {}),
            }
            for hit in answer.hits
        ],
        "model": answer.model,
        "why": answer.why,
        "confident": answer.confident,
        "notes": list(answer.notes),
        "refreshed": {
            "new": answer.refreshed.new,
            "changed": answer.refreshed.changed,
            "renamed": answer.refreshed.renamed,
            "removed": answer.refreshed.removed,
        },
    }


def _refresh(library: Library, *, retry: bool) -> Refreshed:
    try:
        with progress("Looking at new files") as show:
            refreshed = refresh(library, retry=retry, on_progress=show, on_wait=_waiting)
    except KeyboardInterrupt:
        errors.print("Stopped. What was looked at is kept; run the same command to go on.")
        raise typer.Exit(EXIT_STOPPED) from None
    if refreshed.work_done:
        parts = [
            f"{count} {name}"
            for name, count in (
                ("new", refreshed.new),
                ("changed", refreshed.changed),
                ("renamed", refreshed.renamed),
                ("removed", refreshed.removed),
            )
            if count
        ]
        errors.print(f"Brought up to date: {', '.join(parts)}.", style="dim")
    return refreshed


def _waiting() -> None:
    errors.print("Another howto is looking at new files here; waiting for it.", style="dim")


def _accepted_features(offer: PictureOffer, yes: bool, never: bool) -> bool:
    if yes or never or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return yes
    question = f"{offer.subject}; make them now? ({offer.estimate})"
    return typer.confirm(question, default=True, err=True)


def _make_features(library: Library, offer: PictureOffer) -> None:
    with progress("Extracting") as show:
        make_offered(library, offer, on_progress=show, on_wait=_waiting)


def _accepted(offer: Offer, *, yes: bool, never: bool) -> bool:
    if offer.recogniser is None:
        return False
    if yes:
        return True
    if never or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"{offer.subject}; listen now with {offer.recogniser}? {offer.estimate}"
    return typer.confirm(question, default=True, err=True)


def _listen(library: Library, offer: Offer, answer: "Callable[[], Answer]") -> None:
    """Listen video by video; moments are shown as they come, and Ctrl-C keeps what was heard."""
    seen = {(hit.video, hit.start) for hit in answer().hits}
    try:
        with progress("Listening") as show:
            heard = listen(library, offer, on_wait=_waiting)
            for done, (path, _) in enumerate(heard, start=1):
                show(done, len(offer.numbers), path)
                for hit in answer().hits:
                    if (hit.video, hit.start) not in seen:
                        seen.add((hit.video, hit.start))
                        errors.print(f"{_where(hit)}  {hit.caption}")
    except KeyboardInterrupt:
        errors.print("Stopped listening. What was heard is kept; the same command goes on.")


def _where(hit: Hit) -> str:
    return f"{named(hit.video)} {clock(hit.start)}-{clock(hit.end)}"


def show_answer(answer: Answer, *, notes: bool = True) -> None:
    """Show the hits as a table on stdout, and the notes on stderr."""

    if answer.hits and output.width < _NARROW:
        _show_stacked(answer)
    elif answer.hits:
        output.print(_table(answer))
    if notes:
        _show_notes(answer)


def _table(answer: Answer) -> "Table":
    rows = [
        (str(number), f"{hit.score:.2f}", _link(hit), _moment(hit), _ranks(answer, hit))
        for number, hit in enumerate(answer.hits, start=1)
    ]
    video_width = _width_of([name.plain for _, _, name, _, _ in rows])
    # Ranks have a column of their own where that leaves room for what is said.
    ranks_width = max(len(", ".join(ranks)) for *_, ranks in rows)
    others = max(len(number) + len(moment) for number, _, _, moment, _ in rows) + len("score")
    gaps = 2 * 5
    is_wide = others + video_width + ranks_width + _LEAST_SAID + gaps <= output.width
    ranks_apart = ["ranks"] if ranks_width and is_wide else []
    names = ("", "score", "video", "moment", *ranks_apart, "said or named")
    table = plain_table(*names, right=("", "score"), whole=("", "score", "moment", "ranks"))
    table.columns[0].style = "dim"
    table.columns[2].width = video_width
    for hit, (number, score, name, moment, ranks) in zip(answer.hits, rows, strict=True):
        cells = [moment, ", ".join(ranks)] if ranks_apart else ["\n".join([moment, *ranks])]
        table.add_row(number, score, name, *cells, _highlighted(hit, answer.query))
    return table


def _moment(hit: Hit) -> str:
    return f"{clock(hit.start)} - {clock(hit.end)}"


def _ranks(answer: Answer, hit: Hit) -> list[str]:
    """The places of a hit by each signal, where there are several."""
    several = len(answer.signals) > 1
    return [f"{signal} {rank}" for signal, rank in hit.ranks.items()] if several else []


def _show_stacked(answer: Answer) -> None:
    """Show each hit in lines of its own, where columns have no room."""
    from rich.padding import Padding
    from rich.text import Text

    for number, hit in enumerate(answer.hits, start=1):
        facts = [f"{hit.score:.2f}", _moment(hit), *_ranks(answer, hit)]
        heading = Text(f"{number} ", style="dim")
        output.print(heading.append_text(_link(hit)))
        output.print(Padding("  ".join(facts), (0, 0, 0, 2)))
        output.print(Padding(_highlighted(hit, answer.query), (0, 0, 0, 2)))


def _show_notes(answer: Answer) -> None:
    if answer.model is not None or (answer.why and answer.signals):
        whose = f" of {answer.model}" if answer.model is not None else ""
        chosen = f"By {' and '.join(answer.signals)}{whose}"
        errors.print(
            f"{chosen}: {answer.why}" if answer.why else f"{chosen}.",
            style="dim",
        )
    for note in answer.notes:
        errors.print(f"Note: {note}")


def _width_of(names: Sequence[str]) -> int:
    """So many columns that names are whole, up to two fifths of the terminal."""
    from rich.cells import cell_len

    return min(max(cell_len("video"), *map(cell_len, names)), output.width * 2 // 5)


def _name(hit: Hit) -> str:
    """The video's name; of captions alone the address at the right second."""
    return named(hit.video if hit.has_media else hit.address)


def _link(hit: Hit) -> "Text":
    """The video's name, to be clicked."""
    from rich.text import Text

    is_link = hit.has_media and _is_text(hit)
    return Text(_name(hit), style=f"link {hit.path.as_uri()}" if is_link else "")


def _is_text(hit: Hit) -> bool:
    return hit.video.isprintable() and hit.video.isascii()


def _highlighted(hit: Hit, query: Query) -> "Text":
    from rich.text import Text

    caption = Text(in_one_line(_shortened(hit.caption)))
    caption.highlight_words(query.terms, style="bold", case_sensitive=False)
    if not caption.plain:
        caption.append("nothing is said", style="dim")
    if "narration" not in hit.matched:
        caption.append(f"  ({', '.join(hit.matched)})", style="dim")
    return caption


def _shortened(caption: str) -> str:
    """Cut between words; where these leave little, as in Chinese or Thai, between characters."""
    by_words = textwrap.shorten(caption, MOST_CHARACTERS, placeholder=" …")
    line = " ".join(caption.split())
    if len(line) <= MOST_CHARACTERS or len(by_words) >= MOST_CHARACTERS // 2:
        return by_words
    return f"{line[: MOST_CHARACTERS - 1]}…"


def _say_unused(sheet: Path | None, cut: Path | None, *, open_best: bool) -> None:
    """Say of each thing that was asked for that it was not done, for want of a moment."""
    if sheet is not None:
        errors.print(f"No moments: {sheet} was not written.")
    if cut is not None:
        errors.print(f"No moments: nothing was cut into {cut}.")
    if open_best:
        errors.print("No moments: there is nothing to play.")


def _use(
    answer: Answer, sheet: Path | None, cut: Path | None, *, exact: bool, open_best: bool
) -> bool:
    """Do with the moments what was asked for besides showing them.

    Returns:
        False if a part of it failed.
    """
    if not answer.hits:
        _say_unused(sheet, cut, open_best=open_best)
        return True
    problems: list[str] = []
    if sheet is not None:
        problems += write_sheet(answer, sheet)
        errors.print(f"Contact sheet: {sheet}")
    if cut is not None:
        if cut.resolve().is_relative_to(answer.folder):
            errors.print("The pieces lie in the library: the next search finds them too.")
        with progress("Cutting") as show:
            for done, piece in enumerate(cut_hits(answer, cut, exact=exact), start=1):
                show(done, len(answer.hits), piece.hit.video)
                if piece.path is None:
                    problems.append(piece.problem)
                else:
                    errors.print(f"Cut: {named(str(piece.path))}")
    if open_best:
        open_hit(answer.hits[0])
    for problem in problems:
        errors.print(f"Failed: {named(problem)}")
    return not problems
