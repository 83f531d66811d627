"""`check_features`: every way in which a feature file can be wrong is seen, and made again."""

from dataclasses import replace

import numpy as np
import pytest

from howto.extract import check
from howto.extract.check import check_features, forget_bad
from howto.extract.features import read, write
from howto.extract.stage import extract_videos
from howto.extract.storage import Unreachable
from howto.extract.store import StoredFeatures, put_features_at
from howto.library import Library
from howto.recipe import Recipe

from ..conftest import S3Site
from .conftest import PlainBackbone, wanted_of


def put_infinity(path, found) -> None:
    data = bytearray(path.read_bytes())
    data[-2:] = np.array(np.inf, np.float16).tobytes()  # the features lie last
    path.write_bytes(data)


WRONGS = {
    "missing": lambda path, found: path.unlink(),
    "damaged": lambda path, found: path.write_bytes(path.read_bytes()[:-1]),
    "of another video, x": lambda path, found: write(path, replace(found, video_id="x")),
    "another recipe: version: (absent)": lambda path, found: write(
        path, replace(found, recipe=Recipe.of(backbone="plain", dim=3))
    ),
    "features (3, 3) with 3 times, expected (8, 3)": lambda path, found: write(
        path, replace(found, features=found.features[:3], times=found.times[:3])
    ),
    "features that are not finite": put_infinity,
    "times that are not finite, or go back": lambda path, found: write(
        path, replace(found, times=found.times[::-1])
    ),
}


@pytest.mark.parametrize("what", WRONGS)
def test_each_wrong_is_named_and_made_again(library: Library, what: str) -> None:
    wanted, other = wanted_of(PlainBackbone()), wanted_of(PlainBackbone("other"))
    extract_videos(library, [wanted, other], workers=1)
    assert check_features(library) == check_features(library, ["plain", "other"])
    assert (check_features(library).files, check_features(library).bad) == (6, ())
    stored = StoredFeatures(library, wanted.recipe)
    video_id = library.video(1, library.folder / "a.mp4").video_id
    path = stored.path(video_id)
    WRONGS[what](path, read(path))
    (bad,) = check_features(library).bad
    assert (bad.video_id, bad.stored.backbone) == (video_id, "plain")
    assert bad.what.startswith(what)
    assert check_features(library, ["other"]).bad == ()
    forget_bad(library, [bad])
    assert extract_videos(library, [wanted, other], workers=1).made == 1
    assert check_features(library).bad == ()


def test_what_the_disk_does_not_give_is_not_called_damaged(library: Library) -> None:
    """With --redo it would be deleted. What comes after it is read all the same."""
    wanted = wanted_of(PlainBackbone())
    extract_videos(library, [wanted], workers=1)
    stored = StoredFeatures(library, wanted.recipe)
    path, other, _ = (stored.path(library.video_id(number)) for number in library.paths())
    path.unlink()
    path.symlink_to("/proc/self/mem")  # the first bytes of which are an I/O error
    other.write_bytes(b"half")
    checked = check_features(library)
    assert [one.what for one in checked.bad] == ["damaged"]
    (unreadable,) = checked.unreadable
    assert unreadable.what.endswith("cannot be read: Input/output error")


def test_an_address_that_is_down_is_not_asked_for_every_file(
    library: Library, s3_site: S3Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_MOST_IN_A_ROW", 2)
    put_features_at(library, "s3://films/mine")
    extract_videos(library, [wanted_of(PlainBackbone())], workers=1)
    s3_site.unreadable = ".safetensors"
    with pytest.raises(Unreachable, match="s3://films/mine"):
        check_features(library)
