"""All four sources by the one suite. What only YouTube can answer is skipped, and says so."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import ClassVar

import pytest

from howto.collect.fetched import Candidate, hashed_id
from howto.collect.sources.folder import FolderSource
from howto.collect.sources.howto100m_csv import HowTo100MCsvSource
from howto.collect.sources.urls import UrlsSource
from howto.collect.sources.youtube import YouTubeSource
from howto.testing import SourceContract
from tests.collect.site import Answer, Site, serving_videos

NEEDS = "YouTube"


class TestFolder(SourceContract):
    plugin = "folder"

    @pytest.fixture(autouse=True)
    def data(self, shared_data: Path) -> None:
        TestFolder.shared = shared_data

    shared: ClassVar[Path]

    def offering(self, folder):
        videos = self.shared / "videos"
        (folder / "inside").mkdir()
        copyfile(videos / "yoga.mp4", folder / "\u202egnirts ..mp4")
        copyfile(videos / "rabbit320.webm", folder / "inside" / "CON.webm")
        captions = self.shared / "captions"
        copyfile(captions / "webvttpy_sample.srt", folder / "inside" / "CON.de.srt")
        copyfile(captions / "webvttpy_cue_tags.vtt", folder / "inside" / "CON.vtt")
        return FolderSource(folder=folder)

    def refused(self, folder):
        (folder / "text.mp4").write_text("not a film")
        (folder / "empty.mkv").touch()
        source = FolderSource(folder=folder)
        return [(source, candidate) for candidate in source.find(None, 9)]


class TestUrls(SourceContract):
    plugin = "urls"
    site: ClassVar[Site]
    shared: ClassVar[Path]

    @pytest.fixture(autouse=True)
    def a_site(self, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        media = (shared_data / "videos" / "carving_ice.mp4").read_bytes()
        captions = (shared_data / "captions" / "webvttpy_sample.vtt").read_bytes()
        folder = tmp_path_factory.mktemp("site")
        with serving_videos(folder, 3, media, captions) as (TestUrls.listed, TestUrls.site):
            yield

    def offering(self, folder):
        return UrlsSource(urls=self.listed, allow_private=True)

    def refused(self, folder):
        self.site.answers["/gone"] = Answer(status=410)
        self.site.answers["/nothing"] = Answer(b"<!doctype html><html><body>words</body></html>")
        source = UrlsSource(allow_private=True)
        addresses = [self.site.url("/gone"), self.site.url("/nothing"), "file:///etc/passwd"]
        return [(source, candidate(address)) for address in addresses]


class TestYouTube(SourceContract):
    plugin = "youtube"
    needs = NEEDS

    def offering(self, folder):
        listed = folder / "ids.txt"
        listed.write_text("dQw4w9WgXcQ\nhttps://youtu.be/aqz-KE-bpKQ\n")
        return YouTubeSource(ids=listed)


class TestHowTo100MCsv(SourceContract):
    plugin = "howto100m-csv"
    needs = NEEDS

    def offering(self, folder):
        listed = folder / "HowTo100M_v1.csv"
        listed.write_text(
            "video_id,category_1,category_2,rank,task_id\n"
            "nVbIUDjzWY4,Cars & Other Vehicles,Motorcycles,27,52907\n"
            "CTPAZ2euJ2Q,Cars & Other Vehicles,Motorcycles,35,109057\n"
            "nVbIUDjzWY4,Cars & Other Vehicles,Motorcycles,3,109057\n"
        )
        return HowTo100MCsvSource(csv=listed)


def candidate(address: str) -> Candidate:
    return Candidate(hashed_id("urls", address), "urls", address, rank=0)
