"""Feature files at an address: a real S3 server on loopback, which fails when it is told to."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.collect.forget import forget
from howto.errors import ItemError, LibraryError, Reason, UsageError
from howto.extract.features import Features, feature_path, files_of, read, sets, write
from howto.extract.stage import extract_videos
from howto.extract.storage import Unreachable, place_of, remove, states_below
from howto.extract.store import StoredFeatures, features_root, put_features_at
from howto.library import Library
from howto.recipe import Recipe
from howto.records import State
from howto.search.refresh import refresh

from ..conftest import S3Site
from .conftest import PlainBackbone, wanted_of

RECIPE = Recipe.of(backbone="net", dim=4)


def some(video_id: str = "abc", seed: int = 0) -> Features:
    values = np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float16)
    return Features(video_id, values, np.arange(5) * 0.5, RECIPE, 2.5, Fraction(3, 2))


@pytest.fixture(params=["no server", "no credentials"])
def shut(
    request: pytest.FixtureRequest, s3_site: S3Site, tmp_path: Path
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Nothing at an address can be reached inside of it."""
    import s3fs

    @contextmanager
    def closed() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            if request.param == "no server":
                patch.setenv("AWS_ENDPOINT_URL", nobody)
            else:
                patch.delenv("AWS_ACCESS_KEY_ID")
                patch.delenv("AWS_SECRET_ACCESS_KEY")
                patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
                for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
                    patch.setenv(name, str(tmp_path / "none"))
            s3fs.S3FileSystem.clear_instance_cache()
            try:
                yield
            finally:
                s3fs.S3FileSystem.clear_instance_cache()

    # A port that is taken and not listened at: nobody else can come to answer there meanwhile.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        yield closed


def test_what_is_written_is_read(s3_site: S3Site) -> None:
    root = place_of("s3://films/of/mine")
    path = feature_path(root, "net", RECIPE, "abc")
    write(path, some())
    found = read(path)
    np.testing.assert_array_equal(found.features, some().features)
    np.testing.assert_array_equal(found.times, some().times)
    assert (found.video_id, found.recipe, found.rate) == ("abc", RECIPE, Fraction(3, 2))
    (only,) = sets(root)
    assert (only.recipe, only.files) == (RECIPE, 1)
    assert str(path).startswith(f"s3://films/of/mine/net-{RECIPE.short}/ba/")


def test_an_upload_that_fails_is_repeated_and_the_last_one_counts(s3_site: S3Site) -> None:
    path = feature_path(place_of("s3://films"), "net", RECIPE, "abc")
    s3_site.refusals = 2
    write(path, some(seed=1))
    assert len(s3_site.puts) == 3
    write(path, some(seed=2))
    np.testing.assert_array_equal(read(path).features, some(seed=2).features)


def test_an_upload_that_fails_for_good_leaves_nothing(s3_site: S3Site) -> None:
    path = feature_path(place_of("s3://films"), "net", RECIPE, "abc")
    s3_site.refusals = 1000
    with pytest.raises(ItemError) as told:
        write(path, some())
    assert told.value.reason == Reason.NETWORK
    s3_site.refusals = 0
    assert list(files_of(path.parent.parent)) == []
    with pytest.raises(LibraryError, match="no feature file"):
        read(path)


def test_what_is_cut_off_or_no_feature_file_is_said(s3_site: S3Site) -> None:
    path = feature_path(place_of("s3://films"), "net", RECIPE, "abc")
    write(path, some())
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:-1], b"", b"no file of ours at all"):
        path.write_bytes(damaged)
        with pytest.raises(LibraryError, match="damaged"):
            read(path)


def test_a_library_keeps_its_features_there(s3_site: S3Site, library: Library) -> None:
    """Made, seen as made, and made again where an upload failed: the same as in a folder."""
    wanted = wanted_of(PlainBackbone())
    refresh(library)
    here = extract_videos(library, [wanted], workers=1)
    stored = StoredFeatures(library, wanted.recipe)
    there = {path.name: read(path) for path in files_of(stored.folder)}
    put_features_at(library, "s3://films/mine")
    s3_site.refusals = 1000
    failed = extract_videos(library, [wanted], workers=1)
    assert failed.made == 0
    assert {one.reason for one in failed.outcomes if one.state == State.FAILED} == {Reason.NETWORK}
    s3_site.refusals = 0
    assert extract_videos(library, [wanted], workers=1).made == here.made > 0
    assert extract_videos(library, [wanted], workers=1).made == 0
    remote = {path.name: read(path) for path in files_of(stored.folder)}
    assert remote.keys() == there.keys()
    for name, one in remote.items():
        np.testing.assert_array_equal(one.features, there[name].features)
    assert str(features_root(library)) == "s3://films/mine"
    put_features_at(library, "library")
    assert extract_videos(library, [wanted], workers=1).made == 0, "those of before are used again"


def test_places_that_cannot_be(s3_site: S3Site, library: Library) -> None:
    with pytest.raises(LibraryError, match="there is no nowhere"):
        put_features_at(library, "s3://nowhere/x")
    with pytest.raises(UsageError, match="cannot be used"):
        put_features_at(library, "teapot://films")
    assert features_root(library) == library.state / "features"


def test_what_cannot_be_reached_is_said(
    shut: Callable[[], AbstractContextManager[None]], library: Library
) -> None:
    with shut():
        path = feature_path(place_of("s3://films"), "net", RECIPE, "abc")
        for ask in (read, remove, states_below, lambda path: list(files_of(path))):
            with pytest.raises(Unreachable, match="s3://films"):
                ask(path)
        with pytest.raises(ItemError) as told:
            write(path, some())
        assert told.value.reason == Reason.NETWORK
        with pytest.raises(LibraryError, match="s3://films/mine"):
            put_features_at(library, "s3://films/mine")
    assert features_root(library) == library.state / "features"


def test_a_run_whose_place_cannot_be_reached_says_so_at_its_start(
    shut: Callable[[], AbstractContextManager[None]], library: Library
) -> None:
    wanted = wanted_of(PlainBackbone())
    refresh(library)
    put_features_at(library, "s3://films/mine")
    with shut(), pytest.raises(LibraryError, match="s3://films/mine"):
        extract_videos(library, [wanted], workers=1)
    assert extract_videos(library, [wanted], workers=1).made > 0


def test_a_place_is_written_before_it_is_kept(s3_site: S3Site, library: Library) -> None:
    s3_site.refusals = 1000
    with pytest.raises(LibraryError, match="s3://films/mine may not be written"):
        put_features_at(library, "s3://films/mine")
    assert features_root(library) == library.state / "features"
    s3_site.refusals = 0
    place = put_features_at(library, "s3://films/mine")
    assert states_below(place) == {}, "nothing of the attempt is left"


@pytest.mark.parametrize("address", ["s3:/films/x", "gs:/films", "file:/films"])
def test_one_slash_is_no_folder(address: str, library: Library) -> None:
    meant = address.replace(":/", "://")
    with pytest.raises(UsageError, match=f"is {meant} meant"):
        put_features_at(library, address)


def test_a_folder_elsewhere(library: Library, tmp_path: Path) -> None:
    wanted = wanted_of(PlainBackbone())
    refresh(library)
    put_features_at(library, str(tmp_path / "large disk"))
    made = extract_videos(library, [wanted], workers=1).made
    assert len(list((tmp_path / "large disk").glob("*/*/*.safetensors"))) == made > 0
    assert not (library.state / "features").exists()


@pytest.mark.parametrize("place", ["s3://films/mine", "folder"])
def test_a_forgotten_video_is_deleted_there_too(
    s3_site: S3Site, library: Library, tmp_path: Path, place: str
) -> None:
    wanted = wanted_of(PlainBackbone())
    refresh(library)
    put_features_at(library, str(tmp_path / "disk") if place == "folder" else place)
    made = extract_videos(library, [wanted], workers=1).made
    stored = StoredFeatures(library, wanted.recipe)
    gone = next(iter(library.paths()))
    path = stored.path(library.video_id(gone))
    done = forget(library, [library.video_id(gone)])
    assert str(path) in done.deleted
    left = {one.name for one in files_of(stored.folder)}
    assert len(left) == made - 1
    assert path.name not in left


def test_a_file_without_a_row_that_cannot_be_read_is_not_written_over(
    s3_site: S3Site, library: Library
) -> None:
    """Its run was killed before the row; it is taken over when its server gives it."""
    wanted = wanted_of(PlainBackbone())
    refresh(library)
    put_features_at(library, "s3://films/mine")
    extract_videos(library, [wanted], workers=1)
    stored = StoredFeatures(library, wanted.recipe)
    number, *_ = library.paths()
    with library.writing():
        stored.take_out(number)
    s3_site.unreadable = stored.path(library.video_id(number)).name
    s3_site.puts.clear()
    done = extract_videos(library, [wanted], workers=1)
    assert (done.made, done.tally) == (0, {"ok": 2, Reason.NETWORK: 1})
    s3_site.unreadable = ""
    done = extract_videos(library, [wanted], workers=1)
    assert (done.made, done.tally) == (0, {"ok": 3})
    assert s3_site.puts == []
