"""Write a demo set into a folder: videos, captions, and the truth about them.

`demo.json` is written first and holds the whole truth, because scripts are decided before anything
is drawn.
After that each file appears beside its place and is renamed: what is there is whole, and a set that
was interrupted goes on where it stopped.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from howto.demo.captions import caption_text
from howto.demo.script import DemoLine, DemoScript, DemoStep, make_scripts
from howto.demo.spec import DEFAULT, DemoSpec
from howto.errors import HowtoError, ItemError, Reason, UsageError
from howto.recipe import Recipe
from howto.run.local import run_local

__all__ = ["TRUTH_FILE", "DemoVideo", "Sound", "write_demo"]

TRUTH_FILE = "demo.json"
LOCK_FILE = ".demo.lock"
MOST_WORKERS = 2
_MOST_SECONDS = 1800.0  # for one video, which takes a few

Sound = Literal["speech", "room"]


@dataclass(frozen=True, slots=True)
class DemoVideo:
    """One video of a demo set, as it lies on the disk.

    Attributes:
        path: of the .mp4.
        captions: of the caption file beside it, or None (inside the container, or none at all).
        sound: `speech` where espeak-ng speaks the lines, `room` for noise.
        script: what is shown and said in it.
    """

    path: Path
    captions: Path | None
    sound: Sound
    script: DemoScript

    @property
    def task(self) -> str:
        """Slug of the task."""
        return self.script.task

    @property
    def steps(self) -> tuple[DemoStep, ...]:
        """What is in view when, in order of time."""
        return self.script.steps

    @property
    def lines(self) -> tuple[DemoLine, ...]:
        """What is said when, in order of time."""
        return self.script.lines


def write_demo(
    folder: Path,
    spec: DemoSpec = DEFAULT,
    *,
    on_video: Callable[[str], None] | None = None,
    workers: int | None = None,
) -> list[DemoVideo]:
    """Make a demo set, or what is missing of it.

    Args:
        folder: made if it is missing. Files of other names in it are left alone.
        on_video: called with each video's name once it is whole, those already there first.
        workers: processes that draw; by default 2, or 1 on a single core. With more than one, a
            script that calls this needs the usual `if __name__ == "__main__":`.

    Returns:
        The videos task by task. The sound of all of them is the same kind; `speech='auto'` keeps
        what the set began with.

    Raises:
        UsageError: the folder holds a set of another spec, or files that would be overwritten.
        HowtoError: speech was asked for and espeak-ng is missing, a drawing process died, or
            another process is making a set in this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK_FILE, timeout=0):
            return _write_locked(folder, spec, on_video, workers)
    except Timeout as error:
        raise HowtoError(f"another process is making the demo set in {folder}.") from error


def _write_locked(
    folder: Path, spec: DemoSpec, on_video: Callable[[str], None] | None, workers: int | None
) -> list[DemoVideo]:
    scripts = make_scripts(spec)
    sound = _prepare(folder, spec, scripts)
    videos = [_video(folder, script, sound) for script in scripts]

    def done(video: DemoVideo) -> None:
        if on_video is not None:
            on_video(video.script.name)

    missing = []
    for video in videos:
        _write_captions(video)
        if video.path.exists():
            done(video)
        else:
            missing.append(video)
    for video in _render_all(spec, missing, workers):
        done(video)
    return videos


def _video(folder: Path, script: DemoScript, sound: Sound) -> DemoVideo:
    captions = None
    if script.caption_form not in (None, "embedded"):
        captions = folder / f"{script.name}.en.{script.caption_form}"
    return DemoVideo(folder / f"{script.name}.mp4", captions, sound, script)


def _prepare(folder: Path, spec: DemoSpec, scripts: list[DemoScript]) -> Sound:
    """Begin the set in `folder`, or recognise the one that is there; returns its kind of sound."""
    truth_path = folder / TRUTH_FILE
    here: Sound = "speech" if spec.speech is not False and shutil.which("espeak-ng") else "room"
    if not truth_path.exists():
        _refuse_strangers(folder, scripts)
        if spec.speech is True and here == "room":
            raise HowtoError("espeak-ng is not installed, and the demo was asked to speak.")
        _write_whole(truth_path, _truth_text(spec, scripts, here))
        return here
    sound = _begun_with(truth_path, spec)
    _sweep(folder, scripts)
    all_there = all((folder / f"{script.name}.mp4").exists() for script in scripts)
    if sound == "speech" and here == "room" and not all_there:
        raise HowtoError(
            f"the demo set in {folder} speaks, and espeak-ng is not installed here to go on."
            " Install espeak-ng, or make a new set in another folder."
        )
    return sound


def _refuse_strangers(folder: Path, scripts: list[DemoScript]) -> None:
    for script in scripts:
        for path in folder.glob(f"{script.name}.*"):
            raise UsageError(
                f"{path} is there already, but {TRUTH_FILE}, which every demo set has, is not."
                " Choose an empty folder."
            )


def _begun_with(truth_path: Path, spec: DemoSpec) -> Sound:
    try:
        truth = json.loads(truth_path.read_text(encoding="utf-8"))
        ours, theirs = Recipe.of(**spec.as_json()), Recipe.of(**truth["spec"])
        sound: Sound = "speech" if truth["sound"] == "speech" else "room"
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{truth_path} is not the truth file of a demo set: {error!r}.") from error
    if ours != theirs:
        rows = "; ".join(ours.differences(theirs))
        raise UsageError(
            f"{truth_path.parent} holds a demo set of another spec (wanted | there: {rows})."
            " Choose another folder."
        )
    return sound


def _sweep(folder: Path, scripts: list[DemoScript]) -> None:
    """Remove what killed processes left half written; the lock says that nobody is writing."""
    names = {script.name for script in scripts}
    for path in folder.glob(".*.part"):
        match = re.fullmatch(r"\.(.+)\.mp4\.\d+\.part", path.name)
        if match and match[1] in names:
            path.unlink(missing_ok=True)


def _truth_text(spec: DemoSpec, scripts: list[DemoScript], sound: Sound) -> str:
    truth = {
        "spec": spec.as_json(),
        "sound": sound,
        "videos": [_script_json(script) for script in scripts],
    }
    return json.dumps(truth, indent=1, ensure_ascii=False) + "\n"


def _script_json(script: DemoScript) -> dict[str, Any]:
    plain = asdict(script)
    plain["file"] = f"{script.name}.mp4"
    plain["steps"] = [{"task": script.task, **asdict(step)} for step in script.steps]
    plain["lines"] = [{**asdict(line), "aligned": line.aligned} for line in script.lines]
    return plain


def _write_captions(video: DemoVideo) -> None:
    form = video.script.caption_form
    if video.captions is not None and form is not None and not video.captions.exists():
        _write_whole(video.captions, caption_text(video.lines, form))


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _render_all(
    spec: DemoSpec, videos: list[DemoVideo], workers: int | None
) -> Iterator[DemoVideo]:
    """Draw the videos, in processes of their own where that pays; yields each as it gets whole."""
    if workers is None:
        workers = min(MOST_WORKERS, os.cpu_count() or 1)
    workers = min(workers, len(videos))
    if workers <= 1:
        for video in videos:
            _render(spec, video)
            yield video
        return
    tasks = [(spec, video) for video in videos]
    for ended in run_local(_render_apart, tasks, workers=workers, time_limit=_MOST_SECONDS):
        if ended.reason is Reason.DECODER_CRASHED:
            raise HowtoError(
                "a process that draws the demo died. Run it again to go on where it stopped."
            )
        if ended.reason is not None:
            raise ItemError(ended.reason, ended.detail)
        if ended.result is not None:
            raise ended.result
        yield ended.item[1]


def _render_apart(task: tuple[DemoSpec, DemoVideo]) -> OSError | None:
    """Runs in a worker; returns what is wrong with the disk."""
    try:
        _render(*task)
    except OSError as error:
        return error
    return None


def _render(spec: DemoSpec, video: DemoVideo) -> None:
    # Imported here: numpy, OpenCV and PyAV are not needed to plan a set.
    import cv2

    from howto.demo.render import render_video

    cv2.setNumThreads(1)
    render_video(spec, video.script, video.path, video.sound == "speech")
