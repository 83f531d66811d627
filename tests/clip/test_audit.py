"""The audit sheet: a fair sample, pictures of the right moments, and nothing that runs."""

import base64
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from howto.clip.audit import AuditCard, audit, audit_page, check_audit, sample_pairs
from howto.clip.pairs import Pair, PairOptions
from howto.clip.pairs_store import StoredPair
from howto.clip.stage import clip_videos
from howto.errors import UsageError
from howto.library import Library
from howto.recipe import Recipe
from howto.search.refresh import refresh

RECIPE = Recipe.of(clipper={"name": "<i>lines"}, candidates=None)
EVIL = "<script>alert(1)</script> \"quoted\" onload='x' $title ${cards} &amp;"


class Page(HTMLParser):
    """What a browser makes of a page: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def card(caption: str, *, video: str = "a.mp4", problem: str = "") -> AuditCard:
    pair = Pair(1.0, 6.0, caption, 1, 1, 0.5, (caption, EVIL))
    pictures = () if problem else (b"one", b"two", b"three")
    return AuditCard(StoredPair("id", video, 1, 0, pair), EVIL, EVIL, pictures, problem)


def test_whatever_is_said_is_text() -> None:
    page = audit_page([card(EVIL, video=EVIL), card(EVIL, problem=EVIL)], RECIPE)
    read = Page(page)
    plain = Page(audit_page([card("x"), card("x", problem="x")], RECIPE))
    assert Counter(tag for tag, _ in read.tags) == Counter(tag for tag, _ in plain.tags)
    assert sum(tag == "script" for tag, _ in read.tags) == 1
    captions = [attrs["data-caption"] for tag, attrs in read.tags if "data-caption" in attrs]
    assert captions == [EVIL, EVIL]
    assert read.texts.count(EVIL) >= 6  # caption, both neighbours and a candidate, of each
    assert not any(name.startswith("on") for _, attrs in read.tags for name in attrs)


def test_the_page_needs_nothing_else() -> None:
    page = audit_page([card("fold")], RECIPE)
    for _, attrs in Page(page).tags:
        for name in ("src", "href", "action"):
            assert (attrs.get(name) or "data:").startswith("data:")
    assert "http" not in page.replace("http-equiv", "")
    assert re.search(r"default-src 'none'", page)


def test_a_sample_is_fair_and_repeats_with_its_seed() -> None:
    pairs = [StoredPair("v", "v.mp4", 1, n, Pair(n, n + 1, "x", 0, 0, None)) for n in range(20)]
    one = sample_pairs(pairs, 5, seed=3)
    assert one == sample_pairs(iter(pairs), 5, seed=3) != sample_pairs(pairs, 5, seed=4)
    assert len({p.position for p in one}) == 5
    assert sorted(p.position for p in sample_pairs(pairs, 50)) == list(range(20))
    drawn = Counter(p.position for seed in range(800) for p in sample_pairs(pairs, 5, seed))
    assert all(abs(count - 200) < 60 for count in drawn.values())  # 5 standard deviations
    first = Counter(sample_pairs(pairs, 5, seed)[0].position for seed in range(800))
    assert max(first.values()) < 80


def test_a_library_on_a_sheet(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.html"
    with Library.open(videos) as library:
        refresh(library)
        done = clip_videos(library, PairOptions("lines"))
        (videos / "pancakes.mp4").write_bytes(b"gone bad")
        made = audit(library, done.recipe, 10, path, seed=1)
    assert made.pairs == 6
    assert [problem.partition(":")[0] for problem in made.problems] == ["pancakes.mp4"] * 2
    page = Page(path.read_text())
    articles = [attrs for tag, attrs in page.tags if tag == "article"]
    assert sorted(str(attrs["data-caption"]) for attrs in articles)[0].startswith("Pour")
    images = [str(attrs["src"]) for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 4 * 3
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(images[0].split(",")[1]), np.uint8), 1)
    assert decoded.shape == (135, 135, 3)
    radios = [attrs for _, attrs in page.tags if attrs.get("type") == "radio"]
    assert Counter(attrs["value"] for attrs in radios) == {"yes": 6, "no": 6, "unsure": 6}
    text = path.read_text()
    assert '<p class="near">hello and welcome back</p>' in text  # said before "lay the shirt flat"


def test_pictures_are_of_the_moments_asked_for(shared_data: Path) -> None:
    """Start, middle and end of a clip that ends where the next shot begins."""
    from howto.clip.audit import _pictures_of, _Task
    from howto.media.frames import frame_at

    path = shared_data / "videos" / "testvideo.mp4"
    shown, problem = _pictures_of(_Task(1, path, ((7, 2.0, 6.0), (8, 14.0, 15.0))))
    assert problem == ""
    for position, moments in ((7, (2.0, 4.0, 5.95)), (8, (14.0, 14.5, 14.95))):
        for picture, moment in zip(shown[position], moments, strict=True):
            image = cv2.imdecode(np.frombuffer(picture, np.uint8), 1)[..., ::-1].astype(int)
            expected = frame_at(path, moment, 135).astype(int)
            assert np.abs(image - expected).mean() < 6


def test_sheets_that_cannot_be_written(tmp_path: Path) -> None:
    for count, name, said in (
        (0, "a.html", "at least 1"),
        (5, "a.png", r"\.html"),
        (5, "no/a.html", "no folder"),
    ):
        with pytest.raises(UsageError, match=said):
            check_audit(count, tmp_path / name)


def test_the_picture_of_the_end_is_still_of_the_clip(tmp_path: Path) -> None:
    """The frame shown at its very end is the next clip's first."""
    from fractions import Fraction

    from howto.clip.audit import _pictures_of, _Task
    from howto.media.encode import H264Writer

    path = tmp_path / "two.mp4"
    with H264Writer(path, width=64, height=64, frame_rate=Fraction(25)) as writer:
        for shade in [30] * 50 + [220] * 50:
            writer.write_frame(np.full((64, 64, 3), shade, np.uint8))
    shown, _ = _pictures_of(_Task(1, path, ((0, 0.0, 2.0), (1, 2.0, 4.0))))
    means = [
        cv2.imdecode(np.frombuffer(picture, np.uint8), 1).mean()
        for position in (0, 1)
        for picture in shown[position]
    ]
    assert means == pytest.approx([30, 30, 30, 220, 220, 220], abs=5)
