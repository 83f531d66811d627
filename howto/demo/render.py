"""Draw one script and encode it: the only part of the demo that costs time."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from howto.demo.canvas import Canvas
from howto.demo.motions import MOTIONS, Moment, greet, rest
from howto.demo.scene import Scene, make_scene
from howto.demo.script import DemoScript, DemoStep, chances
from howto.demo.spec import DemoSpec
from howto.demo.speech import sound_track
from howto.demo.tasks import TASKS
from howto.media.encode import H264Writer
from howto.records import Line

__all__ = ["draw_frames", "render_video"]


def render_video(spec: DemoSpec, script: DemoScript, path: Path, spoken: bool) -> None:
    """Write one video to `path`; whole or not at all.

    Args:
        spoken: the lines are spoken by espeak-ng; else the sound is that of a room.

    Raises:
        HowtoError: espeak-ng is missing or fails.
    """
    width, height = spec.size
    inside = script.caption_form == "embedded"
    sound = sound_track(spec, script, spoken)
    with H264Writer(
        path,
        width=width,
        height=height,
        frame_rate=Fraction(spec.frame_rate),
        sample_rate=spec.sample_rate,
        crf=spec.crf,
        title=script.title,
        description=script.description,
        caption_language="eng" if inside else None,
    ) as video:
        for line in script.lines if inside else ():
            video.write_caption(Line(line.start, line.end, line.text))
        edges = [
            round(number * spec.sample_rate / spec.frame_rate)
            for number in range(script.num_frames + 1)
        ]
        for number, frame in enumerate(draw_frames(spec, script)):
            video.write_frame(frame)
            video.write_sound(sound[edges[number] : edges[number + 1]])


def draw_frames(spec: DemoSpec, script: DemoScript) -> Iterator[NDArray[np.uint8]]:
    """The frames of one video in order, uint8 (H, W, 3), RGB; `script.num_frames` of them."""
    chance = chances(spec, script.name, "scene")
    scene = make_scene(spec, script.setting, script.colour, chance)
    for number in range(script.num_frames):
        canvas = scene.frame()
        _draw_moment(scene, canvas, script, number / spec.frame_rate)
        yield np.asarray(cv2.LUT(canvas.image, scene.light), np.uint8)


def _draw_moment(scene: Scene, canvas: Canvas, script: DemoScript, now: float) -> None:
    step = next((step for step in script.steps if step.start <= now < step.end), None)
    if step is not None:
        _draw_step(scene, canvas, script.task, step, now)
        return
    talking = now < script.steps[0].start or now >= script.steps[-1].end
    show = greet if talking else rest
    show(canvas, scene.look, Moment(0, now * scene.look.speed))


def _draw_step(scene: Scene, canvas: Canvas, task: str, step: DemoStep, now: float) -> None:
    plan = next(plan for plan in TASKS[task].steps if plan.slug == step.slug)
    since = now - step.start
    moment = Moment(since / (step.end - step.start), since * scene.look.speed + scene.look.sway)
    MOTIONS[plan.motion](canvas, scene.look, moment, **plan.props)
