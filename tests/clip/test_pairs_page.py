"""docs/pairs.md shows what the clippers give."""

from pathlib import Path

from howto.clip.bounds import ClipOfLines
from howto.clip.spans import captioned_spans
from howto.plugins import create
from howto.records import Clip, Kind, Line, Narration, Video
from howto.testing.media import media_info

PAGE = Path(__file__).parents[2] / "docs" / "pairs.md"
LINES = (
    Line(0.5, 4.0, "hey guys welcome back today we"),
    Line(4.0, 7.5, "fold a shirt so first lay it flat on"),
    Line(7.5, 11.0, "the table and smooth it down then take"),
    Line(12.2, 15.0, "the left sleeve and fold it to the middle"),
    Line(15.0, 18.0, "like this don't forget to subscribe"),
)
NARRATION = Narration(LINES, "en", Kind.AUTOMATIC, "example")
VIDEO = Video("example", Path("example.mp4"), info=media_info(20.0))
CUT = 11.6


def example() -> str:
    """What every clipper makes of the same lines, as the page shows it."""
    shown = []
    for name in ("lines", "grow", "sentences", "relines", "windows"):
        shown += [name, *_rows(create("clippers", name).pairs(NARRATION, VIDEO))]
    return "\n".join([*shown, "shots", *_rows(captioned_spans([0.0, CUT, 20.0], LINES, VIDEO))])


def _rows(clips: list[Clip]) -> list[str]:
    return [
        f"  {clip.start:5.2f} - {clip.end:5.2f}  {clip.first}-{clip.last}  {clip.caption}"
        for clip in clips
        if isinstance(clip, ClipOfLines)
    ]


def test_the_page_shows_what_the_clippers_give() -> None:
    page = PAGE.read_text(encoding="utf-8")
    inside = page.split("<!-- clippers -->\n")[1].split("<!-- end of clippers -->")[0]
    assert inside == f"```\n{example()}\n```\n"
