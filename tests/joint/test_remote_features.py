"""Features on object storage: a library is packed, trained from and searched as from a folder."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from howto.errors import ItemError, Reason
from howto.extract.choice import Choice, choose
from howto.extract.stage import extract_videos
from howto.extract.store import put_features_at
from howto.joint.opened import open_model
from howto.library import Library
from howto.search.search import search
from howto.train.config import TrainOptions
from howto.train.stage import prepare, train_prepared

from ..conftest import S3Site

OPTIONS = TrainOptions(
    backbone=("colour-motion",), epochs=4, pairs_per_video=4, lr=0.01, dim=24, device="cpu"
)
"""Those of the run `small`."""


def test_packed_trained_from_and_searched(drawn: Path, tmp_path: Path, s3_site: S3Site) -> None:
    folder = tmp_path / "films"
    shutil.copytree(drawn, folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with Library.open(folder) as library:
        here = prepare(library, OPTIONS, "small").problem.pack
        clips, spans = here.clips[:].copy(), here.spans[:].copy()
        model = open_model(library, "small")
        embedded = model.embed_spans(library, here.video_ids[0], spans[:3])

        put_features_at(library, "s3://films/features")
        shutil.rmtree(library.state / "features")
        extract_videos(library, choose(Choice(("colour-motion",), "cpu")), workers=1)
        ready = prepare(library, OPTIONS, "remote")
        assert (ready.built.made, ready.built.lost) == (6, ())
        np.testing.assert_array_equal(ready.problem.pack.clips, clips)
        train_prepared(ready)
        assert prepare(library, OPTIONS, "remote").built.made == 0
        again = model.embed_spans(library, here.video_ids[0], spans[:3])
        np.testing.assert_array_equal(again, embedded)
        assert not (library.state / "features").exists()

        # What cannot be read now is not called missing.
        s3_site.unreadable = ".safetensors"
        with pytest.raises(ItemError) as told:
            model.embed_spans(library, here.video_ids[0], spans[:3])
        assert told.value.reason == Reason.NETWORK
        s3_site.unreadable = ""

        # A file that changes there is seen: one listing tells it.
        (path,) = [
            stored.path(here.video_ids[0])
            for stored in open_model(library, "remote").feature_sets(library)
        ]
        path.unlink()
        lost = prepare(library, OPTIONS, "third").built
        assert [one.reason for one in lost.lost] == ["no_features"]
    torch.set_num_threads(threads)
    answer = search("fold the shirt", folder, by=("pictures",), model="remote")
    assert answer.hits
    assert {hit.matched for hit in answer.hits} == {("pictures",)}
