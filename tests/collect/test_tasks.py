"""Task lists as people write them, and which tasks are visual."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.collect.fetched import Task
from howto.collect.tasks import judge_all, query_of, read_ids, read_tasks
from howto.collect.verbs import NON_PHYSICAL, PHYSICAL, judge
from howto.errors import UsageError


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_one_task_a_line(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "tasks.txt",
        "\ufeff# shirts\r\n\r\nFold a Shirt\r\n"
        "  How To  iron, and hang,  a shirt \r\nfold a shirt\r\n",
    )
    assert read_tasks(path) == (
        Task("Fold a Shirt", query="how to Fold a Shirt"),
        Task("How To iron, and hang, a shirt", query="How To iron, and hang, a shirt"),
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'Fold a Shirt,Home,17\n"Iron, then Hang",Home,18\n'),
        ("b.csv", 'task,category,id\nFold a Shirt,Home,17\n"Iron, then Hang",Home,18\n'),
        ("c.csv", 'id,title,category\n17,Fold a Shirt,Home\n18,"Iron, then Hang",Home\n'),
        ("d.csv", '17,Fold a Shirt,Home\n18,"Iron, then Hang",Home\n'),
        ("e.tsv", "# two\nFold a Shirt\tHome\t17\nIron, then Hang\tHome\t18\n"),
    ],
)
def test_tables_with_and_without_a_first_row_of_names(tmp_path: Path, name, text) -> None:
    assert read_tasks(write(tmp_path, name, text)) == (
        Task("Fold a Shirt", "Home", "17", "how to Fold a Shirt"),
        Task("Iron, then Hang", "Home", "18", "how to Iron, then Hang"),
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("empty.txt", "", "there is no task in"),
        ("comments.txt", "# a\n#b\n", "there is no task in"),
        ("gap.csv", "Fold,Home\n,Home\n", "line 2: there is no task"),
        ("long.txt", "x" * 301, "a task of 301 characters"),
    ],
)
def test_lists_that_hold_no_tasks(tmp_path: Path, name, text, said) -> None:
    with pytest.raises(UsageError, match=said):
        read_tasks(write(tmp_path, name, text))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        read_tasks(tmp_path / "none.txt")


@given(st.binary(max_size=200), st.sampled_from([".txt", ".csv", ".tsv"]))
def test_any_bytes_give_tasks_or_our_error(tmp_path_factory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.mktemp("tasks") / f"tasks{suffix}"
    path.write_bytes(data)
    try:
        tasks = read_tasks(path)
    except UsageError:
        return
    assert tasks
    assert all(task.name.strip() and "\n" not in task.name for task in tasks)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("fold", "how to fold"),
        ("How to fold", "How to fold"),
        ("how  TO fold", "how  TO fold"),
        ("How together", "how to How together"),
    ],
)
def test_how_to_is_put_in_front_once(name: str, query: str) -> None:
    assert query_of(name) == query


IDS = {"youtube-abcdefghijk", "youtube-ABCDEFGHIJ_", "folder-0123456789abcdef"}


@pytest.mark.parametrize(
    "text",
    [
        "# test\nabcdefghijk,1\nABCDEFGHIJ_\tx\n\nfolder-0123456789abcdef jkl\n",
        "https://youtu.be/abcdefghijk?t=3\nhttps://www.youtube.com/watch?v=ABCDEFGHIJ_&x=1\n"
        "folder-0123456789abcdef\n",
        "\"abcdefghijk\"\n'ABCDEFGHIJ_'\nfolder-0123456789abcdef\r\n",
        "n,video_id\n1,abcdefghijk\n2,youtube-ABCDEFGHIJ_\n3,folder-0123456789abcdef\n",
    ],
)
def test_ids_as_people_write_them(tmp_path: Path, text: str) -> None:
    assert read_ids(write(tmp_path, "ids.csv", text)) == IDS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abcdefghijk\n1,abcdefghijk\n", "line 2: '1' is no YouTube id"),
        (b"\x00\x01\xff\xfe\x80", "line 1"),
        ("https://example.org/watch?v=abcdefghijk\n", "line 1"),
        ("", "there is no video in"),
        ("video_id\n", "there is no video in"),
    ],
)
def test_a_list_that_would_leave_out_nothing_is_refused(tmp_path: Path, text, said) -> None:
    with pytest.raises(UsageError, match=said):
        read_ids(write(tmp_path, "ids.txt", text))


def test_a_cell_may_hold_the_end_of_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'task,category\n"Fold\n a Shirt",Home\nIron,Home\n,x\n')
    with pytest.raises(UsageError, match="line 5: there is no task"):
        read_tasks(path)
    path = write(tmp_path, "b.csv", 'task,category\n"Fold\n a Shirt",Home\nIron,Home\n')
    assert [task.name for task in read_tasks(path)] == ["Fold a Shirt", "Iron"]


def test_a_cell_of_any_length_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as a table"):
        read_tasks(write(tmp_path, "a.csv", "x" * 200_000))


def test_no_verb_is_in_both_lists() -> None:
    assert not PHYSICAL & NON_PHYSICAL
    for named_by_the_paper in ("make", "build", "change"):
        assert named_by_the_paper in PHYSICAL
    for named_by_the_paper in ("be", "accept", "feel"):
        assert named_by_the_paper in NON_PHYSICAL


VISUAL = """
Fold a Shirt; Make a Paper Boat; How to Change a Tire; Properly Wash Your Hands; Stop Biting Nails
Get Rid of Stains; Care for a Rabbit; Apply Mascara; Sauté Mushrooms; Making Bread
Deep Fry a Turkey
Hard Boil an Egg; Start a Fire; Give a Dog a Bath; Build a Birdhouse; Make Toast
Take Apart a Laptop
Keep Flowers Fresh; Do a Cartwheel; Write Calligraphy; Tie a Tie; Fly a Kite; Put Up a Tent
"""
NOT_VISUAL = """
Be Happy; Accept Failure; Feel Better; Make Friends; Stop Worrying; Change Your Name; Build Trust
Know if a Boy Likes You; Get a Job; Apply for a Visa; Not Be Shy; Take Responsibility; Lose Weight
Stay Calm; Start a Conversation; Avoid Procrastinating; Give Advice; Keep Dreaming
"""


@pytest.mark.parametrize(
    "name", [one.strip() for one in VISUAL.strip().replace("\n", ";").split(";")]
)
def test_tasks_that_hands_do(name: str) -> None:
    assert judge(name).visual


@pytest.mark.parametrize(
    "name",
    [one.strip() for one in NOT_VISUAL.strip().replace("\n", ";").split(";")],
)
def test_tasks_that_no_hand_does(name: str) -> None:
    verdict = judge(name)
    assert not verdict.visual
    assert verdict.verb in verdict.why


def test_an_unknown_verb_is_kept_and_told() -> None:
    verdict = judge("Yarnbomb a Lamp Post")
    assert verdict.visual
    assert verdict.why == "yarnbomb: in no list, taken for a physical action"


@given(st.text(max_size=60))
def test_any_name_is_judged(name: str) -> None:
    assert judge(name).why


def test_a_list_overrules_the_verbs() -> None:
    tasks = [Task("Be Happy"), Task("Feel Better"), Task("Fold")]
    judged = judge_all(tasks, keep=["how to  be happy"])
    assert [(one.task.name, one.kept) for one in judged] == [
        ("Be Happy", True),
        ("Feel Better", False),
        ("Fold", True),
    ]
