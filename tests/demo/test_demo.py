import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
from filelock import FileLock

import howto.demo.generator as generator
from howto.demo import DemoSpec, make_script, write_demo
from howto.demo.motions import MOTIONS, Moment, greet, rest
from howto.demo.render import draw_frames, render_video
from howto.demo.scene import HERO_COLOURS, make_scene
from howto.demo.script import chances
from howto.demo.tasks import TASKS
from howto.errors import HowtoError, UsageError


def decoded(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, howto.demo;"
        "print([m for m in ('numpy', 'cv2', 'av', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_video_is_h264_and_aac_as_long_as_its_script(small_set):
    for video in small_set[1]:
        with av.open(str(video.path)) as container:
            picture, sound = container.streams.video[0], container.streams.audio[0]
            assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
            assert (picture.width, picture.height) == (160, 120)
            assert float(picture.duration * picture.time_base) == pytest.approx(
                video.script.duration, abs=1e-3
            )
            assert float(sound.duration * sound.time_base) == pytest.approx(
                video.script.duration, abs=0.01
            )
            assert sum(1 for _ in container.decode(video=0)) == video.script.num_frames
            assert container.metadata.get("title", "") == video.script.title


def test_captions_lie_where_the_script_says(small_set):
    folder, videos = small_set
    forms = {video.script.name: video.script.caption_form for video in videos}
    assert forms["wrap-a-gift-02"] is None
    for video in videos:
        beside = [path for path in folder.glob(f"{video.script.name}.*") if path != video.path]
        assert beside == ([video.captions] if video.captions else [])
        with av.open(str(video.path)) as container:
            inside = len(container.streams.subtitles)
        assert inside == (video.script.caption_form == "embedded")
        if video.captions:
            text = video.captions.read_text(encoding="utf-8")
            assert all(line.text in text for line in video.lines)


def test_the_truth_file_says_what_the_videos_say(small_set, small_spec):
    folder, videos = small_set
    truth = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    assert truth["sound"] == "room"
    assert truth["spec"] == json.loads(json.dumps(small_spec.as_json()))
    assert [row["file"] for row in truth["videos"]] == [video.path.name for video in videos]
    for row, video in zip(truth["videos"], videos, strict=True):
        for step, shown in zip(row["steps"], video.steps, strict=True):
            assert (step["start"], step["end"]) == (shown.start, shown.end)
            assert (step["slug"], step["task"]) == (shown.slug, video.task)
        assert [line["aligned"] for line in row["lines"]] == [x.aligned for x in video.lines]


def test_a_second_call_keeps_everything_and_makes_what_is_missing(small_set, small_spec):
    folder, videos = small_set
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    lost = videos[1].path
    lost.unlink()
    rubbish = folder / f".{lost.name}.{os.getpid()}7.part"
    rubbish.write_bytes(b"half a video")
    seen = []
    assert write_demo(folder, small_spec, on_video=seen.append, workers=1) == videos
    assert sorted(seen) == sorted(video.script.name for video in videos)
    assert seen[-1] == lost.stem
    after = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert after[lost.name][1] == before[lost.name][1]
    for name in before.keys() - {lost.name}:
        assert after[name] == before[name]


def test_more_videos_leave_the_earlier_bytes_as_they_are(small_set, small_spec, tmp_path):
    folder, _ = small_set
    other = replace(small_spec, tasks=("wrap-a-gift",), videos_per_task=1)
    (video,) = write_demo(tmp_path, other)
    assert video.path.read_bytes() == (folder / video.path.name).read_bytes()
    assert (tmp_path / video.captions.name).read_bytes() == (
        folder / video.captions.name
    ).read_bytes()


def test_another_spec_in_the_same_folder_is_an_error(small_set, small_spec):
    with pytest.raises(UsageError, match=r"another spec.*seed: 1 \| 0"):
        write_demo(small_set[0], replace(small_spec, seed=1))


def test_files_of_the_user_are_not_overwritten(tmp_path, small_spec):
    mine = tmp_path / "fold-a-shirt-01.mp4"
    mine.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"fold-a-shirt-01\.mp4"):
        write_demo(tmp_path, small_spec)
    assert [path.name for path in tmp_path.glob("[!.]*")] == [mine.name]
    assert mine.read_bytes() == b"mine"


def test_two_processes_do_not_make_one_set_at_once(small_set, small_spec):
    with FileLock(small_set[0] / ".demo.lock"), pytest.raises(HowtoError, match="another process"):
        write_demo(small_set[0], small_spec)


def test_a_broken_truth_file_is_named(tmp_path, small_spec):
    (tmp_path / "demo.json").write_text("{}")
    with pytest.raises(UsageError, match=r"demo\.json"):
        write_demo(tmp_path, small_spec)


def test_backgrounds_stay_within_a_video_and_differ_between_videos(small_set):
    means = []
    for video in small_set[1]:
        frames = np.stack(decoded(video.path)).astype(np.float32)
        corners = np.concatenate([frames[:, :20, :16], frames[:, :20, -16:]], axis=2)
        spread = np.abs(corners - corners.mean(axis=0)).mean(axis=(1, 2, 3))
        assert spread.max() < 4
        means.append(corners.mean(axis=0))
    for index, one in enumerate(means):
        for other in means[:index]:
            assert np.abs(one - other).mean() > 12


def look_of(frames):
    """Colour, gradient and change on a coarse grid: a cheap stand-in for a backbone."""
    small = np.stack(
        [cv2.resize(frame, (16, 12), interpolation=cv2.INTER_AREA) for frame in frames]
    )
    small = small.astype(np.float32)
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]).astype(
        np.float32
    )
    edges = np.stack([cv2.resize(np.abs(cv2.Laplacian(g, cv2.CV_32F)), (8, 6)) for g in grey])
    change = cv2.resize(np.abs(np.diff(grey, axis=0)).mean(axis=0), (8, 6))
    return np.concatenate([small.mean(0).ravel(), 2 * edges.mean(0).ravel(), 4 * change.ravel()])


def test_steps_of_one_video_can_be_told_apart(small_set):
    right = defaultdict(list)
    for video in small_set[1]:
        frames = decoded(video.path)
        rate = 8
        known, asked = [], []
        for step in video.steps:
            first, last = round(step.start * rate), round(step.end * rate)
            middle = (first + last) // 2
            known.append(look_of(frames[first:middle]))
            asked.append(look_of(frames[middle:last]))
        for index, one in enumerate(asked):
            distances = [np.linalg.norm(one - other) for other in known]
            right[video.task].append(int(np.argmin(distances)) == index)
    for task, hits in right.items():
        # Chance is one in five or six.
        assert np.mean(hits) >= 0.5, task


def test_every_motion_moves_and_leaves_the_corners_alone():
    spec = DemoSpec(size=(160, 120))
    for task in TASKS.values():
        scene = make_scene(spec, task.setting, "red", chances(spec, task.slug, "scene"))
        for step in task.steps:
            shots = []
            for second in np.arange(0, 6, 0.25):
                canvas = scene.frame()
                moment = Moment(float(second) / 6, float(second))
                MOTIONS[step.motion](canvas, scene.look, moment, **step.props)
                shots.append(canvas.image.astype(int))
            drawn = np.abs(shots[8] - scene.background).max(axis=2) > 20
            assert drawn.mean() > 0.05, step.slug
            still = [np.abs(a - b).mean() < 0.05 for a, b in pairwise(shots)]
            assert sum(still) <= 6, step.slug
            for shot in shots:
                assert (shot[:20, :14] == scene.background[:20, :14]).all(), step.slug


def test_a_step_out_of_view_shows_only_hands():
    spec = DemoSpec(size=(160, 120))
    scene = make_scene(spec, "kitchen", "blue", chances(spec, "x", "scene"))
    for motion in (rest, greet):
        canvas = scene.frame()
        motion(canvas, scene.look, Moment(0, 0.4))
        hero = np.array(HERO_COLOURS["blue"])
        new = np.abs(canvas.image.astype(int) - scene.background).max(axis=2) > 20
        assert 0.01 < new.mean() < 0.4
        assert (np.abs(canvas.image[new].astype(int) - hero).max(axis=1) < 12).mean() < 0.2


def test_variation_zero_keeps_light_and_camera():
    spec = DemoSpec(size=(160, 120), variation=0)
    scenes = [make_scene(spec, "garden", "red", chances(spec, name, "scene")) for name in "ab"]
    for scene in scenes:
        assert (scene.zoom, scene.shift, scene.look.speed) == (1, (0, 0), 1)
        assert scene.look.hero == HERO_COLOURS["red"]
        assert (scene.light[:, 0] == np.arange(256)[:, None]).all()
    assert (scenes[0].background != scenes[1].background).any()


def test_frames_scale_with_the_size():
    pictures = []
    for size in ((160, 120), (320, 240)):
        spec = DemoSpec(size=size, frame_rate=1)
        script = make_script(spec, "wrap-a-gift", 1)
        pictures.append(list(draw_frames(spec, script))[12])
    half = cv2.resize(pictures[1], (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(half.astype(int) - pictures[0]).mean() < 8


def test_speech_is_an_error_only_where_it_was_asked_for(tmp_path, small_spec, monkeypatch):
    monkeypatch.setattr(generator.shutil, "which", lambda name: None)
    with pytest.raises(HowtoError, match="espeak-ng"):
        write_demo(tmp_path / "a", replace(small_spec, speech=True))
    spec = replace(small_spec, speech="auto", tasks=("wrap-a-gift",), videos_per_task=1)
    (video,) = write_demo(tmp_path / "b", spec)
    assert video.sound == "room"
    # The set goes on as it began, even where there is a voice by now.
    monkeypatch.setattr(generator.shutil, "which", lambda name: "/bin/true")
    (again,) = write_demo(tmp_path / "b", spec)
    assert again == video


@pytest.mark.parametrize("obeys", [True, False])
def test_lines_are_spoken_within_their_time(tmp_path, small_spec, monkeypatch, obeys):
    import howto.demo.speech as speech

    def shout(text, voice, pace):
        # As long as the asked pace makes it, like the real program; or too long at any pace.
        pace = pace if obeys else 20
        return np.full(int(22_050 * 60 * len(text.split()) / pace * 1.2), 0.5, np.float32), 22_050

    monkeypatch.setattr(speech, "speak", shout)
    script = make_script(small_spec, "make-pancakes", 1)
    render_video(small_spec, script, tmp_path / "a.mp4", spoken=True)
    with av.open(str(tmp_path / "a.mp4")) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    loud = np.abs(np.concatenate(parts)) > 0.1
    times = np.arange(len(loud)) / 22_050
    said = np.zeros(len(loud), bool)
    for line in script.lines:
        said |= (times >= line.start - 0.06) & (times <= line.end + 0.06)
        inside = loud[(times > line.start + 0.1) & (times < line.end - 0.1)]
        assert inside.mean() > 0.7
    assert loud[~said].mean() < 0.01


def test_espeak_speaks_where_it_is_installed():
    import shutil

    from howto.demo.speech import speak

    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    slow, rate = speak("fold the left sleeve in", "en-us", 120)
    fast, _ = speak("fold the left sleeve in", "en-us", 300)
    assert rate == 22_050
    assert 1 < len(slow) / rate < 4
    assert len(fast) < 0.7 * len(slow)
    assert 0.05 < np.abs(slow).max() <= 1
