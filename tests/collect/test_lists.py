"""Lists of videos as people and papers publish them."""

import itertools
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.collect.fetched import Candidate, Task
from howto.collect.lists import howto100m_hits, howto100m_tasks, listed_youtube_ids, youtube_id
from howto.collect.sources.howto100m_csv import HowTo100MCsvSource
from howto.collect.sources.urls import UrlsSource
from howto.collect.sources.youtube import YouTubeSource
from howto.errors import UsageError

ID = "aqz-KE-bpKQ"
HEADER = "video_id,category_1,category_2,rank,task_id"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"youtube-{ID}",
        f"https://www.youtube.com/watch?v={ID}",
        f"http://youtube.com/watch?list=PL123&v={ID}&t=3s",
        f"https://m.youtube.com/watch?v={ID}#there",
        f"https://music.youtube.com/watch?v={ID}",
        f"https://youtu.be/{ID}",
        f"https://youtu.be/{ID}?si=abc",
        f"youtu.be/{ID}",
        f"https://www.youtube.com/shorts/{ID}",
        f"https://www.youtube.com/embed/{ID}?rel=0",
        f"https://www.youtube.com/live/{ID}",
        f"https://www.youtube.com/live/{ID}/more",
        f"https://www.youtube.com/v/{ID}",
        f"https://www.youtube.com/e/{ID}",
        f"https://www.youtube-nocookie.com/embed/{ID}",
    ],
)
def test_all_the_ways_to_name_a_video(text: str) -> None:
    assert youtube_id(text) == ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        ID[:-1],
        ID + "x",
        "UCsXVk37bltHxD1rDPwtNM8Q",
        "https://www.youtube.com/playlist?list=PL123",
        "https://www.youtube.com/@somebody",
        f"https://www.youtube.com/embed/{ID}x",
        f"https://www.youtube.com/c/embed/{ID}",
        f"https://notyoutube.com/watch?v={ID}",
        f"https://youtube.com.example.org/watch?v={ID}",
        f"https://example.org/?u=youtube.com/watch?v={ID}",
        "https://youtu.be/../../etc",
        f"https://vimeo.com/{ID}",
        "http://[::1",
    ],
)
def test_what_is_no_video_of_youtube_s(text: str) -> None:
    assert youtube_id(text) is None


@given(st.text())
def test_an_id_is_safe_or_none(text: str) -> None:
    found = youtube_id(text)
    assert found is None or (len(found) == 11 and found.replace("-", "").replace("_", "").isalnum())


def test_a_published_list_of_ids(shared_data: Path) -> None:
    listed = shared_data / "annotations" / "htm_holdout_vid.txt"
    found = [each.video_id for each in YouTubeSource(ids=listed).find(None, 10_000)]
    lines = listed.read_text().split()
    assert found == [f"youtube-{line}" for line in dict.fromkeys(lines)]
    assert len(found) > 10


def test_ids_with_comments_and_more_columns(tmp_path: Path) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_bytes(
        f"\ufeff# mine\r\n\r\n  {ID},455.0\r\nhttps://youtu.be/{ID}\r\n-xbTvALWCIg\n".encode()
    )
    assert list(listed_youtube_ids(listed)) == [ID, "-xbTvALWCIg"]


def test_a_line_that_is_no_id_is_named(tmp_path: Path) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text(f"{ID}\n../../etc/passwd\n")
    with pytest.raises(UsageError, match=r"ids.txt, line 2: '\.\./\.\./etc/passwd' is no id"):
        list(listed_youtube_ids(listed))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: YouTubeSource(ids=path),
        lambda path: UrlsSource(urls=path),
        lambda path: HowTo100MCsvSource(csv=path),
    ],
)
def test_a_list_that_cannot_be_read(tmp_path: Path, make) -> None:
    with pytest.raises(UsageError, match="no-such-list: No such file"):
        list(make(tmp_path / "no-such-list").find(None, 5))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x00")
    with pytest.raises(UsageError, match="binary: cannot be read"):
        list(make(tmp_path / "binary").find(None, 5))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda path: YouTubeSource(ids=path), ""),
        (lambda path: YouTubeSource(ids=path), "# none\n\n"),
        (lambda path: UrlsSource(urls=path), "\n"),
        (lambda path: HowTo100MCsvSource(csv=path), f"{HEADER}\n"),
    ],
)
def test_an_empty_list_is_a_mistake(tmp_path: Path, make, text: str) -> None:
    (tmp_path / "empty").write_text(text)
    with pytest.raises(UsageError, match="empty: no video is listed in it"):
        list(make(tmp_path / "empty").find(None, 5))


def test_addresses_have_one_id_each_and_youtube_s_its_own(tmp_path: Path) -> None:
    listed = tmp_path / "urls.txt"
    lines = [
        "https://example.org/a.mp4",
        "# https://example.org/not.mp4",
        f"https://youtu.be/{ID}",
        "https://example.org/b.mp4",
        "https://example.org/a.mp4",
    ]
    listed.write_text("\n".join(lines))
    found = list(UrlsSource(urls=listed).find(None, 10))
    assert [each.address for each in found] == [
        lines[0],
        f"https://www.youtube.com/watch?v={ID}",
        lines[3],
    ]
    assert found[1].video_id == f"youtube-{ID}"
    assert all(each.video_id.startswith("urls-") for each in (found[0], found[2]))


# --- the paper's list ---


def test_every_row_is_a_hit(tmp_path: Path) -> None:
    listed = tmp_path / "HowTo100M_v1.csv"
    listed.write_text(
        f"{HEADER},path\n"
        f"{ID},Food and Entertaining,Recipes,3,101,x/{ID}.mp4\n"
        f'-xbTvALWCIg,"Cars, & Others",,1,102,\n'
        f"{ID},Food and Entertaining,Recipes,7,103,\n"
    )
    names = tmp_path / "task_ids.csv"
    names.write_text("101\tMake Pancakes\n102,Change a Tire\n")
    source = HowTo100MCsvSource(csv=listed, task_names=names)
    address = "https://www.youtube.com/watch?v="
    first = Candidate(f"youtube-{ID}", "howto100m-csv", f"{address}{ID}", 3)
    second = Candidate("youtube--xbTvALWCIg", "howto100m-csv", f"{address}-xbTvALWCIg", 1)
    assert list(source.hits()) == [
        (Task("Make Pancakes", "Food and Entertaining", "101"), first),
        (Task("Change a Tire", "Cars, & Others", "102"), second),
        (
            Task("103", "Food and Entertaining", "103"),
            Candidate(first.video_id, *list_of(first), 7),
        ),
    ]
    assert list(source.find(None, 10)) == [first, second]


def list_of(candidate: Candidate) -> tuple[str, str]:
    return candidate.source, candidate.address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video_id,rank\nx,1\n", "no column 'category_1'; expected video_id, category_1"),
        ("", "no column 'video_id'"),
        (f"{HEADER}\n../x,a,b,1,2\n", r"line 2: '\.\./x' is no id"),
        (f"{HEADER}\n{ID},a,b,first,2\n", "line 2: expected a rank, got 'first'"),
        (f"{HEADER}\n{ID},a,b,1,2\n{ID}\n", "line 3: expected a rank, got ''"),
    ],
)
def test_a_broken_list_says_where(tmp_path: Path, text: str, message: str) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(text)
    with pytest.raises(UsageError, match=message):
        list(howto100m_hits(listed, "howto100m-csv"))


def test_names_of_tasks_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "task_ids.csv").write_text("101\n")
    with pytest.raises(UsageError, match="line 1: expected a task's id and its name"):
        howto100m_tasks(tmp_path / "task_ids.csv")


def test_a_long_list_is_not_held_in_memory(tmp_path: Path) -> None:
    listed = tmp_path / "long.csv"
    with listed.open("w") as file:
        file.write(f"{HEADER}\n")
        file.writelines(f"{n:011d},Food,Recipes,{n % 200 + 1},{n}\n" for n in range(50_000))
    tracemalloc.start()
    count = sum(1 for _ in howto100m_hits(listed, "howto100m-csv"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 50_000
    assert peak < 1 << 20


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"{HEADER}\n{ID},a,b,1,2\nbroken\n")
    assert len(list(HowTo100MCsvSource(csv=listed).find(None, 1))) == 1
    assert len(list(itertools.islice(HowTo100MCsvSource(csv=listed).hits(), 1))) == 1
