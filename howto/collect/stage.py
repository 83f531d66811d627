"""The stage `collect`: from tasks and lists to whole videos with captions, over days if need be.

    from howto.collect.rules import Rules
    from howto.collect.stage import collect
    from howto.collect.tasks import read_tasks
    from howto.library import Library
    from howto.plugins import create

    with Library.open(Path("library")) as library:
        youtube = create("sources", "youtube")
        ended = collect(library, {"youtube": youtube}, Rules(), tasks=read_tasks(Path("tasks.txt")))

For each video the cheap questions come first: what the source says of it, the filters, captions,
their words, and only then the media. Requests are made one at a time, with the waits that a source
asks for. What happens after each failure is decided by its reason: `howto.collect.policy`.
"""

import errno
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from howto.collect.fetched import Candidate, CaptionTrack, Described, Task
from howto.collect.ledger import Ledger, Parked, Search, Step, Work
from howto.collect.place import Places, check_room, land, measured, media_bytes, media_name
from howto.collect.policy import (
    NOTHING_FOUND,
    SITES_IN_A_ROW,
    Policy,
    Then,
    park_seconds,
    policy_of,
    retry_seconds,
)
from howto.collect.rules import Rules, is_excluded, refusal
from howto.collect.tracks import choose
from howto.contracts import RankedList, Source
from howto.errors import HowtoError, ItemError, LibraryError, Reason, RetryLater
from howto.library import Library
from howto.transcribe.formats import read_captions
from howto.transcribe.language import same_language
from howto.transcribe.quality import measure

__all__ = ["KEPT", "Clock", "Collected", "Event", "collect", "rows_of", "rows_outside", "sweep"]

KEPT = "kept"
"""The outcome of a video that is complete; the others are reasons."""

_PATIENCE = 300.0
"""Seconds that are waited for without being asked to: the back-off after a hiccup of the net."""
_LOOK_AGAIN = 600.0
"""Seconds between looks at a full disk, with `wait`."""
_PACE_JITTER = 0.25
_OTHER_COLLECT = 5.0
_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNKNOWN_LANGUAGE = "und"

Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True)
class Clock:
    """The time and how to pass it; tests give another."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person who looks on may see.

    Attributes:
        what: `searched`, `video`, `waiting` or `parked`.
        name: of the task, the video's title (else its id), or the source.
        outcome: of a video `kept` or a reason; of a search the number of hits or a reason.
        state: of a video: how far it is now, as the ledger has it; '' where nothing changed.
        detail: for a person; '' where there is no more to say.
        until: of `waiting` and `parked`: seconds since 1970; 0: nobody knows.
        video_id: of a video.
    """

    what: str
    name: str
    outcome: str = ""
    state: str = ""
    detail: str = ""
    until: float = 0.0
    video_id: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """How a run ended.

    Attributes:
        parked: the sites that are left alone for now, with the reason and the time.
        searches, videos: that are still to be done, now or later.
        next_time: when the first of them may be done, in seconds since 1970; None: there are none.
        limited: it ended because its limit was reached.
    """

    parked: tuple[Parked, ...]
    searches: int
    videos: int
    next_time: float | None
    limited: bool

    @property
    def is_finished(self) -> bool:
        """There is nothing left to do, or nothing more was wanted now and nothing is parked."""
        return not (self.searches or self.videos) or (self.limited and not self.parked)


def collect(
    library: Library,
    sources: Mapping[str, Source],
    rules: Rules,
    *,
    tasks: Iterable[Task] = (),
    search: str = "youtube",
    lists: Iterable[tuple[str, Source]] = (),
    limit: int | None = None,
    wait: bool = False,
    retry: bool = False,
    clock: Clock | None = None,
    chance: random.Random | None = None,
    on_event: Callable[[Event], None] | None = None,
    own: Mapping[str, Rules] | None = None,
    reopen: Collection[Reason] = (),
) -> Collected:
    """Collect what is wanted and what is left from before, until it is done or has to be left.

    Args:
        sources: by name, those that may be asked; what the ledger holds of others is left alone.
        tasks: to search for, beside those that are known.
        search: the name of the source that tasks are searched for in.
        lists: sources made of a list, all of which is wanted, each with a hash of that list: one
            that was read to its end is not read again. '' for what may change, such as a folder.
        limit: the most videos to look at now.
        wait: sleep until a parked source may be asked again, instead of ending.
        retry: look again at what failed, was gone or was refused for anything but the rules.
        clock, chance: for tests.
        on_event: told of everything that ended, and of waits.
        own: the rules of sources that have others than `rules`.
        reopen: look again at what was refused for these reasons.

    Raises:
        LibraryBusy: another process is collecting into this library.
        LibraryError: the disk is full, or cannot be written any more.
        UsageError: a list cannot be read.
    """
    with library.exclusive("collect", seconds=_OTHER_COLLECT):
        run = _Run(library, sources, rules, clock or Clock(), chance or random.Random())  # noqa: S311
        run.tell = on_event or run.tell
        run.own = own or {}
        run.prepare(tasks, search, lists, retry=retry, reopen=reopen)
        return run.go_on(limit, wait=wait)


def sweep(library: Library) -> None:
    """Delete what no longer belongs to anything: parts of closed videos, files of forgotten ones.

    Call with `library.exclusive("collect")` held.
    """
    ledger, places = Ledger(library), Places(library.state)
    places.make()
    for video_id in places.left_over():
        if not ledger.is_open(video_id):
            places.clear(video_id)
    for video_id, files in ledger.buried_files():
        for name in files:
            _delete(library.state / name)
        ledger.files_deleted(video_id)


def _delete(path: Path) -> None:
    """Delete a file, or a folder that was made of several videos.

    Raises:
        LibraryError: it cannot be deleted.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise LibraryError(
            f"{path} holds what was to be forgotten, and cannot be deleted: "
            f"{error.strerror or error}. Delete it, or give permission; the same command goes on"
        ) from error


@dataclass
class _Streak:
    """Videos of a source that ended with the same reason, one after another.

    `numbers` are the ledger's; those of searches are below 0.
    """

    reason: Reason | None = None
    numbers: list[int] = field(default_factory=list)

    def add(self, reason: Reason, number: int) -> int:
        if reason is not self.reason:
            self.reason, self.numbers = reason, []
        if number not in self.numbers:  # the same one again says nothing about the others
            self.numbers.append(number)
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a site is to be parked, and the source of the searches among what failed there."""

    policy: Policy
    error: ItemError
    source: str


class _Run:
    """One run: the ledger, the sources, and when each may be asked again."""

    def __init__(
        self,
        library: Library,
        sources: Mapping[str, Source],
        rules: Rules,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self.library = library
        self.ledger = Ledger(library)
        self.places = Places(library.state)
        self.sources = sources
        self.rules = rules
        self.clock = clock
        self.chance = chance
        self.tell: Callable[[Event], None] = lambda _event: None
        self.own: Mapping[str, Rules] = {}
        self.ready: defaultdict[str, float] = defaultdict(float)
        self.streaks: defaultdict[str, _Streak] = defaultdict(_Streak)
        self.out_of_reach: dict[str, _Failure | None] = {}
        self.disk: Parked | None = None

    def prepare(
        self,
        tasks: Iterable[Task],
        search: str,
        lists: Iterable[tuple[str, Source]],
        *,
        retry: bool,
        reopen: Collection[Reason],
    ) -> None:
        sweep(self.library)
        if retry:
            self.ledger.retry()
        self.ledger.reconsider(self.rules, self.own, reopen)
        self.ledger.put_tasks(tasks, search, self.rules.top)
        for fingerprint, source in lists:
            if not self.ledger.has_list(fingerprint):
                rows = rows_outside(self.library, source)
                self.ledger.put_list(rows, fingerprint, _declared(source))

    # The loop: the next video, else the next search, else the next wait.

    def go_on(self, limit: int | None, *, wait: bool) -> Collected:
        looked_at = 0
        while True:
            now = self.clock.now()
            if self.disk is None and self._video(now, looked_at, limit):
                looked_at += 1
            elif limit is not None and looked_at >= limit:
                return self._ended(limited=True)
            elif self.disk is not None or not self._search(now):
                until = self._wake(now)
                if until is None or not (wait or 0 < until - now <= _PATIENCE):
                    return self._ended(limited=False)
                self._sleep_until(until)

    def _parked(self, now: float) -> dict[str, Parked]:
        return {site: one for site, one in self.ledger.parked().items() if one.until > now}

    def _video(self, now: float, looked_at: int, limit: int | None) -> bool:
        if limit is not None and looked_at >= limit:
            return False
        parked = self._parked(now)
        for name in self.sources:
            work = self.ledger.next_video(name, now, parked)
            if work is not None:
                self._work(work, self.sources[name])
                return True
        return False

    def _search(self, now: float) -> bool:
        parked = self._parked(now)
        for name, source in self.sources.items():
            search = self.ledger.next_search(name, now) if _site(source) not in parked else None
            if search is not None:
                self._find(search, name)
                return True
        return False

    def _wake(self, now: float) -> float | None:
        """When there is something to do again; None: there is nothing."""
        if self.disk is not None:
            return now + _LOOK_AGAIN
        parked = {site: one.until for site, one in self._parked(now).items()}
        times = [
            self.ledger.next_time(name, _site(source), parked)
            for name, source in self.sources.items()
        ]
        return min((time for time in times if time is not None), default=None)

    def _sleep_until(self, until: float) -> None:
        self.tell(Event("waiting", "", until=until))
        # Never a wait of nothing, however coarse the clock.
        self.clock.sleep(max(0.01, until - self.clock.now()))
        self.disk = None

    def _ended(self, *, limited: bool) -> Collected:
        now = self.clock.now()
        parked = self._parked(now).values()
        searches, videos = self.ledger.num_open()
        return Collected(
            tuple(one for one in (*parked, self.disk) if one is not None),
            searches,
            videos,
            None if self.disk is not None else self._wake(now),
            limited,
        )

    # One search.

    def _find(self, search: Search, name: str) -> None:
        source, site = self.sources[name], _site(self.sources[name])
        depth = self.ledger.search_depth(name, search)
        try:
            found = self._ask(
                source, site, "requests", lambda: list(source.find(search.task, depth))
            )
        except ItemError as error:
            self._search_failed(search, name, site, error)
            return
        if not found and search.attempts + 1 < NOTHING_FOUND.attempts:
            self._found_nothing(search, name, site)
            return
        self.ledger.put_hits(search, name, found, _declared(source))
        if not found:
            self._count_nothing(search, name, site)
            self.tell(Event("searched", search.task.name, "0", Step.DONE))
            return
        self._gave(site)
        self.streaks[site] = _Streak()
        self.tell(Event("searched", search.task.name, str(len(found)), Step.DONE))

    def _found_nothing(self, search: Search, name: str, site: str) -> None:
        """Ask again: a site whose answers are not understood any more finds nothing either."""
        wait = retry_seconds(NOTHING_FOUND, search.attempts + 1, None, self.chance)
        self.ledger.postpone_search(name, search, None, "", self.clock.now() + wait)
        self._count_nothing(search, name, site)
        self.tell(Event("searched", search.task.name, "0", Step.LATER))

    def _count_nothing(self, search: Search, name: str, site: str) -> None:
        detail = f"{NOTHING_FOUND.in_a_row} searches in a row found nothing"
        error = ItemError(Reason.BLOCKED, detail)
        self._count_streak(name, site, NOTHING_FOUND, error, -search.number)

    def _search_failed(self, search: Search, name: str, site: str, error: ItemError) -> None:
        policy, asked = policy_of(error.reason), _asked(error)
        state = Step.LATER
        if policy.then is Then.STOP and not 0 < policy.attempts <= search.forgiven + 1:
            until = self._park(site, policy, error)
            self.ledger.put_search_behind(name, search, until)
        else:
            attempt = search.attempts + 1
            again: float | None = None
            if policy.then is Then.LATER and attempt < policy.attempts:
                again = self.clock.now() + retry_seconds(policy, attempt, asked, self.chance)
            self.ledger.postpone_search(name, search, error.reason, error.detail, again)
            self._count_streak(name, site, policy, error, -search.number)
            state = Step.FAILED if again is None else Step.LATER
        name, detail = search.task.name, error.detail
        self.tell(Event("searched", name, error.reason, state, detail))

    # One video.

    def _work(self, work: Work, source: Source) -> None:
        video_id = work.candidate.video_id
        name = work.candidate.title or video_id
        try:
            self._go_through(work, source)
        except ItemError as error:
            state = self._failed(work, error)
            if isinstance(error, _Rejected) and error.reason is not Reason.EXCLUDED:
                self._gave(work.site)
            detail = error.detail
            self.tell(Event("video", name, error.reason, state, detail, video_id=video_id))
            return
        self.places.clear(video_id)
        self._gave(work.site)
        self.streaks[work.site] = _Streak()
        self.tell(Event("video", name, KEPT, Step.DONE, video_id=video_id))

    def _go_through(self, work: Work, source: Source) -> None:
        rules, video_id = self._rules(work), work.candidate.video_id
        if is_excluded(video_id, rules.exclude):
            self.ledger.reject(work, Reason.EXCLUDED, "")
            raise _Rejected(Reason.EXCLUDED)
        if work.done and (place := self.places.media_of(video_id)) is not None:
            self._land(work, place)  # a kill came between putting it there and recording that
            return
        check_room(self.places, rules.keep_free)
        if hasattr(source, "keep_free"):  # those that can also look while they fetch
            source.keep_free = rules.keep_free
        described = self._ask(
            source, work.site, "requests", partial(source.describe, work.candidate)
        )
        if (error := refusal(described, rules)) is not None:
            self._reject(work, error, described)
        if work.captioned and not work.done:  # the rules may be others than they were then
            self._check_words(work, described, work.num_words or 0, work.caption)
        track = None if work.captioned else self._track(work, described)
        name = work.caption if work.captioned else _caption_name(video_id, track)
        self.ledger.described(work, described, name)
        if not work.captioned:
            self._take_captions(work, source, described, track)
        if rules.captions_only:
            self.ledger.done(work, None)
            return
        self._take_media(work, source, described)

    def _rules(self, work: Work) -> Rules:
        return self.own.get(work.candidate.source, self.rules)

    def _check_words(
        self, work: Work, described: Described, num_words: int, caption: str | None
    ) -> None:
        rules = self._rules(work)
        if caption is None and (rules.min_words > 0 or rules.captions_only):
            self._reject(work, ItemError(Reason.NO_CAPTIONS), described)
        if num_words < rules.min_words:
            detail = f"{num_words} words: expected at least {rules.min_words}"
            self._reject(work, ItemError(Reason.TOO_FEW_WORDS, detail), described, num_words)

    def _reject(
        self, work: Work, error: ItemError, described: Described, num_words: int | None = None
    ) -> None:
        """Refuse a video by the rules; what is known of it is kept, so that others may take it."""
        if policy_of(error.reason).then is Then.NEVER:
            self.ledger.reject(
                work,
                error.reason,
                error.detail,
                asked=self._rules(work).asked,
                described=described,
                num_words=num_words,
            )
            raise _Rejected(error.reason, error.detail)
        raise error

    def _track(self, work: Work, described: Described) -> CaptionTrack | None:
        track = _chosen(described, self._rules(work))
        if track is None:
            if self._rules(work).min_words > 0 or self._rules(work).captions_only:
                self._reject(work, ItemError(Reason.NO_CAPTIONS), described)
        elif not _is_in(track, self._rules(work).language):
            detail = f"captions in {track.language}: expected {self._rules(work).language}"
            self._reject(work, ItemError(Reason.OTHER_LANGUAGE, detail), described)
        return track

    def _take_captions(
        self, work: Work, source: Source, described: Described, track: CaptionTrack | None
    ) -> None:
        video_id = work.candidate.video_id
        name = _caption_name(video_id, track)
        if track is None or name is None:
            self.ledger.without_captions(work)
            return
        place = self.places.captions / name
        whole = place.exists()  # a kill came between putting it there and recording that
        if not whole:
            scratch = self.places.scratch(video_id)
            path = self._ask(
                source, work.site, "captions", lambda: source.captions(described, track, scratch)
            )
        else:
            path = place
        narration = read_captions(path, self._rules(work).language, video_id)
        num_words = measure(narration, described.duration).num_words
        self._check_words(work, described, num_words, name)
        landed = measured(place) if whole else _on_disk(land, path, self.places.captions, name)
        self.ledger.captioned(work, replace(narration, kind=track.kind), num_words, landed.sha256)

    def _take_media(self, work: Work, source: Source, described: Described) -> None:
        video_id = work.candidate.video_id
        place = self.places.media_of(video_id)
        if place is not None:  # a kill came between putting it there and recording that
            self._land(work, place)
            return
        height, wanted = self._rules(work).height, described.size
        if wanted is None:
            wanted = round(media_bytes(height, described.duration))
        check_room(self.places, self._rules(work).keep_free, wanted)
        scratch = self.places.scratch(video_id)
        path = self._ask(
            source, work.site, "media", lambda: source.media(described, height, scratch)
        )
        landed = _on_disk(land, path, self.places.media, media_name(video_id, path))
        self.ledger.done(work, landed.name, landed.sha256, landed.size)

    def _land(self, work: Work, place: Path) -> None:
        landed = measured(place)
        self.ledger.done(work, landed.name, landed.sha256, landed.size)

    def _failed(self, work: Work, error: ItemError) -> str:
        """Do what the reason's policy says.

        Returns:
            How far the video is now; '' where this says nothing about it.
        """
        site, policy = work.site, policy_of(error.reason)
        if error.reason is Reason.DISK_FULL:
            # What came of it goes, or its own part could keep the disk full; and the others come
            # first then, for which there may be room.
            self.places.clear(work.candidate.video_id)
            self.ledger.wait_for_room(work, error.detail, self.clock.now())
            self._park(site, policy, error)
            return ""
        if policy.then is Then.STOP and not 0 < policy.attempts <= work.forgiven + 1:
            until = self._park(site, policy, error)
            self.ledger.put_behind(work, error.reason, error.detail, until)
            return ""
        if policy.then is not Then.NEVER:
            state = self._postpone(work, policy, error)
            self._count_streak(work.candidate.source, site, policy, error, work.number)
            return state
        caption = self.ledger.caption_of(work)
        if not isinstance(error, _Rejected):
            self.ledger.reject(work, error.reason, error.detail, asked=self._rules(work).asked)
        self.places.clear(work.candidate.video_id)
        if not work.done:
            self.places.delete(self.places.media_of(work.candidate.video_id), caption)
        self.streaks[site] = _Streak()
        self.out_of_reach.clear()
        return Step.REJECTED

    def _postpone(self, work: Work, policy: Policy, error: ItemError) -> Step:
        attempt = work.attempts + 1
        if policy.then is Then.STOP:
            attempt = policy.attempts
        if attempt < policy.attempts:
            wait = retry_seconds(policy, attempt, _asked(error), self.chance)
            self.ledger.postpone(work, error.reason, error.detail, self.clock.now() + wait)
            return Step.LATER
        given_up = f"given up after {attempt} attempts: " if attempt > 1 else ""
        self.ledger.fail(work, error.reason, f"{given_up}{error}")
        return Step.FAILED

    # Asking, pacing, parking.

    def _ask(
        self, source: Source, site: str, kind: str, request: Callable[[], Returned]
    ) -> Returned:
        """Make one request when its time has come; what it ends with is always an ItemError."""
        wait = self.ready[site] - self.clock.now()
        if wait > 0:
            self.clock.sleep(wait)
        try:
            return _on_disk(request)
        except HowtoError:
            raise
        except (ConnectionError, TimeoutError) as error:
            raise ItemError(Reason.NETWORK, str(error)) from error
        except OSError as error:
            raise ItemError(Reason.UNREADABLE_FILE, str(error)) from error
        except Exception as error:  # a source's bug costs one video, as a decoder's does
            detail = f"{type(error).__name__}: {error}"
            raise ItemError(Reason.INTERNAL_ERROR, detail) from error
        finally:
            pace: float = getattr(source.polite, kind)
            pace *= 1 + _PACE_JITTER * self.chance.random()
            self.ready[site] = self.clock.now() + pace

    def _gave(self, site: str) -> None:
        """A site gave something, so it is no longer parked, nor counted as such."""
        self.out_of_reach.clear()
        if site in self.ledger.parked():
            self.ledger.unpark(site)

    def _count_streak(
        self, source: str, site: str, policy: Policy, error: ItemError, number: int
    ) -> None:
        length = self.streaks[site].add(error.reason, number)
        if policy.in_a_row and length >= policy.in_a_row:
            self._park(site, policy, error, source)
        if error.reason is Reason.NETWORK:
            self._count_site(site, _Failure(policy, error, source))
        else:
            self.out_of_reach.clear()

    def _count_site(self, site: str, failure: _Failure) -> None:
        """Park those that cannot be reached, one after another: it is the net here, not they."""
        self.out_of_reach[site] = failure
        if len(self.out_of_reach) < SITES_IN_A_ROW:
            return
        for name, one in self.out_of_reach.items():
            if one is not None and self.streaks[name].numbers:  # else it is parked already
                self._park(name, one.policy, one.error, one.source)
            self.out_of_reach[name] = None

    def _park(self, site: str, policy: Policy, error: ItemError, source: str = "") -> float:
        """Leave a site alone.

        Args:
            source: of the searches among those whose failures in a row say nothing about them.

        Returns:
            Until when; 0 where a change here is waited for.
        """
        forgiven = self.streaks[site].numbers if policy.in_a_row else []
        self.streaks[site] = _Streak()
        now = self.clock.now()
        if error.reason is Reason.DISK_FULL:
            self.disk = Parked(site, error.reason, str(error), 0.0, 1)
            self.tell(Event("parked", site, error.reason, detail=str(error)))
            return 0.0
        before = self.ledger.parked().get(site)
        times = before.times + 1 if before else 1
        until = now + park_seconds(policy, times, _asked(error), self.chance)
        self.ledger.park(Parked(site, error.reason, str(error), until, times), forgiven, source)
        self.tell(Event("parked", site, error.reason, detail=str(error), until=until))
        return until


class _Rejected(ItemError):
    """A video was refused, and the ledger knows it already."""


_ALL = 1 << 40


def rows_of(source: Source) -> Iterator[tuple[Task | None, Candidate]]:
    """All that a list holds; a published one says for which task, and at which rank."""
    if isinstance(source, RankedList):
        yield from source.hits()
        return
    for candidate in source.find(None, _ALL):
        yield None, candidate


def rows_outside(library: Library, source: Source) -> Iterator[tuple[Task | None, Candidate]]:
    """All that a list holds but for files that lie in the library: they are in it already."""
    for task, candidate in rows_of(source):
        path = Path(candidate.address)
        if not (path.is_absolute() and path.resolve().is_relative_to(library.folder)):
            yield task, candidate


def _declared(source: Source) -> str:
    """The site that a source says it asks; '' where it depends on the address."""
    site: str = getattr(source, "site", source.name)
    return site if site != source.name else ""


def _site(source: Source) -> str:
    site: str = getattr(source, "site", source.name)
    return site


def _chosen(described: Described, rules: Rules) -> CaptionTrack | None:
    """The track of what is spoken; where that is another language, a translation if allowed."""
    tracks, spoken, wanted = described.tracks, described.language, rules.language
    track = choose(tracks, wanted, spoken, rules.allow_translated)
    if rules.allow_translated and not (track and _is_in(track, wanted)):
        translated = [one for one in tracks if _is_in(one, wanted)]
        return choose(translated, wanted, wanted, allow_translated=True) or track
    return track


def _is_in(track: CaptionTrack, language: str) -> bool:
    unknown = track.language in ("", _UNKNOWN_LANGUAGE)
    return unknown or same_language(track.language, language)


def _caption_name(video_id: str, track: CaptionTrack | None) -> str | None:
    """The name of a caption file in its place; a language and a form of letters and digits only."""
    if track is None:
        return None
    parts = (track.language or _UNKNOWN_LANGUAGE, track.form)
    language, form = ("".join(c for c in part if c.isalnum() or c == "-") for part in parts)
    return f"{video_id}.{language}.{form}"


def _asked(error: ItemError) -> float | None:
    return error.seconds if isinstance(error, RetryLater) else None


def _on_disk(work: Callable[..., Returned], *arguments: object) -> Returned:
    """Do what writes to the disk; that it is full is a reason to stop, not an error of the disk."""
    try:
        return work(*arguments)
    except OSError as error:
        if error.errno in _FULL_DISK:
            raise ItemError(Reason.DISK_FULL, error.strerror or "") from error
        raise
