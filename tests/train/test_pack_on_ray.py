"""Packing on a Ray cluster: the same bytes as here, in whatever order actors end."""

import json
import shutil
from pathlib import Path
from typing import Any

from howto.train.pack_build import packs_folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_bytes(filled: Any, cli: Any, cluster: Any) -> None:
    for name in "abcdefgh":
        filled.whole(name, 6)
    broken = filled.stored("resnet152", 8, "1").path("c")
    broken.write_bytes(broken.read_bytes()[:-5])
    packs = packs_folder(filled.library)
    packed = []
    for options in (("--on", "ray"), ()):
        told = cli("train", filled.library.folder, "--dry-run", "--json", *options)
        assert told.code == 0, told.err
        folder = packs / json.loads(told.out)["pack"]
        packed.append(files_of(folder))
        shutil.rmtree(folder)
    assert packed[0].keys() == packed[1].keys()
    for name, data in packed[0].items():
        assert data == packed[1][name], name
    sources = json.loads(packed[0]["sources.json"])
    assert [one[0] for one in sources] == list("abcdefgh")
    assert [one[0] for one in sources if one[-1]] == ["c"]


def test_files_of_the_authors_are_packed_here(filled: Any, cli: Any) -> None:
    ran = cli("train", filled.library.folder, "--on", "ray", "--from-authors", *"abcd")
    assert ran.code == 2
    assert "--from-authors" in ran.err
