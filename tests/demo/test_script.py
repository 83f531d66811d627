import re
from collections import Counter
from dataclasses import replace
from statistics import mean

import pytest

from howto.demo import DEFAULT, DemoSpec, make_script, make_scripts
from howto.demo.captions import caption_text
from howto.demo.phrases import COLOURS
from howto.demo.tasks import SETTINGS, TASKS
from howto.errors import UsageError

ALL = replace(DEFAULT, tasks=tuple(TASKS), videos_per_task=60)


@pytest.fixture(scope="module")
def scripts():
    return make_scripts(ALL)


def lines_of(scripts):
    return [line for script in scripts for line in script.lines]


def test_the_tasks_are_what_the_documents_promise():
    assert len(TASKS) == 10
    assert set(DEFAULT.tasks) <= set(TASKS)
    assert len(DEFAULT.tasks) == 6
    slugs = [step.slug for task in TASKS.values() for step in task.steps]
    shared = {slug for slug, number in Counter(slugs).items() if number > 1}
    assert shared == {"crack-egg", "add-flour", "stir-batter"}
    assert all(len(task.steps) >= 5 for task in TASKS.values())
    assert all(len(step.phrases) >= 5 for task in TASKS.values() for step in task.steps)
    assert {task.setting for task in TASKS.values()} <= set(SETTINGS)


def test_steps_are_in_order_do_not_overlap_and_lie_on_frames(scripts):
    for script in scripts:
        order = [step.slug for step in TASKS[script.task].steps]
        places = [order.index(step.slug) for step in script.steps]
        assert places == sorted(set(places))
        assert len(places) >= 3
        assert script.duration == script.num_frames / ALL.frame_rate
        times = [time for step in script.steps for time in (step.start, step.end)]
        assert times == sorted(times)
        assert times[0] > 0
        assert times[-1] < script.duration
        for time in times:
            assert abs(time * ALL.frame_rate - round(time * ALL.frame_rate)) < 1e-6
        for step in script.steps:
            assert 0.7 * 6 < step.end - step.start < 1.3 * 6


def test_lines_are_in_order_last_two_to_six_seconds_and_end_with_the_video(scripts):
    for script in scripts:
        assert script.lines[0].start < 1
        for line, after in zip(script.lines, script.lines[1:], strict=False):
            assert line.end < after.start
        assert script.lines[-1].end <= script.duration
        for line in script.lines:
            assert 1.99 < line.end - line.start < 6.01


def test_the_first_line_greets_and_the_last_says_goodbye(scripts):
    assert all(script.lines[0].kind == "distractor" for script in scripts)
    assert all(script.lines[-1].kind == "distractor" for script in scripts)
    first = [script.lines[0].text.lower() for script in scripts if script.task == "fold-a-shirt"]
    named = [f"fold a {script.colour} shirt" in script.lines[0].text.lower() for script in scripts]
    assert any(re.search(r"fold a \w+ shirt", text) for text in first)
    assert 0.5 < sum(named) / len(first) < 0.95


@pytest.mark.parametrize(
    ("aligned", "distractor", "wrong"),
    [(0.5, 0.25, 0.05), (0.25, 0.3, 0.0), (0.7, 0.25, 0.05), (1.0, 0.0, 0.0), (0.8, 0.0, 0.1)],
)
def test_the_shares_of_lines_are_those_of_the_spec(aligned, distractor, wrong):
    spec = replace(
        ALL, aligned_share=aligned, distractor_share=distractor, wrong_share=wrong, seed=5
    )
    lines = lines_of(make_scripts(spec))
    shares = {kind: number / len(lines) for kind, number in Counter(x.kind for x in lines).items()}
    assert abs(shares["aligned"] - aligned) < 0.03
    assert abs(shares.get("distractor", 0) - distractor) < 0.03
    assert abs(shares.get("wrong", 0) - wrong) < 0.03
    assert abs(shares.get("shifted", 0) - (1 - aligned - distractor - wrong)) < 0.03


def test_aligned_lines_name_what_is_in_view_and_shifted_ones_do_not(scripts):
    for script in scripts:
        shown = {step.slug: step for step in script.steps}
        for line in script.lines:
            if line.names is None:
                assert line.offset is None
                continue
            step = shown[line.names]
            overlap = min(line.end, step.end) - max(line.start, step.start)
            middle = (line.start + line.end) / 2
            inside = step.start - 0.01 <= middle <= step.end + 0.01
            assert line.aligned == inside
            assert line.aligned == (line.offset == 0)
            assert line.aligned or abs(line.offset) >= 1
            if line.aligned:
                assert overlap >= 0.49 * (line.end - line.start)
            elif line.offset > 0:
                assert step.start == pytest.approx(middle + line.offset, abs=0.01)
            else:
                assert step.end == pytest.approx(middle + line.offset, abs=0.01)


def test_a_line_that_names_a_step_says_one_of_its_phrases(scripts):
    for script in scripts[::7]:
        phrases = {step.slug: step.phrases for step in TASKS[script.task].steps}
        for line in script.lines:
            said = line.text.lower()
            if line.names:
                forms = [phrase.format(colour=script.colour) for phrase in phrases[line.names]]
                assert any(form in said for form in forms)
            elif line.kind == "distractor" and line is not script.lines[0]:
                own = [phrase for step in phrases.values() for phrase in step]
                assert not any(phrase.format(colour=script.colour) in said for phrase in own)


def test_offsets_follow_the_spec():
    near = replace(ALL, offset_seconds=3, early_share=0.9)
    far = replace(ALL, offset_seconds=30, early_share=0.1)
    early, distance = {}, {}
    for spec in (near, far):
        offsets = [x.offset for x in lines_of(make_scripts(spec)) if x.kind == "shifted"]
        early[spec] = mean(offset > 0 for offset in offsets)
        distance[spec] = mean(map(abs, offsets))
    assert early[near] > 0.7
    assert early[far] < 0.3
    assert distance[far] > 1.7 * distance[near]


def test_a_video_does_not_depend_on_the_others():
    more = replace(DEFAULT, tasks=("bake-a-cake", "make-a-salad"), videos_per_task=40)
    few = make_script(replace(DEFAULT, tasks=("bake-a-cake",)), "bake-a-cake", 2)
    assert few in make_scripts(more)
    assert few != make_script(replace(DEFAULT, seed=1), "bake-a-cake", 2)


def test_videos_of_a_task_differ(scripts):
    shirts = [script for script in scripts if script.task == "fold-a-shirt"]
    assert len({tuple(line.text for line in script.lines) for script in shirts}) == len(shirts)
    assert {script.colour for script in shirts} == set(COLOURS)


def test_the_setting_tells_about_the_task_as_much_as_asked():
    for share, expected in ((1.0, 1.0), (0.0, 1 / 5), (0.7, 0.7 + 0.3 / 5)):
        scripts = make_scripts(replace(ALL, setting_share=share))
        usual = mean(script.setting == TASKS[script.task].setting for script in scripts)
        assert abs(usual - expected) < 0.06


def test_steps_are_left_out_as_often_as_asked():
    for share in (0.0, 0.3):
        scripts = make_scripts(replace(ALL, skip_share=share))
        shown = sum(len(script.steps) for script in scripts)
        there = sum(len(TASKS[script.task].steps) for script in scripts)
        assert abs(1 - shown / there - share) < 0.03


def test_the_default_set_has_every_caption_form_and_one_video_without():
    forms = Counter(script.caption_form for script in make_scripts(DEFAULT))
    assert forms == {"vtt": 10, "srt": 4, "sbv": 2, "embedded": 1, None: 1}


CUES = {
    "vtt": r"^(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})\n(.+)\n",
    "srt": r"^(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})\n(.+)\n",
    "sbv": r"^(\d):(\d\d):(\d\d)\.(\d{3}),(\d):(\d\d):(\d\d)\.(\d{3})\n(.+)\n",
}


@pytest.mark.parametrize("form", CUES)
def test_caption_files_give_the_lines_back(form, scripts):
    lines = scripts[0].lines
    text = caption_text(lines, form)
    found = []
    for cue in re.findall(CUES[form], text, re.MULTILINE):
        h, m, s, ms, h2, m2, s2, ms2 = map(int, cue[:8])
        start = h * 3600 + m * 60 + s + ms / 1000
        end = h2 * 3600 + m2 * 60 + s2 + ms2 / 1000
        found.append((pytest.approx(start), pytest.approx(end), cue[8]))
    assert found == [(line.start, line.end, line.text) for line in lines]
    assert text.startswith("WEBVTT\n\n") == (form == "vtt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ("fold-a-shrt",)}, "fold-a-shrt"),
        ({"tasks": ()}, "at least one"),
        ({"size": (425, 240)}, "even"),
        ({"aligned_share": 0.9}, "add up"),
        ({"skip_share": -0.1}, "skip_share"),
        ({"videos_per_task": 0}, "videos_per_task"),
        ({"caption_forms": ("ass",)}, "caption_forms"),
        ({"speech": "yes"}, "speech"),
    ],
)
def test_what_means_nothing_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        replace(DEFAULT, **change)


def test_every_parameter_is_in_the_document():
    from dataclasses import fields
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "demo.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \|", page, re.MULTILINE))
    assert list(rows) == [field.name for field in fields(DemoSpec)]
    for name, shown in rows.items():
        if not shown.endswith("..."):
            assert shown == str(getattr(DEFAULT, name)), name
