"""Records of media that need no media."""

from fractions import Fraction

from howto.records import MediaInfo

__all__ = ["media_info"]


def media_info(duration: float) -> MediaInfo:
    """Describe an ordinary video of that many seconds, as probing would."""
    return MediaInfo(
        duration=duration,
        start_time=0.0,
        width=640,
        height=360,
        coded_width=640,
        coded_height=360,
        pixel_aspect=Fraction(1),
        rotation=0,
        frame_rate=Fraction(30),
        variable_frame_rate=False,
        video_codec="h264",
        pixel_format="yuv420p",
        has_audio=True,
    )
