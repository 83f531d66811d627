"""The caption files of the demo videos, written plainly: one cue a line of narration."""

from collections.abc import Sequence

from howto.demo.script import DemoLine

__all__ = ["caption_text"]


def caption_text(lines: Sequence[DemoLine], form: str) -> str:
    """The text of a caption file.

    Args:
        form: `vtt` (WebVTT), `srt` (SubRip) or `sbv` (YouTube's SubViewer).

    Raises:
        KeyError: another form.
    """
    return {"vtt": _vtt, "srt": _srt, "sbv": _sbv}[form](lines)


def _vtt(lines: Sequence[DemoLine]) -> str:
    cues = [f"{_clock(x.start, '.')} --> {_clock(x.end, '.')}\n{x.text}\n" for x in lines]
    return "\n".join(["WEBVTT\n", *cues])


def _srt(lines: Sequence[DemoLine]) -> str:
    cues = [
        f"{number}\n{_clock(x.start, ',')} --> {_clock(x.end, ',')}\n{x.text}\n"
        for number, x in enumerate(lines, 1)
    ]
    return "\n".join(cues)


def _sbv(lines: Sequence[DemoLine]) -> str:
    cues = [f"{_clock(x.start, '.', 1)},{_clock(x.end, '.', 1)}\n{x.text}\n" for x in lines]
    return "\n".join(cues)


def _clock(seconds: float, point: str, hour_digits: int = 2) -> str:
    """Hours, minutes, seconds and milliseconds."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:0{hour_digits}d}:{minute:02d}:{second:02d}{point}{thousandths:03d}"
