"""What a run of weeks depends on: bad videos stop nobody, rules last, finished work is not lost."""

import random
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from howto.collect import place
from howto.collect.fetched import Candidate, Task
from howto.collect.ledger import Step, site_of
from howto.collect.plan import plan
from howto.collect.report import report
from howto.collect.rules import License, Rules, made_of, own_rules, remember, remembered, together
from howto.collect.stage import KEPT, Clock, collect
from howto.errors import ItemError, Reason, RetryLater
from tests.collect.conftest import Desk, MemorySource

DAY = 86400.0
CAPTIONS = Rules(keep_free=0, captions_only=True)


class Always(list[Exception]):
    """An error that does not go away."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason

    def __bool__(self) -> bool:
        return True

    def pop(self, _index: Any = -1) -> Exception:
        return ItemError(self.reason)


def days(desk: Desk, count: int) -> None:
    """As cron does it: a run every hour at first, then every six."""
    for _ in range(count * 4):
        desk.run()
        desk.clock.time += DAY / 4


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        (Reason.BLOCKED, 3),
        (Reason.NETWORK, 5),
        (Reason.INTERNAL_ERROR, 5),
        (Reason.NO_MEDIA, 5),
        (Reason.RATE_LIMITED, 1),
        (Reason.BOT_CHECK, 2),
    ],
)
def test_bad_ones_at_the_head_stop_nobody_and_end(desk, reason: Reason, bad: int) -> None:
    ids = [f"v{number}" for number in range(12)]
    desk.source.finds["fold"] = ids
    for one in ids[:bad]:
        desk.source.trouble["describe", one] = Always(reason)
    desk.run("fold")
    days(desk, 2)
    assert {desk.row(one)["state"] for one in ids[bad:]} == {"done"}
    days(desk, 40)
    assert {desk.row(one)["state"] for one in ids[:bad]} == {"failed"}
    assert desk.run().is_finished


def test_bad_searches_at_the_head_stop_nobody_and_end(desk) -> None:
    queries = [f"task {number}" for number in range(9)]
    desk.source.finds = {query: [f"v{n}"] for n, query in enumerate(queries)}
    for query in queries[:5]:
        desk.source.trouble["find", query] = Always(Reason.NETWORK)
    desk.run(*queries)
    days(desk, 2)
    assert {desk.row(f"v{n}")["state"] for n in range(5, 9)} == {"done"}
    days(desk, 30)
    assert desk.run().is_finished


def test_a_finished_search_is_not_asked_again_when_others_fail(desk, trouble) -> None:
    queries = [f"task {number}" for number in range(6)]
    desk.source.finds = {query: ["a"] for query in queries}
    desk.source.trouble["find", "task 0"] = trouble(Reason.NETWORK)
    for query in queries[1:5]:
        desk.source.trouble["find", query] = trouble(Reason.NETWORK, 6)
    desk.run(*queries, wait=True)
    assert desk.source.count("find")["task 5"] == 1
    assert desk.source.count("find")["task 0"] == 2


def test_searches_that_work_end_a_row_of_failures(desk, trouble) -> None:
    queries = [f"task {number}" for number in range(10)]
    desk.source.finds = {query: ["a"] for query in queries}
    for query in queries[::2]:
        desk.source.trouble["find", query] = trouble(Reason.NETWORK)
    desk.run(*queries)
    assert not [event for event in desk.events if event.what == "parked"]


def test_a_search_that_is_given_up_says_so(desk, trouble) -> None:
    desk.source.trouble["find", "fold"] = trouble(Reason.INTERNAL_ERROR)
    desk.run("fold")
    (event,) = [event for event in desk.events if event.what == "searched"]
    assert (event.outcome, event.state) == (Reason.INTERNAL_ERROR, Step.FAILED)


def test_retry_asks_again_where_a_search_found_nothing(desk) -> None:
    assert desk.run("fold").is_finished
    assert desk.source.count("find") == {"fold": 3}
    desk.source.finds["fold"] = ["a"]
    desk.run("fold")
    assert desk.outcomes == {}
    desk.run(retry=True)
    assert desk.outcomes == {"a": KEPT}
    desk.run(retry=True)
    assert desk.source.count("find") == {"fold": 4}


def test_a_search_that_finds_nothing_once_is_asked_again_at_once(desk) -> None:
    find = desk.source.find
    answers = iter([[], ["a"]])

    def finds(task: Task | None, limit: int) -> Any:
        desk.source.finds["fold"] = next(answers)
        return find(task, limit)

    desk.source.find = finds
    assert desk.run("fold").is_finished
    assert desk.outcomes == {"a": KEPT}
    told = [(one.outcome, one.state) for one in desk.events if one.what == "searched"]
    assert told == [("0", Step.LATER), ("1", Step.DONE)]


def test_a_site_that_finds_nothing_for_anybody_is_left_alone(desk) -> None:
    queries = [f"task {number}" for number in range(50)]
    (parked,) = desk.run(*queries).parked
    assert (parked.reason, parked.detail) == (
        Reason.BLOCKED,
        "5 searches in a row found nothing",
    )
    assert len(desk.source.count("find")) == 5
    desk.source.finds = {query: ["a"] for query in queries}
    desk.clock.time = parked.until
    assert desk.run().is_finished
    assert len(desk.source.count("find")) == 50
    hits = desk.library.connection.execute("SELECT count(*) FROM hits")
    assert hits.fetchone() == (50,)


def test_retry_parks_nobody_any_more(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.trouble["describe", "a"] = [RetryLater(Reason.RATE_LIMITED, "429", 400 * DAY)]
    assert not desk.run("fold").is_finished
    assert desk.run(retry=True).is_finished
    assert desk.outcomes == {"a": KEPT}


def test_a_site_that_gives_what_the_rules_refuse_is_parked_no_more(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.trouble["describe", "a"] = trouble(Reason.RATE_LIMITED)
    desk.source.facts["b"] = {"views": 1}
    (parked,) = desk.run("fold").parked
    desk.clock.time = parked.until
    desk.run(limit=1)
    assert desk.outcomes["b"] == Reason.TOO_FEW_VIEWS
    assert desk.ledger.parked() == {}


def test_the_limit_does_not_hide_that_a_site_is_parked(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b", "c"]
    desk.source.trouble["describe", "b"] = trouble(Reason.RATE_LIMITED)
    ended = desk.run("fold", limit=2)
    assert (ended.limited, ended.is_finished, len(ended.parked)) == (True, False, 1)


def while_down(desk: Desk, source: MemorySource, seconds: float) -> None:
    """The net is down for so long from now."""
    until, describe = desk.clock.time + seconds, source.describe

    def described(candidate: Candidate) -> Any:
        if desk.clock.time < until:
            raise ItemError(Reason.NETWORK)
        return describe(candidate)

    source.describe = described  # type: ignore[method-assign]


@pytest.mark.parametrize("hosts", [1, 12])
def test_a_net_that_is_down_for_a_weekend_loses_nothing(desk, hosts: int) -> None:
    """Also where each host has one video alone, so that none has many failures in a row."""
    web = Web(finds={"": [f"host{number % hosts}-{number}" for number in range(12)]})
    while_down(desk, web, 60 * 3600)
    assert run_all(desk, [web], wait=True).is_finished
    assert set(desk.outcomes.values()) == {KEPT}


def test_each_site_out_of_reach_is_parked_once(desk) -> None:
    """Also the one that was parked before for its own failures in a row."""
    web = Web(finds={"": [*(f"one-{number}" for number in range(5)), "b-0", "c-0", "d-0", "e-0"]})
    while_down(desk, web, 3600)
    ended = run_all(desk, [web])
    assert {parked.times for parked in ended.parked} == {1}
    assert sorted(parked.site for parked in ended.parked) == [
        f"{host}.example" for host in ("b", "c", "d", "e", "one")
    ]
    assert {desk.row(one)["attempts"] for one in web.finds[""]} == {0}


@pytest.mark.parametrize("reason", [Reason.BLOCKED, Reason.GONE])
def test_a_site_that_answers_at_all_shows_that_the_net_is_there(desk, trouble, reason) -> None:
    web = Web(finds={"": [f"{host}-0" for host in "abcdef"]})
    for host in "abcdf":
        web.trouble["describe", f"{host}-0"] = trouble(Reason.NETWORK)
    web.trouble["describe", "e-0"] = trouble(reason)
    run_all(desk, [web])
    assert not [one for one in desk.events if one.what == "parked"]


def test_hosts_that_are_gone_among_others_park_nobody(desk) -> None:
    ids = [f"gone{number}-0" if number % 2 else f"here-{number}" for number in range(14)]
    web = Web(finds={"": ids})
    for one in ids[1::2]:
        web.trouble["describe", one] = Always(Reason.NETWORK)
    run_all(desk, [web], limit=len(ids))
    assert not [one for one in desk.events if one.what == "parked"]


def test_hosts_that_are_gone_come_to_an_end_beside_one_that_is_there(desk) -> None:
    ids = [f"gone{number // 2}-{number}" if number % 2 else f"here-{number}" for number in range(8)]
    web = Web(finds={"": ids})
    for one in ids[1::2]:
        web.trouble["describe", one] = Always(Reason.NETWORK)
    assert run_all(desk, [web], wait=True).is_finished
    assert {desk.row(one)["state"] for one in ids[1::2]} == {"failed"}
    assert not [one for one in desk.events if one.what == "parked"], "others could be reached"
    assert desk.clock.time - 1_700_000_000 < 4 * 3600


def test_one_video_too_large_for_the_disk_stops_no_other(desk, monkeypatch) -> None:
    free = SimpleNamespace(free=50_000_000_000)
    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: free)
    desk.source.finds["fold"] = ["a", "b", "c"]
    desk.source.facts["a"] = {"duration": 2e6}
    rules = Rules(keep_free=0, max_seconds=1e9)
    (parked,) = desk.run("fold", rules=rules).parked
    assert parked.reason is Reason.DISK_FULL
    desk.run(rules=rules)
    assert desk.outcomes == {"a": Reason.DISK_FULL, "b": KEPT, "c": KEPT}
    free.free *= 10
    assert desk.run(rules=rules).is_finished
    assert desk.row("a")["attempts"] == 0


def test_a_part_that_fills_the_disk_does_not_keep_it_full(desk) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    media = desk.source.media

    def endless(described: Any, height: int, into: Path) -> Path:
        if described.candidate.video_id == "b":
            return media(described, height, into)
        (into / "a.part").write_bytes(b"all that there was room for")
        raise ItemError(Reason.DISK_FULL)

    desk.source.media = endless
    desk.run("fold")
    assert list(desk.places.parts.iterdir()) == []
    desk.run()
    assert desk.outcomes == {"a": Reason.DISK_FULL, "b": KEPT}


# Media for what has captions.


def test_a_video_of_captions_stays_whole_while_its_media_is_fetched(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b", "c", "d"]
    desk.run("fold", rules=CAPTIONS)
    desk.source.trouble["media", "a"] = trouble(Reason.NO_MEDIA, 99)
    desk.source.trouble["describe", "b"] = trouble(Reason.GONE)
    desk.source.trouble["media", "c"] = trouble(Reason.INTERNAL_ERROR)
    desk.run(limit=1)
    assert {desk.row(one)["state"] for one in "abcd"} == {"done"}
    desk.run(wait=True)
    assert {one: desk.row(one)["state"] for one in "abcd"} == dict.fromkeys("abcd", "done")
    assert [desk.row(one)["media"] for one in "abcd"] == [None, None, None, "d.mp4"]
    assert len(list(desk.places.captions.iterdir())) == 4
    asked = list(desk.source.asked)
    assert desk.run().is_finished
    assert desk.source.asked == asked, "what failed is not asked for in every run"
    desk.source.trouble.clear()
    desk.run(retry=True)
    assert {desk.row(one)["media"] for one in "abcd"} == {f"{one}.mp4" for one in "abcd"}
    assert set(desk.source.count("captions").values()) == {1}


def test_media_that_is_no_longer_wanted_is_not_waited_for(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.run("fold", rules=CAPTIONS)
    assert desk.run(limit=0).videos == 1
    assert desk.run(rules=CAPTIONS).is_finished
    assert desk.source.count("media") == {}


def test_media_of_captions_that_was_not_recorded_is_not_asked_for_again(desk, monkeypatch) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.run("fold", rules=CAPTIONS)
    killed_while_recording(desk, monkeypatch)
    desk.source.trouble["describe", "a"] = [ItemError(Reason.GONE)]
    desk.source.asked.clear()
    assert desk.run().is_finished
    assert (desk.source.asked, desk.row("a")["media"]) == ([], "a.mp4")


def test_captions_whose_media_is_gone_do_not_count_as_gone(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.run("fold", rules=CAPTIONS)
    desk.source.trouble["describe", "a"] = [ItemError(Reason.GONE)]
    desk.run()
    total = report(desk.library).total
    assert (desk.row("a")["reason"], total.videos, total.gone) == ("gone", 1, 0)


def killed_while_recording(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its media lies in its place, and nobody knows."""

    class Killed(BaseException):
        pass

    def killed(*_arguments: object) -> None:
        raise Killed

    monkeypatch.setattr("howto.collect.ledger.Ledger.done", killed)
    with pytest.raises(Killed):
        desk.run("fold")
    monkeypatch.undo()
    assert [path.name for path in desk.places.media.iterdir()] == ["a.mp4"]


def test_nothing_stays_of_a_video_that_is_refused_after_a_kill(desk, monkeypatch) -> None:
    desk.source.finds["fold"] = ["a"]
    killed_while_recording(desk, monkeypatch)
    desk.source.trouble["describe", "a"] = [ItemError(Reason.GONE)]
    desk.run()
    assert desk.outcomes == {"a": Reason.GONE}
    assert [*desk.places.media.iterdir(), *desk.places.captions.iterdir()] == []


# What a page may say.


@pytest.mark.parametrize("fact", [{"views": 10**30}, {"views": 2**63}])
@pytest.mark.parametrize("more", [{}, {"duration": 9000.0}])
def test_facts_that_cannot_be_kept_cost_that_video(desk, fact: Mapping[str, Any], more) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.facts["a"] = {**fact, **more}
    assert desk.run("fold").is_finished
    assert desk.outcomes == {"a": Reason.INTERNAL_ERROR, "b": KEPT}


# Rules.


def test_rules_that_change_midway_hold_for_videos_with_captions_too(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.trouble["media", "a"] = trouble(Reason.RATE_LIMITED)
    desk.run("fold")
    assert desk.row("a")["caption_sha256"]
    desk.clock.time += DAY
    desk.run(rules=Rules(keep_free=0, min_words=121))
    assert desk.outcomes == {"a": Reason.TOO_FEW_WORDS}
    assert desk.source.count("media") == {"a": 1}
    desk.run()
    assert desk.outcomes == {"a": KEPT}


def test_nothing_stays_of_a_video_that_is_refused_late(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "a-b"]
    desk.source.trouble["media", "a"] = trouble(Reason.GONE)
    desk.run("fold")
    assert [path.name for path in desk.places.captions.iterdir()] == ["a-b.en.vtt"]
    desk.run(retry=True)
    assert desk.outcomes == {"a": KEPT, "a-b": KEPT}
    assert desk.source.count("captions") == {"a": 2, "a-b": 1}


def test_rules_are_kept_with_the_library_and_never_loosened_unasked(desk) -> None:
    first = {"license": License.CC_BY, "exclude": frozenset({"a"}), "captions_only": True}
    remember(desk.library, first)
    assert remembered(desk.library) == first
    every = together(remembered(desk.library), {"min_views": 5, "exclude": frozenset({"b"})})
    remember(desk.library, every)
    rules = made_of(remembered(desk.library))
    assert (rules.license, rules.captions_only, rules.min_views) == (License.CC_BY, True, 5)
    assert rules.exclude == {"a", "b"}
    assert rules.max_seconds == 2000
    own = own_rules(every)["folder"]
    assert (own.license, own.min_views, own.max_seconds) == (License.CC_BY, 5, float("inf"))


class Folder(MemorySource):
    """A source with rules of its own."""

    name = "folder"


def test_own_files_have_their_own_rules_and_others_keep_theirs(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.facts["a"] = {"views": 3}
    desk.run("fold")
    folder = Folder(finds={"": ["f"]}, facts={"f": {"views": 3, "tracks": ()}})
    desk.source.asked.clear()
    collect(
        desk.library,
        {"memory": desk.source, "folder": folder},
        Rules(keep_free=0),
        own=own_rules({"keep_free": 0}),
        lists=[("", folder)],
        clock=Clock(desk.clock.now, desk.clock.sleep),
        on_event=desk.events.append,
    )
    assert desk.outcomes == {"a": Reason.TOO_FEW_VIEWS, "f": KEPT}
    assert desk.source.asked == []


def test_files_that_lie_in_the_library_are_not_listed_again(desk, tmp_path: Path) -> None:
    class Files(MemorySource):
        def find(self, task: Task | None, limit: int) -> Any:
            for folder in (desk.library.folder, tmp_path):
                yield Candidate(folder.name, "memory", f"{folder}/film.mp4", 0)

    source = Files()
    lists = [("", source)]
    assert plan(desk.library, Rules(), source.polite, lists=lists).listed == 1
    desk.run(lists=lists)
    assert desk.ledger.known([desk.library.folder.name, tmp_path.name]) == {tmp_path.name}


# Sites.


@pytest.mark.parametrize(
    ("video_id", "address", "site"),
    [
        ("youtube-abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk", "youtube"),
        ("urls-0", "https://Example.org:8080/a", "example.org"),
        ("urls-0", "http://u:p@example.org/a", "example.org"),
        ("urls-0", "http://example.org./a", "example.org"),
        ("urls-0", "https://[bad/a", "urls"),
        ("folder-0", "/films/a.mp4", "urls"),
    ],
)
def test_whom_an_address_asks(video_id: str, address: str, site: str) -> None:
    assert site_of(Candidate(video_id, "urls", address, 0)) == site


class Second(MemorySource):
    """Another list of the same site."""

    name = "second"


class Web(MemorySource):
    """Addresses of several hosts: the part of an id before the dash."""

    def find(self, task: Task | None, limit: int) -> Any:
        for one in self.finds[""]:
            yield Candidate(one, "memory", f"https://{one.partition('-')[0]}.example/{one}", 0)


def run_all(desk: Desk, sources: list[MemorySource], **options: Any) -> Any:
    return collect(
        desk.library,
        {one.name: one for one in sources},
        Rules(keep_free=0),
        lists=[("", one) for one in sources],
        clock=Clock(desk.clock.now, desk.clock.sleep),
        chance=random.Random(0),
        on_event=desk.events.append,
        **options,
    )


def test_one_site_is_parked_and_paced_whichever_list_named_it(desk, trouble) -> None:
    first, second = desk.source, Second()
    first.finds[""], second.finds[""] = ["youtube-aaaaaaaaaaa"], ["youtube-bbbbbbbbbbb"]
    first.trouble["describe", "youtube-aaaaaaaaaaa"] = trouble(Reason.BOT_CHECK)
    (parked,) = run_all(desk, [first, second]).parked
    assert (parked.site, second.asked[1:]) == ("youtube", [])
    desk.clock.time = parked.until + 1
    desk.clock.slept.clear()
    assert run_all(desk, [first, second]).is_finished
    assert len([wait for wait in desk.clock.slept if wait >= 0.9]) == 5


def test_one_host_is_parked_and_the_others_go_on(desk, trouble) -> None:
    web = Web(finds={"": ["one-1", "one-2", "two-1", "two-2"]})
    web.trouble["describe", "one-1"] = trouble(Reason.RATE_LIMITED)
    ended = run_all(desk, [web])
    assert [parked.site for parked in ended.parked] == ["one.example"]
    assert ended.next_time == ended.parked[0].until
    assert desk.outcomes == {"one-1": Reason.RATE_LIMITED, "two-1": KEPT, "two-2": KEPT}
    assert run_all(desk, [web], wait=True).is_finished
    assert set(desk.outcomes.values()) == {KEPT}


# Lists and plans.


def test_a_list_with_and_without_names_has_its_tasks_once(desk) -> None:
    def rows(**names: str) -> list[tuple[Task, Candidate]]:
        return [
            (Task(names.get(f"t{n}", str(n)), "Food", str(n)), Candidate(f"v{n}", "m", "a", 1))
            for n in range(2)
        ]

    names = {"t0": "Fold", "t1": "Iron"}
    for given in ({}, names, {}, names):
        desk.ledger.put_list(rows(**given))
    found = desk.library.connection.execute("SELECT name, task_id FROM tasks ORDER BY task_id")
    assert found.fetchall() == [("Fold", "0"), ("Iron", "1")]
    assert desk.library.connection.execute("SELECT count(*) FROM hits").fetchone() == (2,)


def test_of_two_ranks_for_one_task_the_better_one_stays(desk) -> None:
    for rank in (5, 2, 9):
        desk.ledger.put_list([(Task("fold"), Candidate("a", "m", "a", rank))])
    ranks = desk.library.connection.execute("SELECT rank FROM hits").fetchall()
    assert ranks == [(2,)]


def test_a_plan_counts_each_search_once(desk) -> None:
    tasks = [Task(name, query=name) for name in ("fold", "iron", "sew")]
    desk.source.finds["fold"] = ["a"]
    desk.run("fold", rules=Rules(keep_free=0, top=20))
    desk.ledger.put_tasks(tasks[1:2], "memory", 20)  # and not searched for yet

    def searches(top: int) -> int:
        pace = desk.source.polite
        return plan(desk.library, Rules(top=top), pace, tasks=tasks, search="memory").searches

    assert (searches(20), searches(200)) == (2, 3)


def test_a_plan_looks_again_at_what_the_run_would(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b", "c"]
    desk.source.facts["a"] = {"views": 3}
    desk.source.trouble["describe", "b"] = trouble(Reason.PRIVATE)
    desk.run("fold")
    pace = desk.source.polite

    def waiting(rules: Rules, **options: Any) -> int:
        return plan(desk.library, rules, pace, search="memory", **options).waiting

    assert waiting(Rules()) == 0
    assert waiting(Rules(min_views=3)) == 1
    assert waiting(Rules(), retry=True) == 1
    assert waiting(Rules(min_views=3), retry=True) == 2
    assert waiting(Rules(), reopen=[Reason.PRIVATE]) == 1
    assert desk.ledger.num_open() == (0, 0), "a plan writes nothing"
