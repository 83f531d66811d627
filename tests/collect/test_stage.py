"""Collecting: the order of work, the filters, what each failure leads to, and going on."""

import errno
import hashlib
import itertools
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from howto.collect import place
from howto.collect.fetched import CaptionTrack
from howto.collect.ledger import Step
from howto.collect.policy import POLICIES, Then
from howto.collect.rules import License, Rules
from howto.collect.stage import KEPT, collect
from howto.errors import ItemError, LibraryBusy, Reason, RetryLater, UsageError
from howto.library import Library
from howto.records import Kind

RULES = Rules(keep_free=0)
HOUR = 3600.0


def test_cheap_questions_come_first_and_files_land_whole(desk) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    ended = desk.run("fold")
    assert ended.is_finished
    assert desk.outcomes == {"a": KEPT, "b": KEPT}
    assert desk.source.asked == [
        ("find", "fold"),
        *((request, "a") for request in ("describe", "captions", "media")),
        *((request, "b") for request in ("describe", "captions", "media")),
    ]
    assert (desk.places.media / "a.mp4").read_bytes() == b"a"
    row = desk.row("a")
    assert (row["state"], row["media"], row["caption"]) == ("done", "a.mp4", "a.en.vtt")
    assert row["media_sha256"] == hashlib.sha256(b"a").hexdigest()
    caption = (desk.places.captions / "a.en.vtt").read_bytes()
    assert row["caption_sha256"] == hashlib.sha256(caption).hexdigest()
    assert (row["num_words"], row["num_lines"], row["views"]) == (120, 15, 1000)
    assert list(desk.places.parts.iterdir()) == []


def test_a_second_run_asks_for_nothing(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.run("fold")
    desk.source.asked.clear()
    assert desk.run("fold").is_finished
    assert desk.source.asked == []


def test_a_video_of_two_tasks_is_fetched_once_and_all_hits_are_kept(desk) -> None:
    desk.source.finds = {"fold": ["a", "b"], "iron": ["c", "b", "a"]}
    desk.run("fold", "iron")
    assert set(desk.source.count("media").values()) == {1}
    hits = desk.library.connection.execute(
        "SELECT name, video_id, rank FROM hits JOIN tasks USING (task)"
        " JOIN candidates USING (candidate)"
    )
    assert set(hits) == {
        ("fold", "a", 1),
        ("fold", "b", 2),
        ("iron", "c", 1),
        ("iron", "b", 2),
        ("iron", "a", 3),
    }
    assert desk.ledger.videos_with_rank_at_most(1) == {"a", "c"}
    assert desk.ledger.videos_with_rank_at_most(2) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("facts", "rules", "reason"),
    [
        ({"live": True}, {}, Reason.LIVE),
        ({"duration": 2001.0}, {}, Reason.TOO_LONG),
        ({"duration": 2000.0}, {}, None),
        ({"duration": None}, {}, None),
        ({"views": 99}, {}, Reason.TOO_FEW_VIEWS),
        ({"views": 100}, {}, None),
        ({"views": None}, {}, None),
        ({"views": 0}, {"min_views": 0}, None),
        ({}, {"license": License.CC_BY}, Reason.LICENCE_UNFIT),
        ({"license": "cc-by"}, {"license": License.CC_BY}, None),
        ({"license": ""}, {"license": License.CC_BY}, Reason.LICENCE_UNFIT),
        ({"language": "de"}, {}, Reason.OTHER_LANGUAGE),
        ({"language": "en-GB"}, {}, None),
        ({"language": None}, {}, None),
        ({"tracks": ()}, {}, Reason.NO_CAPTIONS),
        ({"tracks": ()}, {"min_words": 0}, None),
    ],
)
def test_the_filters_ask_for_no_more_than_they_need(desk, facts, rules, reason) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.facts["a"] = facts
    desk.run("fold", rules=Rules(keep_free=0, **rules))
    assert desk.outcomes == {"a": reason or KEPT}
    assert ("captions" in dict(desk.source.asked)) == (reason is None and facts != {"tracks": ()})
    assert desk.source.count("media") == ({"a": 1} if reason is None else {})


def test_a_translated_track_only_where_it_is_allowed(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    tracks = (
        CaptionTrack("ko", Kind.AUTOMATIC, "json3", "ko-orig"),
        CaptionTrack("en", Kind.TRANSLATED, "vtt", "en"),
    )
    desk.source.facts["a"] = {"language": None, "tracks": tracks}
    desk.run("fold")
    assert desk.outcomes == {"a": Reason.OTHER_LANGUAGE}
    desk.run(rules=Rules(keep_free=0, allow_translated=True))
    assert desk.outcomes == {"a": KEPT}


def test_too_few_words_cost_no_media(desk) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.words = {"a": 99, "b": 100}
    desk.run("fold")
    assert desk.outcomes == {"a": Reason.TOO_FEW_WORDS, "b": KEPT}
    assert desk.source.count("media") == {"b": 1}
    assert [path.name for path in desk.places.captions.iterdir()] == ["b.en.vtt"]


def test_other_rules_look_again_at_what_they_would_take(desk) -> None:
    desk.source.finds["fold"] = ["short", "unseen", "long", "silent", "fine"]
    desk.source.words["short"] = 50
    desk.source.facts = {
        "unseen": {"views": 10},
        "long": {"duration": 5000.0},
        "silent": {"tracks": ()},
    }
    desk.run("fold")
    assert Counter(desk.outcomes.values())[KEPT] == 1
    desk.source.asked.clear()
    desk.run(rules=Rules(keep_free=0, min_words=50))
    assert desk.source.count("describe") == {"short": 1}
    desk.run(rules=Rules(keep_free=0, min_words=50, min_views=10, max_seconds=5000))
    assert desk.source.count("describe") == {"short": 1, "unseen": 1, "long": 1}
    desk.run(rules=Rules(keep_free=0, min_words=0))
    assert set(desk.outcomes.values()) == {KEPT}


def test_captions_alone_and_the_media_later(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.run("fold", rules=Rules(keep_free=0, captions_only=True))
    assert desk.outcomes == {"a": KEPT}
    assert desk.source.count("media") == {}
    desk.run()
    assert desk.source.count("captions") == {"a": 1}
    assert desk.row("a")["media"] == "a.mp4"


def test_deeper_searches_are_done_again_and_others_are_not(desk) -> None:
    desk.source.finds["fold"] = ["a", "b", "c"]
    desk.run("fold", rules=Rules(keep_free=0, top=2))
    assert set(desk.outcomes) == {"a", "b"}
    desk.run("fold", rules=Rules(keep_free=0, top=1))
    assert len(desk.source.count("find")) == 1
    desk.run("fold", rules=Rules(keep_free=0, top=3))
    assert set(desk.outcomes) == {"a", "b", "c"}
    assert desk.source.count("find") == {"fold": 2}


def test_what_is_excluded_is_not_even_asked_for(desk) -> None:
    desk.source.finds["fold"] = ["youtube-abcdefghijk", "youtube-12345678901", "c"]
    exclude = frozenset({"abcdefghijk", "c"})
    desk.run("fold", rules=Rules(keep_free=0, exclude=exclude))
    assert desk.outcomes == {
        "youtube-abcdefghijk": Reason.EXCLUDED,
        "youtube-12345678901": KEPT,
        "c": Reason.EXCLUDED,
    }
    assert set(desk.source.count("describe")) == {"youtube-12345678901"}
    desk.run()  # a run that does not name the list again keeps to it
    assert desk.outcomes["c"] == Reason.EXCLUDED
    desk.run(retry=True)
    assert desk.outcomes["c"] == KEPT


def test_the_limit_counts_videos_looked_at(desk) -> None:
    desk.source.finds["fold"] = ["a", "b", "c"]
    desk.source.facts["a"] = {"views": 0}
    ended = desk.run("fold", limit=2)
    assert (ended.is_finished, ended.limited, ended.videos) == (True, True, 1)
    assert desk.outcomes == {"a": Reason.TOO_FEW_VIEWS, "b": KEPT}


def test_requests_are_spaced_as_the_source_asks(desk) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.run("fold")
    # after find, describe, captions, media, describe, captions; a quarter more at most
    for wait, pace in zip(desk.clock.slept, (1, 1, 2, 4, 1, 2), strict=True):
        assert pace * 0.99 <= wait <= pace * 1.25
    assert len(set(desk.clock.slept)) == 6, "no two waits are the same"


# Failures.


RULED = {Reason.TOO_LONG, Reason.TOO_FEW_VIEWS, Reason.TOO_FEW_WORDS, Reason.LICENCE_UNFIT}
DEAD = [reason for reason, one in POLICIES.items() if one.then is Then.NEVER]


@pytest.mark.parametrize("reason", [reason for reason in DEAD if reason not in RULED])
@pytest.mark.parametrize("request_", ["describe", "captions", "media"])
def test_a_dead_video_is_asked_for_once(desk, reason: Reason, request_: str) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.trouble[request_, "a"] = [ItemError(reason, "as the site says")]
    assert desk.run("fold").is_finished
    assert desk.run("fold").is_finished
    assert desk.outcomes == {"a": reason, "b": KEPT}
    assert desk.source.count(request_)["a"] == 1
    row = desk.row("a")
    assert (row["state"], row["reason"], row["detail"]) == ("rejected", reason, "as the site says")


def test_retry_asks_again_for_what_was_gone(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.facts["b"] = {"views": 1}
    desk.source.trouble["describe", "a"] = trouble(Reason.PRIVATE)
    desk.run("fold")
    desk.run(retry=True)
    assert desk.outcomes == {"a": KEPT, "b": Reason.TOO_FEW_VIEWS}
    assert desk.source.count("describe") == {"a": 2, "b": 1}


def test_a_hiccup_is_waited_out_without_being_asked_to(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.trouble["media", "a"] = trouble(Reason.NETWORK, 2)
    assert desk.run("fold").is_finished
    assert desk.outcomes == {"a": KEPT, "b": KEPT}
    assert desk.source.count("captions")["a"] == 1, "what is in place is not fetched again"
    first, second = (wait for wait in desk.clock.slept if wait > 10)
    assert 60 * 0.8 < first < 60 * 1.25
    assert 120 * 0.9 < second < 120 * 1.25


def test_given_up_after_so_many_attempts_and_said_so(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.trouble["media", "a"] = trouble(Reason.TRUNCATED, 99)
    desk.run("fold", wait=True)
    assert desk.source.count("media") == {"a": POLICIES[Reason.TRUNCATED].attempts}
    row = desk.row("a")
    assert (row["state"], row["reason"]) == ("failed", "truncated")
    assert row["detail"].startswith("given up after 4 attempts")
    desk.source.trouble.clear()
    desk.run(retry=True)
    assert desk.outcomes == {"a": KEPT}


def test_later_means_not_before_its_time(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.facts["a"] = {"live": True}
    ended = desk.run("fold")
    assert not ended.is_finished
    assert ended.parked == ()
    assert 20 * HOUR < ended.next_time - desk.clock.time <= 30 * HOUR
    desk.source.asked.clear()
    desk.run()
    assert desk.source.asked == []
    desk.source.facts.clear()
    desk.clock.time += 30 * HOUR
    assert desk.run().is_finished
    assert desk.outcomes == {"a": KEPT, "b": KEPT}


@pytest.mark.parametrize("request_", ["find", "describe", "captions", "media"])
@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.BOT_CHECK])
def test_a_site_that_has_had_enough_parks_the_run(desk, trouble, reason, request_) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.trouble[request_, "fold" if request_ == "find" else "a"] = trouble(reason)
    ended = desk.run("fold")
    (parked,) = ended.parked
    hours = {Reason.RATE_LIMITED: 1, Reason.BOT_CHECK: 6}[reason]
    assert parked.reason is reason
    assert hours * HOUR * 0.99 < parked.until - desk.clock.time <= hours * HOUR * 1.25
    asked = list(desk.source.asked)
    assert not desk.run("fold").is_finished
    assert desk.source.asked == asked, "before its time nothing is asked"
    desk.clock.time = parked.until
    assert desk.run().is_finished
    assert desk.outcomes == {"a": KEPT, "b": KEPT}
    assert desk.ledger.parked() == {}
    assert desk.row("a")["attempts"] == 0


def test_the_servers_own_time_is_kept_to(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.trouble["describe", "a"] = [RetryLater(Reason.RATE_LIMITED, "429", 5 * HOUR)]
    (parked,) = desk.run("fold").parked
    assert parked.until - desk.clock.time == pytest.approx(5 * HOUR, abs=1)


@pytest.mark.parametrize("request_", ["find", "describe", "media"])
def test_parking_again_at_once_takes_twice_as_long(desk, trouble, request_: str) -> None:
    desk.source.finds["fold"] = ["a"]
    key = "fold" if request_ == "find" else "a"
    desk.source.trouble[request_, key] = trouble(Reason.RATE_LIMITED, 4)
    assert desk.run("fold", wait=True).is_finished
    waits = [wait for wait in desk.clock.slept if wait > HOUR / 2]
    for number, wait in enumerate(waits):
        assert HOUR * 2**number * 0.99 < wait <= HOUR * 2**number * 1.25
    assert len(waits) == 4


def test_many_failures_in_a_row_are_not_the_videos_fault(desk, trouble) -> None:
    ids = [f"v{number}" for number in range(12)]
    desk.source.finds["fold"] = ids
    desk.source.trouble["describe", "*"] = trouble(Reason.NETWORK, 5)
    ended = desk.run("fold")
    (parked,) = ended.parked
    assert parked.reason is Reason.NETWORK
    assert len(desk.source.count("describe")) == 5
    assert all(desk.row(video_id)["attempts"] == 0 for video_id in ids)
    desk.clock.time = parked.until
    assert desk.run().is_finished
    assert set(desk.outcomes.values()) == {KEPT}


def test_searches_are_not_given_up_while_the_net_is_down(desk, trouble) -> None:
    queries = [f"task {number}" for number in range(7)]
    desk.source.finds = {query: ["a"] for query in queries}
    desk.source.trouble["find", "*"] = trouble(Reason.NETWORK, 60)
    assert desk.run(*queries, wait=True).is_finished
    assert set(desk.source.count("find")) == set(queries)
    failed = desk.library.connection.execute("SELECT count(*) FROM searches WHERE reason NOT NULL")
    assert failed.fetchone() == (0,)


def test_a_bug_of_a_source_gives_no_video_up_where_it_hits_all(desk) -> None:
    ids = [f"v{number}" for number in range(6)]
    desk.source.finds["fold"] = ids
    desk.source.trouble["describe", "*"] = [KeyError("x")] * 5
    (parked,) = desk.run("fold").parked
    assert parked.reason is Reason.INTERNAL_ERROR
    assert {desk.row(video_id)["state"] for video_id in ids} == {"later", "found"}


def test_a_bug_in_one_video_costs_that_video(desk) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.source.trouble["describe", "a"] = [ValueError("odd page")]
    assert desk.run("fold").is_finished
    assert desk.outcomes == {"a": Reason.INTERNAL_ERROR, "b": KEPT}
    assert desk.row("a")["detail"] == "ValueError: odd page"


def test_connections_that_break_are_the_network(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.trouble["describe", "a"] = [ConnectionResetError("reset"), TimeoutError("slow")]
    assert desk.run("fold").is_finished
    outcomes = [one.outcome for one in desk.events if one.what == "video"]
    assert outcomes == ["network", "network", KEPT]


def test_a_search_that_fails_is_tried_again_and_then_given_up(desk, trouble) -> None:
    desk.source.finds = {"fold": ["a"], "iron": ["b"]}
    desk.source.trouble["find", "fold"] = trouble(Reason.NETWORK, 99)
    ended = desk.run("fold", "iron", wait=True)
    assert ended.is_finished
    assert desk.outcomes == {"b": KEPT}
    assert desk.source.count("find") == {"fold": POLICIES[Reason.NETWORK].attempts, "iron": 1}
    desk.source.trouble.clear()
    desk.run(retry=True)
    assert desk.outcomes == {"a": KEPT, "b": KEPT}


# The disk.


def test_a_nearly_full_disk_stops_before_it_is_full(desk, monkeypatch) -> None:
    free = 2_000_000_000
    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: Usage(free))
    desk.source.finds["fold"] = ["a"]
    ended = desk.run("fold", rules=Rules(keep_free=1_999_000_000))
    (parked,) = ended.parked
    assert (parked.reason, parked.until) == (Reason.DISK_FULL, 0.0)
    assert desk.source.count("media") == {}
    free = 3_000_000_000
    assert desk.run(rules=Rules(keep_free=1_999_000_000)).is_finished
    assert desk.source.count("captions") == {"a": 1}


class Usage:
    def __init__(self, free: int) -> None:
        self.free = free


@pytest.mark.parametrize("request_", ["captions", "media"])
def test_a_disk_that_fills_up_meanwhile_is_no_videos_fault(desk, request_) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.trouble[request_, "a"] = [OSError(errno.ENOSPC, "No space left on device")]
    (parked,) = desk.run("fold").parked
    assert parked.reason is Reason.DISK_FULL
    assert desk.run().is_finished
    assert desk.outcomes == {"a": KEPT}


def test_with_wait_a_full_disk_is_looked_at_again(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.source.trouble["media", "a"] = [OSError(errno.ENOSPC, "No space left on device")]
    assert desk.run("fold", wait=True).is_finished
    assert max(desk.clock.slept) == pytest.approx(600, abs=1)


# Kills.


class Killed(BaseException):
    """As SIGKILL: nothing of ours catches it."""


def test_a_kill_at_any_step_repeats_that_step_alone(desk, tmp_path: Path, monkeypatch) -> None:
    """Every write and every request in turn is the last thing that a process did."""
    ids = ["a", "b", "c"]
    whole = None
    for last in itertools.count():
        folder = tmp_path / f"killed-{last}"
        folder.mkdir()
        desk.source.asked.clear()
        desk.source.finds = {"fold": ids[:2], "iron": ids[1:]}
        with Library.open(folder) as desk.library:
            kill = _kill_at(monkeypatch, desk, last)
            if kill:
                desk.run("fold", "iron")
            monkeypatch.undo()
            state = [desk.row(one)["state"] for one in ids]
            assert state == ["done"] * 3
            counts = {name: desk.source.count(name) for name in ("find", "captions", "media")}
            assert all(sum(count.values()) <= len(count) + 1 for count in counts.values())
            assert sum(sum(count.values()) - len(count) for count in counts.values()) <= 1
            assert sorted(path.name for path in desk.places.media.iterdir()) == [
                f"{one}.mp4" for one in ids
            ]
            assert list(desk.places.parts.iterdir()) == []
        if not kill:
            whole = last
            break
    assert whole is not None
    assert whole > 20, "there are that many instants in a run"


def _kill_at(monkeypatch: pytest.MonkeyPatch, desk, last: int) -> bool:
    """Run until the instant number `last`, then kill; False where the run ended before that."""
    instants = itertools.count()

    def watched(function):
        def call(*arguments, **options):
            if next(instants) == last:
                raise Killed
            given = function(*arguments, **options)
            if next(instants) == last:
                raise Killed
            return given

        return call

    for name in ("find", "describe", "captions", "media"):
        monkeypatch.setattr(desk.source, name, watched(getattr(desk.source, name)), raising=False)
    monkeypatch.setattr("howto.collect.stage.land", watched(place.land))
    for name in ("described", "captioned", "done", "put_hits"):
        target = f"howto.collect.ledger.Ledger.{name}"
        monkeypatch.setattr(target, watched(getattr(desk.ledger.__class__, name)))
    try:
        desk.run("fold", "iron")
    except Killed:
        monkeypatch.undo()
        return True
    return False


@pytest.mark.parametrize(("step", "request_"), [("captioned", "captions"), ("done", "media")])
def test_what_lies_whole_in_its_place_is_not_fetched_again(
    desk, monkeypatch, step: str, request_: str
) -> None:
    def killed(*_arguments) -> None:
        raise Killed

    desk.source.finds["fold"] = ["a"]
    monkeypatch.setattr(f"howto.collect.ledger.Ledger.{step}", killed)
    with pytest.raises(Killed):
        desk.run("fold")
    monkeypatch.undo()
    assert desk.row("a")["state"] != "done"
    desk.run()
    assert desk.source.count(request_) == {"a": 1}
    row = desk.row("a")
    assert row["media_sha256"] == hashlib.sha256(b"a").hexdigest()
    assert (row["state"], row["num_words"]) == ("done", 120)


def test_parts_of_closed_videos_are_swept_and_of_open_ones_kept(desk, trouble) -> None:
    desk.source.finds["fold"] = ["a", "b"]
    desk.run("fold", limit=1)
    for video_id in ("a", "b", "stranger"):
        (desk.places.parts / video_id).mkdir()
        (desk.places.parts / video_id / "x.part").write_bytes(b"half")
    desk.run(limit=0)
    assert [path.name for path in desk.places.parts.iterdir()] == ["b"]


def test_one_process_at_a_time(desk, monkeypatch) -> None:
    monkeypatch.setattr("howto.collect.stage._OTHER_COLLECT", 0.05)
    with (
        Library.open(desk.library.folder) as other,
        other.exclusive("collect"),
        pytest.raises(LibraryBusy),
    ):
        desk.run("fold")


# Names from the net.

NASTY = [
    "../../etc/passwd",
    "a/b\\c",
    "line\nbreak\r\x00\x1b[2Jbell\x07",
    "\u202egpj.exe\u2066",
    "CON",
    "n" * 300,
    "\ud800 half a character",
    "-rf *; $(reboot)",
]


def test_titles_of_any_kind_never_become_paths(desk) -> None:
    ids = [f"memory-{number:016x}" for number in range(len(NASTY))]
    desk.source.finds["fold"] = ids
    for video_id, title in zip(ids, NASTY, strict=True):
        desk.source.facts[video_id] = {"title": title, "description": title, "tags": (title,)}
    assert desk.run("fold").is_finished
    names = {path.name for path in desk.places.media.iterdir()}
    assert names == {f"{video_id}.mp4" for video_id in ids}
    for video_id in ids:
        title = desk.row(video_id)["title"]
        assert "\x1b" not in title
        assert "\u202e" not in title
        assert "\x00" not in title


@pytest.mark.parametrize(
    "video_id", ["../x", "a/b", "", ".hidden", "a\nb", "x" * 101, "a b", "é", "CON"]
)
def test_an_id_that_is_unfit_for_a_path_is_refused(desk, video_id: str) -> None:
    desk.source.finds["fold"] = [video_id]
    with pytest.raises(UsageError, match="unfit for the name of a file"):
        desk.run("fold")
    assert list(desk.library.folder.parent.glob("*.mp4")) == []


def test_a_language_from_the_net_never_leaves_the_folder(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    track = CaptionTrack("en-../../x", Kind.MANUAL, "v/t", "k")
    desk.source.facts["a"] = {"language": None, "tracks": (track,)}
    desk.source.captions = lambda described, track, into: _captions(into)
    desk.run("fold")
    assert [path.name for path in desk.places.captions.iterdir()] == ["a.en-x.vt"]


def _captions(into: Path) -> Path:
    path = into / "given.vtt"
    path.write_text("WEBVTT\n\n00:00.000 --> 01:00.000\n" + "word " * 120 + "\n")
    return path


def test_rules_that_cannot_mean_anything() -> None:
    for wrong in ({"top": 0}, {"max_seconds": float("nan")}, {"min_views": -1}, {"height": 0}):
        with pytest.raises(UsageError, match="expected at least"):
            Rules(**wrong)


def test_a_list_needs_no_search(desk) -> None:
    desk.source.finds[""] = ["a", "b", "a"]
    ended = desk.run(lists=[("", desk.source)])
    assert ended.is_finished
    assert desk.outcomes == {"a": KEPT, "b": KEPT}
    assert desk.ledger.videos_with_rank_at_most(200) == frozenset(), "no task, no rank"


def test_a_list_that_was_read_is_not_read_again(desk) -> None:
    desk.source.finds[""] = ["a"]
    desk.source.trouble["find", ""] = [UsageError("row 7 is broken")]
    with pytest.raises(UsageError):
        desk.run(lists=[("list 1", desk.source)])
    for fingerprint, times in (("list 1", 2), ("list 1", 2), ("list 2", 3), ("", 4), ("", 5)):
        desk.run(lists=[(fingerprint, desk.source)])
        assert desk.source.count("find") == {"": times}


def test_sources_that_are_not_at_hand_are_left_alone(desk) -> None:
    desk.source.finds["fold"] = ["a"]
    desk.run("fold", limit=0)
    ended = collect(desk.library, {}, RULES, chance=random.Random(0))
    assert (ended.searches, ended.is_finished) == (1, False)
    assert Step.DONE not in {desk.ledger.sources()}


def test_the_page_tells_every_policy() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "collect.md").read_text(encoding="utf-8")
    rows = {row[0]: row[1:] for row in re.findall(r"\| `(\w+)` \| ([\w ]+) \| ?(.*?) ?\|", page)}
    assert {reason: row[0] for reason, row in rows.items()} == {
        reason: policy.then for reason, policy in POLICIES.items()
    }
    for reason, policy in POLICIES.items():
        if policy.in_a_row:
            assert f"{policy.in_a_row} in a row park" in rows[reason][1]
        if policy.then is Then.LATER:
            assert rows[reason][1].startswith(f"{policy.attempts} attempt")
