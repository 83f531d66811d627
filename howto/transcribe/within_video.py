"""Keeping a narration within its video."""

from dataclasses import replace

from howto.records import Line, Narration, Problem

__all__ = ["within_video"]


def within_video(narration: Narration, duration: float) -> Narration:
    """Leave out the lines that start at or after the video's end, and end the others there.

    Args:
        narration: of the whole video.
        duration: of the video, in seconds; 0 where nobody knows it, and then nothing changes.

    Returns:
        The narration, with one problem more and their number where lines were left out.
    """
    if duration <= 0 or all(
        line.end <= duration and line.start < duration for line in narration.lines
    ):
        return narration
    kept = tuple(_clamped(line, duration) for line in narration.lines if line.start < duration)
    late = [line for line in narration.lines if line.start >= duration]
    problems = narration.problems
    if late:
        lines = f"{len(late)} lines start" if len(late) > 1 else "1 line starts"
        problems += (
            Problem(
                None,
                f"{lines} after the end of the video at {duration:.3f} s, "
                f"the first at {late[0].start:.3f} s",
            ),
        )
    outside = narration.lines_outside + len(late)
    return replace(narration, lines=kept, problems=problems, lines_outside=outside)


def _clamped(line: Line, duration: float) -> Line:
    if line.end <= duration:
        return line
    words = tuple(
        replace(word, end=min(word.end, duration)) for word in line.words if word.start < duration
    )
    return replace(line, end=duration, words=words)
