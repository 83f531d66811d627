"""`howto collect`: from a list of tasks to a library, politely, over weeks."""

import inspect
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from howto.cli.collect_report import local_time, show_report, tell_parked
from howto.cli.console import errors, output, plain_table, print_json, progress
from howto.collect.ledger import Ledger, Parked, Step
from howto.collect.place import measured
from howto.collect.plan import Plan, plan
from howto.collect.rules import (
    GIB,
    License,
    Rules,
    is_excluded,
    made_of,
    own_rules,
    remember,
    remembered,
    together,
)
from howto.collect.stage import KEPT, Collected, Event
from howto.collect.stage import collect as collect_videos
from howto.collect.tasks import Judged, judge_all, read_ids, read_tasks
from howto.errors import NoLibrary, Reason, UsageError
from howto.library import Library
from howto.search.phrases import about, counted, named

if TYPE_CHECKING:
    from howto.contracts import Source

__all__ = ["collect"]

EXIT_FAILED = 1
EXIT_PARKED = 3
EXIT_STOPPED = 130
MOST_SHOWN = 20
LISTS = {"csv": "howto100m-csv", "ids": "youtube", "urls": "urls", "folder": "folder"}
"""The option that names a list, and the source that reads it."""
EVERY = 100
"""Videos between two lines of progress where stderr is no terminal."""


def collect(
    library: Annotated[
        Path | None, typer.Option("--library", "-L", help="The folder of the library.")
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option(help="Tasks to search for: one a line, or a .csv or .tsv.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="A list like HowTo100M_v1.csv.", metavar="FILE")
    ] = None,
    task_names: Annotated[
        Path | None, typer.Option(help="With --csv: task_ids.csv, which names its tasks.")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="YouTube ids or addresses, one a line.")] = None,
    urls: Annotated[Path | None, typer.Option(help="Addresses, one a line.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Files that are here already: linked, else copied.")
    ] = None,
    source: Annotated[str, typer.Option(help="Where tasks are searched for.")] = "youtube",
    top: Annotated[
        int | None, typer.Option(help="Search results of each task.", show_default="200")
    ] = None,
    min_views: Annotated[
        int | None, typer.Option(help="Videos seen less often are left out.", show_default="100")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="Longer videos are left out.", show_default="2000")
    ] = None,
    min_narration_words: Annotated[
        int | None, typer.Option(help="Fewer words: the video is left out.", show_default="100")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Spoken in the videos, such as en.", show_default="en")
    ] = None,
    license_: Annotated[
        License | None,
        typer.Option("--license", help="any, or only what states cc-by.", show_default="any"),
    ] = None,
    height: Annotated[
        int | None,
        typer.Option(help="The tallest picture wanted, in pixels.", show_default="360"),
    ] = None,
    captions_only: Annotated[
        bool | None,
        typer.Option("--captions-only/--media", help="No media; a later run may fetch it."),
    ] = None,
    allow_translated: Annotated[
        bool | None,
        typer.Option(
            "--allow-translated/--no-translated",
            help="Captions that a program translated will do.",
        ),
    ] = None,
    default_rules: Annotated[
        bool,
        typer.Option("--default-rules", help="Forget the filters that earlier runs named."),
    ] = False,
    visual_only: Annotated[
        bool, typer.Option("--visual-only", help="Only tasks whose main verb is a physical action.")
    ] = False,
    keep_tasks: Annotated[
        Path | None, typer.Option(help="With --visual-only: tasks to keep whatever their verbs.")
    ] = None,
    exclude: Annotated[
        list[Path] | None, typer.Option(help="Ids to leave out, such as a benchmark's test videos.")
    ] = None,
    cookies: Annotated[
        Path | None, typer.Option(help="A Netscape cookie file; the account may be banned.")
    ] = None,
    proxy: Annotated[str | None, typer.Option(help="Such as socks5://localhost:1080.")] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="With --urls: addresses in this network too.")
    ] = False,
    keep_free: Annotated[
        float | None,
        typer.Option(metavar="GIB", help="Of the disk, that stay free.", show_default="1"),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="The most videos to look at now.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Sleep where it would be parked, and go on.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Look again at what failed, was gone or was excluded.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; nothing is asked or written.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Show what was collected, by category and task.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--as-csv", help="With --report: print a table.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep what howto knows here instead of in the library.")
    ] = None,
) -> None:
    """Fill a library: from tasks, published lists, addresses or a folder.

    Goes on where it stopped, with all that was asked for before; without a list it does only that.
    For each video the cheap questions come first, and the media last. The site's terms, the rights
    in the videos and wishes to have one taken out are yours to heed: docs/collect.md.

    Example:  howto collect --tasks tasks.txt -L my_library/ --top 20 --visual-only
    """
    place = library or Path()
    if report:
        with Library.open(place, state_dir, create=False) as opened:
            show_report(opened, json=json, as_csv=as_csv)
        return
    wanted = _Wanted(
        tasks=_tasks(tasks, visual_only=visual_only, keep=keep_tasks),
        search=source,
        lists={
            name: path
            for name, path in (("csv", csv), ("ids", ids), ("urls", urls), ("folder", folder))
            if path is not None
        },
        options={
            name: value
            for name, value in (
                ("cookies", cookies),
                ("proxy", proxy),
                ("allow_private", allow_private or None),
                ("task_names", task_names),
            )
            if value is not None
        },
    )
    named_rules = {
        name: value
        for name, value in (
            ("top", top),
            ("min_views", min_views),
            ("max_seconds", max_seconds),
            ("min_words", min_narration_words),
            ("language", language),
            ("license", license_),
            ("height", height),
            ("captions_only", captions_only),
            ("allow_translated", allow_translated),
            ("keep_free", None if keep_free is None else _bytes(keep_free)),
            ("exclude", frozenset().union(*map(read_ids, exclude)) if exclude else None),
        )
        if value is not None
    }
    made_of(named_rules)  # a wrong one is told before anything is kept
    asked = _Asked(named_rules, default_rules, retry=retry, allow_private=allow_private)
    _check(limit, as_csv=as_csv, report=report)
    if dry_run:
        with _if_there(place, state_dir) as opened_or_none:
            _dry_run(opened_or_none, place, wanted, asked, limit, json=json)
        return
    with Library.open(place, state_dir) as opened:
        if opened.is_outside:
            errors.print(f"{opened.folder} is kept in {opened.state}", style="dim")
        _collect(opened, wanted, asked, limit, wait=wait, json=json)


# What was asked for.


@dataclass(frozen=True, slots=True)
class _Asked:
    """The rules that this run names, and what it looks at again.

    Attributes:
        named: by the names of `Rules`; what was named before stays, and the rest is a default.
        afresh: nothing that was named before counts.
    """

    named: Mapping[str, Any]
    afresh: bool
    retry: bool
    allow_private: bool

    def all_named(self, library: Library | None) -> dict[str, Any]:
        before = {} if library is None or self.afresh else remembered(library)
        return together(before, self.named)

    @property
    def reopen(self) -> tuple[Reason, ...]:
        return (Reason.REFUSED_ADDRESS,) if self.allow_private else ()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to collect.

    Attributes:
        tasks: judged; those that are not kept are only told.
        search: the source that tasks are searched for in.
        lists: files by the option that named them.
        options: for the sources that know them.
    """

    tasks: tuple[Judged, ...]
    search: str
    lists: Mapping[str, Path]
    options: Mapping[str, Any]

    @property
    def dropped(self) -> list[Judged]:
        return [one for one in self.tasks if not one.kept]

    def make_lists(self) -> "list[tuple[str, Source]]":
        """The sources made of lists, each with a hash of its list."""
        return [
            (self._fingerprint(name, path), self._make(LISTS[name], {name: path}))
            for name, path in self.lists.items()
        ]

    def _fingerprint(self, name: str, path: Path) -> str:
        """'' for a folder, which may hold others another day, and for what cannot be read."""
        files = [path, *(value for key, value in self.options.items() if key == "task_names")]
        if not all(file.is_file() for file in files):
            return ""
        return " ".join([LISTS[name], *(measured(file).sha256 for file in files)])

    def make_sources(self, open_ones: tuple[str, ...]) -> "dict[str, Source]":
        """The sources that may be asked, which are those of open videos too.

        Raises:
            UsageError: an option means nothing to any of them.
        """
        names = {*open_ones, *(LISTS[name] for name in self.lists)}
        if self.tasks:
            names.add(self.search)
        made = {name: self._make(name, {}) for name in sorted(names)}
        for option in self.options:
            if made and not any(option in _parameters(name) for name in made):
                flag = f"--{option.replace('_', '-')}"
                raise UsageError(f"{flag} means nothing to {', '.join(made)}")
        return made

    def _make(self, name: str, more: Mapping[str, Any]) -> "Source":
        from howto.plugins import create

        known = _parameters(name)
        options = {**self.options, **more}
        made: Source = create(
            "sources", name, **{key: options[key] for key in options if key in known}
        )
        return made


def _parameters(name: str) -> frozenset[str]:
    from howto.plugins import load

    return frozenset(inspect.signature(load("sources", name)).parameters)


def _tasks(path: Path | None, *, visual_only: bool, keep: Path | None) -> tuple[Judged, ...]:
    if keep is not None and not visual_only:
        raise UsageError("--keep-tasks overrules --visual-only; give both")
    if path is None:
        if visual_only:
            raise UsageError("--visual-only sorts a task list; name one with --tasks FILE")
        return ()
    names = [task.name for task in read_tasks(keep)] if keep else []
    judged = judge_all(read_tasks(path), names)
    return judged if visual_only else tuple(Judged(one.task, one.verdict, True) for one in judged)


def _bytes(gib: float) -> int:
    if not 0 <= gib < 2**40:
        raise UsageError(f"--keep-free {gib:g}: expected GiB, 0 or more")
    return int(gib * GIB)


def _check(limit: int | None, *, as_csv: bool, report: bool) -> None:
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: expected at least 1")
    if as_csv and not report:
        raise UsageError("--as-csv goes with --report")


# A dry run.


@contextmanager
def _if_there(place: Path, state_dir: Path | None) -> Iterator[Library | None]:
    """The library where there is one; nothing is made."""
    try:
        opened = Library.open(place, state_dir, create=False)
    except NoLibrary:
        yield None
        return
    with opened:
        yield opened


def _dry_run(
    library: Library | None,
    place: Path,
    wanted: _Wanted,
    asked: _Asked,
    limit: int | None,
    *,
    json: bool,
) -> None:
    known = Ledger(library).sources_of_all() if library is not None else ()
    every = asked.all_named(library)
    rules = made_of(every)
    sources = wanted.make_sources(known)
    slowest = max((one.polite for one in sources.values()), key=lambda one: one.media, default=None)
    if slowest is None:
        raise UsageError("there is nothing to do; name tasks or a list: --tasks FILE")
    planned = plan(
        library,
        rules,
        slowest,
        tasks=[one.task for one in wanted.tasks if one.kept],
        search=wanted.search,
        lists=wanted.make_lists(),
        limit=limit,
        retry=asked.retry,
        own=own_rules(every),
        reopen=asked.reopen,
    )
    parked = [] if library is None or asked.retry else list(Ledger(library).parked().values())
    if json:
        print_json(
            {
                "library": str(place),
                **asdict(planned),
                "dropped_tasks": _dropped_as_json(wanted),
                "parked": [_parked_as_json(one) for one in parked],
            }
        )
        return
    _tell_dropped(wanted)
    _show_plan(planned, rules)
    for one in parked:
        tell_parked(one)


def _show_plan(planned: Plan, rules: Rules) -> None:
    output.print(
        f"Would search for {counted(planned.searches, 'task')}, and look at most at "
        f"{counted(planned.most_videos, 'video')}: {planned.waiting} known, {planned.listed} newly "
        f"listed, up to {planned.searches * rules.top} found.",
    )
    media = "no media" if rules.captions_only else f"about {planned.size / 1e9:.1f} GB of media"
    output.print(
        f"At most {about(planned.seconds)}, and {media}; every video that is left out saves both.",
    )


# A run.


@dataclass
class _Tally:
    """What is told while it goes on.

    Attributes:
        outcomes: videos by outcome: one that was tried again counts once, by its last one.
        waiting: the last outcome of each video that has not ended. Of the others nothing is kept
            here, or a run over a million would grow and grow.
        given_up: videos, by their ids.
        lost: searches that were given up, by their names.
        empty: tasks for which nothing was found.
    """

    waiting: dict[str, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    given_up: dict[str, Event] = field(default_factory=dict)
    lost: dict[str, Event] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    searched: int = 0
    hits: int = 0
    ended: int = 0

    @property
    def failed(self) -> list[Event]:
        return [*self.lost.values(), *self.given_up.values()]

    def add(self, event: Event) -> None:
        if event.what == "searched":
            self._add_search(event)
        elif event.what == "video":
            self._add_video(event)

    def _add_search(self, event: Event) -> None:
        self.lost.pop(event.name, None)
        if event.state == Step.DONE:
            self.searched += 1
            self.hits += int(event.outcome)
            if event.outcome == "0":
                self.empty.append(event.name)
        elif event.state == Step.FAILED:
            self.lost[event.name] = event

    def _add_video(self, event: Event) -> None:
        before = self.waiting.pop(event.video_id, None)
        if (failed := self.given_up.pop(event.video_id, None)) is not None:
            before = failed.outcome
            self.ended -= 1
        if before is not None:
            self.outcomes[before] -= 1
            self.outcomes = +self.outcomes
        self.outcomes[event.outcome] += 1
        if event.state == Step.FAILED:
            self.given_up[event.video_id] = event
        elif event.state not in (Step.DONE, Step.REJECTED):
            self.waiting[event.video_id] = event.outcome
        # Until it ends, a video that waits for another attempt is none that ended.
        self.ended += event.state in (Step.DONE, Step.REJECTED, Step.FAILED)

    def settle(self, ledger: Ledger) -> None:
        """Strike what was given up and is to be done again: its site was at fault, as it turned
        out."""
        self.given_up = {key: one for key, one in self.given_up.items() if not ledger.is_open(key)}
        self.lost = {key: one for key, one in self.lost.items() if not ledger.is_search_open(key)}

    def line(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common(4))


def _collect(
    library: Library,
    wanted: _Wanted,
    asked: _Asked,
    limit: int | None,
    *,
    wait: bool,
    json: bool,
) -> None:
    every = asked.all_named(library)
    rules = made_of(every)
    ledger = Ledger(library)
    sources = wanted.make_sources(ledger.sources_of_all())
    if not sources:
        raise UsageError("there is nothing to do; name tasks or a list: --tasks FILE")
    remember(library, every)
    _tell_dropped(wanted)
    _tell_before(ledger, sources, rules)
    tally = _Tally()
    ended: Collected | None = None
    stopped = False
    try:
        with progress("Collecting") as show:
            ended = collect_videos(
                library,
                sources,
                rules,
                tasks=[one.task for one in wanted.tasks if one.kept],
                search=wanted.search,
                lists=wanted.make_lists(),
                limit=limit,
                wait=wait,
                retry=asked.retry,
                own=own_rules(every),
                reopen=asked.reopen,
                on_event=_Teller(ledger, tally, show, limit, wait=wait),
            )
        _refresh(library)
    except KeyboardInterrupt:
        stopped = True
        errors.print("Stopped. What is done is kept; run the same command to go on.")
    tally.settle(ledger)
    if json:
        print_json(_as_json(library, wanted, tally, ended))
    else:
        _show(tally, ended)
    _exit(tally, ended, stopped=stopped)


def _exit(tally: _Tally, ended: Collected | None, *, stopped: bool) -> None:
    if ended is None or stopped:
        raise typer.Exit(EXIT_STOPPED)
    if not ended.is_finished:
        raise typer.Exit(EXIT_PARKED)
    if tally.failed:
        raise typer.Exit(EXIT_FAILED)


class _Teller:
    """Shows what happens: a bar on a terminal, lines in a log."""

    def __init__(
        self, ledger: Ledger, tally: _Tally, show: Any, limit: int | None, *, wait: bool
    ) -> None:
        self.ledger = ledger
        self.tally = tally
        self.show = show
        self.limit = limit
        self.wait = wait
        self.left = 0

    def __call__(self, event: Event) -> None:
        self.tally.add(event)
        if event.what != "video" or not self.left:
            self.left = self.ledger.num_open()[1]
        elif event.state != Step.LATER:
            self.left -= 1
        total = self.tally.ended + self.left
        if self.limit is not None:
            total = min(total, self.limit)
        self.show(self.tally.ended, total, f"{self.tally.line()}  {named(event.name)[:40]}")
        if event.what == "parked" and self.wait:
            errors.print(
                f"Parked: {named(event.name)}: {event.outcome}, {named(event.detail)}",
            )
        elif event.what == "waiting":
            errors.print(f"Waiting until {local_time(event.until)}.")
        elif not errors.is_terminal and self.tally.ended % EVERY == 0 and event.state:
            errors.print(f"{self.tally.ended} videos: {self.tally.line()}")


def _refresh(library: Library) -> None:
    from howto.search.refresh import refresh

    with progress("Looking at new files") as show:
        refresh(library, on_progress=show)


def _tell_before(ledger: Ledger, sources: "Mapping[str, Source]", rules: Rules) -> None:
    """What a person should know before it begins."""
    if any(name in sources for name in ("youtube", "howto100m-csv")):
        from howto.collect.ytdlp import what_is_missing

        for missing in what_is_missing():
            errors.print(f"Note: {missing}")
    kept = [one[0] for one in ledger.kept() if is_excluded(one[0], rules.exclude)]
    if kept:
        errors.print(
            f"Note: {counted(len(kept), 'video')} to be left out "
            f"{'is' if len(kept) == 1 else 'are'} in the library already; take "
            f"{'it' if len(kept) == 1 else 'them'} out with: howto forget "
            f"{' '.join(kept[:MOST_SHOWN])}{' ...' if len(kept) > MOST_SHOWN else ''}",
        )


def _tell_dropped(wanted: _Wanted) -> None:
    dropped = wanted.dropped
    for one in dropped[:MOST_SHOWN]:
        what = f"Not visual: {named(one.task.name)} ({one.verdict.why})"
        errors.print(what, style="dim")
    if dropped:
        errors.print(
            f"{len(dropped)} of {counted(len(wanted.tasks), 'task')} left out as not visual; "
            "--json lists them, --keep-tasks FILE keeps those that you name.",
        )


def _dropped_as_json(wanted: _Wanted) -> list[dict[str, str]]:
    return [{"task": one.task.name, "why": one.verdict.why} for one in wanted.dropped]


def _parked_as_json(parked: Parked) -> dict[str, object]:
    return {
        "site": parked.site,
        "reason": parked.reason,
        "detail": parked.detail,
        "until": parked.until or None,
    }


def _as_json(
    library: Library, wanted: _Wanted, tally: _Tally, ended: Collected | None
) -> dict[str, object]:
    return {
        "library": str(library.folder),
        "searched": tally.searched,
        "hits": tally.hits,
        "outcomes": dict(tally.outcomes),
        "failed": [
            {"video_id": one.video_id, "reason": one.outcome, "detail": one.detail}
            for one in tally.given_up.values()
        ],
        "failed_searches": [
            {"task": one.name, "reason": one.outcome, "detail": one.detail}
            for one in tally.lost.values()
        ],
        "found_nothing": tally.empty,
        "dropped_tasks": _dropped_as_json(wanted),
        "left": ended and {"searches": ended.searches, "videos": ended.videos},
        "parked": [_parked_as_json(one) for one in ended.parked] if ended else [],
        "next_time": ended.next_time if ended else None,
    }


def _show(tally: _Tally, ended: Collected | None) -> None:

    if tally.searched:
        output.print(f"Searched for {counted(tally.searched, 'task')}: {tally.hits} hits.")
    for name in tally.empty[:MOST_SHOWN]:
        note = f"Note: nothing was found for {named(name)}; --retry asks again."
        errors.print(note)
    if tally.outcomes:
        table = plain_table("outcome", "videos", "which means", right=("videos",))
        for outcome, count in tally.outcomes.most_common():
            table.add_row(outcome, str(count), _meaning(outcome))
        output.print(table)
    elif ended is not None and ended.is_finished and not (tally.searched or tally.lost):
        output.print("There was nothing to do.")
    for event in tally.failed[:MOST_SHOWN]:
        what = f"Failed: {event.video_id or event.name}: {event.outcome}: {event.detail}"
        errors.print(named(what))
    if len(tally.failed) > MOST_SHOWN:
        errors.print(f"and {len(tally.failed) - MOST_SHOWN} more: howto status --json lists them")
    if ended is not None and (ended.videos or ended.searches):
        _show_left(ended)


def _meaning(outcome: str) -> str:
    return "whole, in the library" if outcome == KEPT else Reason(outcome).meaning


def _show_left(ended: Collected) -> None:
    searches = "1 search" if ended.searches == 1 else f"{ended.searches} searches"
    errors.print(f"{counted(ended.videos, 'video')} and {searches} left to do.")
    for one in ended.parked[:MOST_SHOWN]:
        tell_parked(one)
    if len(ended.parked) > MOST_SHOWN:
        more = f"and {len(ended.parked) - MOST_SHOWN} more sites are parked: --json lists them."
        errors.print(more)
    if ended.limited:
        return
    when = f"after {local_time(ended.next_time)}" if ended.next_time else "then"
    # Not --retry: it asks sites that are parked, and takes up again what was given up.
    command = shlex.join(["howto", *(one for one in sys.argv[1:] if one != "--retry")])
    errors.print(f"Go on {when} with:  {command}")
    errors.print("(--wait sleeps until then by itself.)", style="dim")
