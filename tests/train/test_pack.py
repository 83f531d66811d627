"""The pack against the authors' loader, and what changes, kills and damage do to it."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from howto.clip.pairs import Pair, PairOptions
from howto.clip.pairs_store import StoredSet
from howto.clip.words import words
from howto.errors import LibraryError, Reason, RecipeMismatch, UsageError
from howto.extract.features import read
from howto.extract.store import put_features_at
from howto.library import Library
from howto.recipe import Recipe
from howto.train import pack_files
from howto.train.pack import Pack, fraction, rank_at_most
from howto.train.pack_build import Built, build_pack, pack_library, packs_folder
from howto.train.pack_files import JOURNAL, Entry, GrowingArray, PartialPack
from howto.train.pack_source import LibrarySource, chosen_features, chosen_pairs
from howto.train.pack_text import TextChoice, encoder_for

from ..conftest import S3Site

LEARNED = TextChoice("learned", {"min_count": 1, "max_words": 6})


def build(filled, **options) -> Built:
    return pack_library(filled.library, options.pop("text", LEARNED), **options)


def rows_of(pack: Pack, name: str) -> slice:
    video = pack.video_ids.index(name)
    return slice(int(pack.offsets[video]), int(pack.offsets[video + 1]))


def pairs_of(filled, name: str) -> list[tuple[float, float, str]]:
    number = filled.library.numbers([name])[name]
    return filled.library.connection.execute(
        "SELECT start, end, caption FROM pairs WHERE number = ? ORDER BY position", (number,)
    ).fetchall()


def authors_clip(streams, start: float, end: float) -> torch.Tensor:
    """What the authors' loader does with two .npy files, re-stated: one clip, 2D then 3D."""
    parts = []
    for array, rate in zip(streams, (1, 24 / 16), strict=True):
        piece = torch.from_numpy(array).float()[int(start * rate) : int(end * rate) + 1]
        if len(piece):
            parts.append(F.normalize(torch.max(piece, dim=0)[0], dim=0))
        else:
            parts.append(torch.zeros(array.shape[1]))
    return torch.cat(parts)


def test_a_batch_is_the_authors_loaders_bit_for_bit(three, tmp_path: Path) -> None:
    pack = build(three).pack
    assert [(one.name, one.dim, one.rate) for one in pack.streams] == [
        ("resnet152", 8, "1"),
        ("resnext101-3d", 6, "3/2"),
    ]
    batch = pack.batch(np.arange(pack.num_pairs))
    for name in "abc":
        arrays = []
        for backbone, dim, rate in (("resnet152", 8, "1"), ("resnext101-3d", 6, "3/2")):
            held = read(three.stored(backbone, dim, rate).path(name)).features
            np.save(tmp_path / "own.npy", held)  # as the authors keep them
            arrays.append(np.load(tmp_path / "own.npy"))
        for row, (start, end, _) in zip(
            batch.clips[rows_of(pack, name)], pairs_of(three, name), strict=True
        ):
            assert torch.equal(row, authors_clip(arrays, start, end))


def test_rows_are_the_librarys_pairs(three) -> None:
    built = build(three)
    pack = built.pack
    assert (built.made, built.kept, built.gone, built.lost) == (3, 0, 0, ())
    assert pack.video_ids == ("a", "b", "c")
    assert pack.offsets.tolist() == [0, 5, 8, 15]
    captions = list(pack.captions())
    for place, name in enumerate(pack.video_ids):
        told = pairs_of(three, name)
        assert [tuple(span) for span in pack.spans[rows_of(pack, name)]] == [
            (start, end) for start, end, _ in told
        ]
        assert captions[place] == [caption for *_, caption in told]
    batch = pack.batch(np.array([14, 0, 7, 7]))
    assert batch.video.tolist() == [2, 0, 1, 1]
    flat = [caption for several in captions for caption in several]
    for row, tokens in zip((14, 0, 7, 7), batch.words, strict=True):
        spelt = [pack.vocabulary.rows[token] for token in tokens if token]
        assert spelt == words(flat[row])[:6]
        assert tokens[len(spelt) :].eq(0).all()
    assert (batch.words.dtype, batch.clips.dtype) == (torch.int64, torch.float32)
    assert batch.texts is None


def test_words_of_a_file_of_vectors(three, glove: Path) -> None:
    """Unknown words are dropped, then the rest is cut; the pack keeps the vectors of its words."""
    choice = TextChoice("word2vec", {"max_words": 3, "dim": 8}, str(glove))
    pack = build(three, text=choice).pack
    captions = [caption for several in pack.captions() for caption in several]
    for tokens, caption in zip(pack.words[:, 0], captions, strict=True):
        spelt = [pack.vocabulary.rows[token] for token in tokens if token]
        assert spelt == [word for word in words(caption) if word != "batter"][:3]
    glove.rename(glove.with_name("gone.txt"))
    glove.symlink_to(glove.with_name("gone.txt"))
    encoder = encoder_for(pack, choice)
    assert encoder.vocabulary == pack.vocabulary
    tokens = pack.batch(np.arange(pack.num_pairs)).words
    assert torch.equal(encoder.tokenise(captions), tokens)
    lines = {line.split()[0]: line.split()[1:] for line in glove.read_text().splitlines()}
    table = [[float(x) for x in lines[word]] for word in pack.vocabulary.words]
    np.testing.assert_array_equal(encoder.module().table[1:], np.array(table, np.float32))
    with pytest.raises(RecipeMismatch, match="max_words"):
        encoder_for(pack, TextChoice("word2vec", {"max_words": 4}, str(glove)))


def test_a_learned_encoder_for_a_pack(three) -> None:
    pack = build(three).pack
    encoder = encoder_for(pack, LEARNED)
    assert encoder.vocabulary == pack.vocabulary
    captions = [caption for several in pack.captions() for caption in several]
    assert torch.equal(encoder.tokenise(captions), pack.batch(np.arange(pack.num_pairs)).words)


def test_candidates_stand_side_by_side(three) -> None:
    options = PairOptions(num_candidates=2)
    stored = StoredSet(three.library, options.recipe())
    pairs = [
        Pair(0, 5, "cut", 0, 0, 0.5, ("cut", "the onion")),
        Pair(5, 9, "fold", 1, 1, 0.5, ("fold", "fold")),
    ]
    with three.library.writing():
        stored.put(three.library.number_of("a"), pairs, "n")
    built = build(three, pairs=options.recipe().short)
    pack = built.pack
    assert (pack.candidates, pack.num_pairs, pack.words.shape) == (2, 2, (2, 2, 6))
    batch = pack.batch(np.array([1, 0]))
    spelt = [[pack.vocabulary.rows[token] for token in row if token] for row in batch.words]
    assert spelt == [["fold"], ["fold"], ["cut"], ["the", "onion"]]
    assert {one.video_id: one.reason for one in built.lost} == {"b": "no_pairs", "c": "no_pairs"}


# --- cases ---


def test_nothing_is_dropped_in_silence(three) -> None:
    three.say("silent", [])
    three.video("untold")
    three.say("unseen", [(0, 5, "cut the onion")])
    three.show("unseen", three.features(9, 8), "resnet152", "1")
    three.say("short", [(0, 2, "cut the onion"), (3.5, 4, "fold it"), (30, 35, "xyz")])
    three.show("short", three.features(3, 8), "resnet152", "1")
    three.show("short", three.features(6, 6), "resnext101-3d", "3/2")
    broken = three.whole("broken", 2)
    path = three.stored("resnet152", 8, "1").path(broken)
    path.write_bytes(path.read_bytes()[:-5])
    three.say("alone", [(0, 5, "")])
    three.show("alone", three.features(9, 8), "resnet152", "1")
    three.show("alone", three.features(9, 6), "resnext101-3d", "3/2")
    built = build(three)
    assert {one.video_id: one.reason for one in built.lost} == {
        "silent": "no_pairs",
        "untold": "no_pairs",
        "unseen": "no_features",
        "broken": "damaged_features",
    }
    assert built.tally == {"ok": 5, "no_pairs": 2, "no_features": 1, "damaged_features": 1}
    assert "resnext101-3d" in next(o.detail for o in built.lost if o.video_id == "unseen")
    assert "howto extract --check --redo" in built.lost[-1].detail
    counts = built.pack.counts
    # of `short` 3.5 s lies past 3 features at 1 a second, and within 6 at 1.5 a second
    assert (counts["empty_clips_of_resnet152"], counts["empty_clips_of_resnext101-3d"]) == (2, 1)
    assert (counts["empty_clips"], counts["videos_of_one_pair"]) == (1, 1)
    assert counts["captions_without_known_word"] == 1
    rows = rows_of(built.pack, "short")
    clips = built.pack.batch(np.arange(rows.start, rows.stop)).clips
    assert clips[2].eq(0).all()
    assert clips[1, :8].eq(0).all()
    assert clips[1, 8:].ne(0).all()
    again = build(three)
    assert (again.made, again.kept, again.lost) == (0, 5, built.lost)


def test_what_the_network_broke_off_is_asked_for_again(filled, s3_site: S3Site) -> None:
    put_features_at(filled.library, "s3://films/mine")
    for name in "abc":
        filled.whole(name)
    s3_site.unreadable = "b.safetensors"
    for _ in range(2):
        built = build(filled)
        assert built.pack.video_ids == ("a", "c")
        assert [(one.video_id, one.reason) for one in built.lost] == [("b", Reason.NETWORK)]
    s3_site.unreadable = ""
    built = build(filled)
    assert (built.made, built.kept, built.lost) == (1, 2, ())
    assert set(built.pack.video_ids) == set("abc")
    again = build(filled)
    assert (again.made, again.kept) == (0, 3)


def test_what_a_disk_did_not_give_is_asked_for_again(filled) -> None:
    for name in "abc":
        filled.whole(name)
    path = filled.stored("resnet152", 8, "1").path("b")
    aside = path.rename(path.with_name("aside"))
    # Reading the first bytes of one's own memory is an I/O error.
    path.symlink_to("/proc/self/mem")
    for made in (2, 0):
        built = build(filled)
        assert built.pack.video_ids == ("a", "c")
        assert [(one.video_id, one.reason) for one in built.lost] == [("b", Reason.UNREADABLE_FILE)]
        assert built.made == made
    aside.replace(path)
    built = build(filled)
    assert (built.made, built.kept, built.lost) == (1, 2, ())


def test_a_machine_without_the_folder_does_not_call_features_damaged(filled) -> None:
    for name in "abc":
        filled.whole(name)
    with filled.library.reading():
        pairs, features = chosen_pairs(filled.library), chosen_features(filled.library)
        source = LibrarySource(filled.library, pairs, features)
    path = filled.stored("resnet152", 8, "1").path("b")
    aside = path.rename(path.with_name("aside"))  # as if there were another folder
    with filled.library.reading():
        (lost,) = build_pack(source, LEARNED, packs_folder(filled.library)).lost
    assert (lost.reason, lost.may_pass) == (Reason.UNREADABLE_FILE, True)
    aside.rename(path)
    assert build(filled).made == 1


def which_file(path: Path) -> tuple[int, int]:
    """What another file in its place has not: a file system gives out an inode's number anew."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def test_what_stays_unreadable_does_not_have_the_pack_written_anew(filled) -> None:
    for name in "abc":
        filled.whole(name)
    path = filled.stored("resnet152", 8, "1").path("b")
    path.unlink()
    path.symlink_to("/proc/self/mem")  # as above
    pack = build(filled).pack.folder
    before = [which_file(one) for one in (pack, pack / "clips.npy")]
    built = build(filled)
    assert (built.made, built.kept, built.gone) == (0, 2, 0)
    assert [(one.video_id, one.reason) for one in built.lost] == [("b", Reason.UNREADABLE_FILE)]
    assert [which_file(one) for one in (pack, pack / "clips.npy")] == before
    filled.whole("d")
    built = build(filled)
    assert (built.pack.video_ids, built.made) == (("a", "c", "d"), 1)
    assert [one.video_id for one in built.lost] == ["b"], "told once"


def test_a_build_that_read_nothing_does_not_keep_later_ones_from_reading(
    filled, s3_site: S3Site
) -> None:
    put_features_at(filled.library, "s3://films/mine")
    filled.whole("a")
    with filled.library.reading():
        pairs, features = chosen_pairs(filled.library), chosen_features(filled.library)
        source = LibrarySource(filled.library, pairs, features)
        packs = packs_folder(filled.library)
        s3_site.unreadable = "a.safetensors"
        with pytest.raises(LibraryError, match="network 1"):
            build_pack(source, LEARNED, packs)
        s3_site.unreadable = ""
        assert build_pack(source, LEARNED, packs).pack.video_ids == ("a",)


def test_one_feature_for_a_whole_clip(filled) -> None:
    filled.say("a", [(0, 5, "cut"), (90, 95, "fold")])
    vector = filled.features(1, 4)
    filled.show("a", vector, "resnet152", "")
    pack = build(filled).pack
    assert pack.streams[0].rate == ""
    np.testing.assert_array_equal(pack.clips, np.repeat(vector, 2, axis=0))


@pytest.mark.parametrize(
    ("say", "show", "options", "match"),
    [
        (False, True, {}, "has no pairs yet. Make them: howto clip .*films"),
        (True, False, {}, "has no features yet. Make them: howto extract .*films"),
        (
            True,
            True,
            {"backbones": ["s3d"]},
            r"no features of 's3d' \(there are: resnet152\). .* --backbone s3d",
        ),
        (True, True, {"pairs": "ffff"}, "has no sets of pairs 'ffff'. There are: "),
        (True, True, {"backbones": ["resnet152", "resnet152"]}, "named twice"),
    ],
)
def test_what_is_missing_is_named_with_its_command(filled, say, show, options, match) -> None:
    filled.video("a")
    if say:
        filled.say("a", [(0, 5, "cut")])
    if show:
        filled.show("a", filled.features(9, 4), "resnet152", "1")
    with pytest.raises((LibraryError, UsageError), match=match):
        build(filled, **options)


def test_videos_without_both_pairs_and_features(filled) -> None:
    filled.say("a", [(0, 5, "cut")])
    filled.video("b")
    filled.show("b", filled.features(9, 4), "resnet152", "1")
    with pytest.raises(LibraryError, match=r"no_features 1, no_pairs 1\); the first: a.mp4 has no"):
        build(filled)


def test_which_of_several_feature_sets_is_asked(three) -> None:
    three.show("a", three.features(40, 4), "resnet152", "1", tag="other")
    with pytest.raises(LibraryError, match="several sets of features of 'resnet152'; name one"):
        build(three, backbones=["resnet152"])
    stored = three.stored("resnet152", 4, "1", "other")
    built = build(three, backbones=[f"resnet152-{stored.recipe.short}"])
    assert built.pack.video_ids == ("a",)
    assert built.pack.clips.shape == (5, 4)


def test_without_features_a_pack_holds_everything_else(three, tmp_path: Path) -> None:
    whole = build(three).pack
    library = three.library
    source = LibrarySource(library, chosen_pairs(library), ())
    pack = build_pack(source, LEARNED, tmp_path / "packs").pack
    assert (pack.clips.shape, pack.clips.dtype) == ((15, 0), np.float16)
    for name in ("spans", "offsets", "words"):
        np.testing.assert_array_equal(getattr(pack, name), getattr(whole, name))
    assert (list(pack.captions()), pack.video_ids) == (list(whole.captions()), whole.video_ids)
    assert pack.check() == []


# --- changes ---


def everything(pack: Pack) -> dict[str, tuple]:
    """Of each video what a model is shown of it, whatever its place."""
    return {
        name: (
            pack.clips[rows_of(pack, name)].tobytes(),
            pack.spans[rows_of(pack, name)].tobytes(),
            tuple(
                tuple(pack.vocabulary.rows[token] for token in row)
                for row in pack.words[rows_of(pack, name), 0]
            ),
        )
        for name in pack.video_ids
    }


def fresh(filled, folder: Path) -> Pack:
    """The same pack, built from nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    library = filled.library
    source = LibrarySource(library, chosen_pairs(library), chosen_features(library))
    return build_pack(source, LEARNED, folder).pack


def test_new_videos_come_at_the_end(three, tmp_path: Path, monkeypatch) -> None:
    first = build(three).pack
    before = first.clips[:].copy()
    pooled = count_pooled(monkeypatch)
    three.whole("0", 4)  # whose path comes first
    built = build(three)
    assert (built.kept, built.made, built.gone) == (3, 1, 0)
    assert built.pack.video_ids == ("a", "b", "c", "0")
    np.testing.assert_array_equal(built.pack.clips[:15], before)
    assert pooled == [4, 4]  # once for each stream
    assert everything(built.pack) == everything(fresh(three, tmp_path / "fresh"))


def count_pooled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count clips as they are pooled."""
    from howto.train import pack_source

    pooled, real = [], pack_source.pool
    monkeypatch.setattr(
        pack_source, "pool", lambda *given: pooled.append(len(given[2])) or real(*given)
    )
    return pooled


def test_only_what_changed_is_made_again(three, tmp_path, monkeypatch, older) -> None:
    build(three)
    three.say("b", [(0, 5, "flip the pancake"), (9, 12, "Onion")], tag="another narration")
    older(three.stored("resnext101-3d", 6, "3/2").path("a"))
    three.library.forget_files(["c.mp4"])
    three.whole("d", 2)
    pooled = count_pooled(monkeypatch)
    built = build(three)
    assert (built.kept, built.made, built.gone) == (0, 3, 3)
    assert sorted(pooled) == [2, 2, 2, 2, 5, 5]
    three.say("b", [(0, 5, "oil")], tag="a third")
    built = build(three)
    assert (built.kept, built.made, built.gone) == (2, 1, 1)
    assert built.pack.video_ids == ("a", "d", "b")
    assert everything(built.pack) == everything(fresh(three, tmp_path / "fresh"))


def test_nothing_to_do_touches_nothing(three) -> None:
    folder = build(three).pack.folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert build(three).made == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        folder.name,
        f"{folder.name}.lock",
    ]


def test_an_open_pack_stays_as_it_is_while_another_takes_its_place(three) -> None:
    first = build(three).pack
    before = first.batch(np.arange(15)).clips
    three.say("a", [(0, 5, "fold")], tag="another")
    build(three)
    assert torch.equal(first.batch(np.arange(15)).clips, before)


def steps_until_killed(folder: Path, step: int) -> int | None:
    """Build in a forked process that kills itself at a step; None where it was, else all steps.

    One that ends in any other way, such as by an error of its own, fails the test.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        calls = 0

        def counted(real):
            def call(*given, **named):
                nonlocal calls
                calls += 1
                if calls == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*given, **named)

            return call

        pack_files._FLUSH_SECONDS = 0.0
        for owner, name in ((GrowingArray, "add"), (os, "fsync"), (Path, "rename")):
            setattr(owner, name, counted(getattr(owner, name)))
        shutil.rmtree = counted(shutil.rmtree)
        code = 1
        try:
            with Library.open(folder) as library:
                pack_library(library, LEARNED)
            os.write(writing, str(calls).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    said = os.read(reading, 100)
    os.close(reading)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert (code, said) == (-signal.SIGKILL, b"") or (code == 0 and said)
    return int(said) if said else None


def test_killed_at_any_instant_and_gone_on(three, tmp_path: Path, monkeypatch) -> None:
    """A pack is there whole or not at all; the build after the kill ends with the same pack, and
    never makes what the old pack had."""
    build(three)
    three.say("a", [(0, 5, "flip the pancake")], tag="another narration")
    three.whole("d", 9)
    wanted = everything(fresh(three, tmp_path / "fresh"))
    packs, before = three.library.state / "packs", tmp_path / "before"
    shutil.copytree(packs, before)
    total = steps_until_killed(three.library.folder, 0)
    assert total is not None
    assert total > 20
    for step in (*range(1, total - 8, 3), *range(total - 8, total + 1)):
        shutil.rmtree(packs)
        shutil.copytree(before, packs)
        assert steps_until_killed(three.library.folder, step) is None
        for folder in packs.glob("????????"):
            assert Pack.open(folder).check() == []
        pooled = count_pooled(monkeypatch)
        assert everything(build(three).pack) == wanted
        monkeypatch.undo()
        assert len(pooled) <= 4  # two streams of two videos
        assert len(list(packs.iterdir())) == 2  # the pack and its lock


def test_a_build_goes_on_where_it_was_killed(three, monkeypatch) -> None:
    """After the first two videos; only the third is pooled by the build that goes on."""
    from howto.train import pack_source

    real = pack_source.pooled_clips
    done: list[int] = []

    def interrupted(*given):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return real(*given)

    monkeypatch.setattr(pack_source, "pooled_clips", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(three)
    monkeypatch.setattr(pack_source, "pooled_clips", real)
    pooled = count_pooled(monkeypatch)
    built = build(three)
    assert pooled == [7, 7]
    assert built.pack.check() == []
    assert built.pack.video_ids == ("a", "b", "c")


# --- damage ---


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("clips.npy", lambda data: data[:-2], r"clips.npy has \d+ bytes, expected \d+"),
        ("words.npy", None, "words.npy is missing, expected"),
        ("meta.json", lambda data: data[:-20], "meta.json is damaged"),
        ("offsets.npy", lambda data: data[:-8] + bytes(8), "offsets.npy does not fit"),
        ("clips.npy", lambda data: data[:-2] + b"\x00\x7e", "row 14: values that are not finite"),
        ("words.npy", lambda data: data[:-4] + b"\xff\x00\x00\x00", "a number that no word has"),
    ],
)
def test_damage_is_found_when_a_pack_is_opened(three, name: str, change, match: str) -> None:
    pack = build(three).pack
    wanted = everything(pack)
    path = pack.folder / name
    data = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change(data))
    with pytest.raises(LibraryError, match=match):
        Pack.open(pack.folder)
    built = build(three)
    assert built.notes[0].startswith("a damaged pack was replaced")
    assert everything(built.pack) == wanted


def test_check_reads_every_row(filled) -> None:
    for name in "ab":
        filled.whole(name, 300)
    pack = build(filled).pack
    assert pack.check() == []
    path = pack.folder / "clips.npy"
    data = bytearray(path.read_bytes())
    at = len(data) - (600 - 301) * 14 * 2
    data[at : at + 2] = b"\x00\x7c"  # infinity
    path.write_bytes(data)
    assert Pack.open(pack.folder).check() == ["clips.npy, row 301: values that are not finite"]


def test_a_pack_of_another_recipe_or_format(three) -> None:
    folder = build(three).pack.folder
    with pytest.raises(RecipeMismatch, match="stage"):
        Pack.open(folder, Recipe.of(stage="other"))
    with pytest.raises(LibraryError, match="there is no pack"):
        Pack.open(folder / "none")
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "format": 99}))
    with pytest.raises(RecipeMismatch, match="format 99, expected 1"):
        Pack.open(folder)


def test_another_length_is_another_pack(three) -> None:
    first = build(three).pack
    second = build(three, text=TextChoice("learned", {"min_count": 1, "max_words": 3})).pack
    assert first.folder != second.folder
    assert (first.max_words, second.max_words) == (6, 3)


def test_memory_does_not_grow_with_the_library(three, monkeypatch) -> None:
    """No array of more rows than one video has is handed to the files."""
    for k in range(20):
        three.whole(f"v{k}", 6)
    sizes: list[int] = []
    real = GrowingArray.add
    monkeypatch.setattr(
        GrowingArray, "add", lambda self, rows: sizes.append(len(rows)) or real(self, rows)
    )
    pack = build(three).pack
    assert pack.num_pairs == 135
    assert sorted(set(sizes)) == [3, 5, 6, 7, 24]  # 24: the offsets


# --- choosing videos ---


IDS = [f"v{k}" for k in range(40)]


@given(st.floats(0.001, 1), st.floats(0.001, 1), st.integers(0, 5), st.permutations(range(40)))
def test_fractions_are_nested_and_an_ids_own(a: float, b: float, seed: int, order) -> None:
    small, large = (fraction(IDS, share, seed) for share in sorted((a, b)))
    assert not (small & ~large).any()
    assert 1 <= small.sum() <= max(1, np.ceil(min(a, b) * 40))
    mixed = fraction([IDS[k] for k in order], min(a, b), seed)
    assert {IDS[k] for k in np.flatnonzero(small)} == {IDS[order[k]] for k in np.flatnonzero(mixed)}


def test_a_fraction_is_exact() -> None:
    assert fraction(IDS, 0.1).sum() == 4
    assert fraction(IDS[:30], 0.1).sum() == 3  # 0.1 * 30 is 3.0000000000000004
    assert fraction(IDS, 1).all()
    assert (fraction(IDS, 0.5, 1) != fraction(IDS, 0.5, 2)).any()
    with pytest.raises(UsageError, match="over 0, at most 1, got 0"):
        fraction(IDS, 0)


def test_videos_by_rank() -> None:
    assert rank_at_most(["a", "b", "c"], {"a": 1, "b": 11, "c": 10}, 10).tolist() == [1, 0, 1]
    with pytest.raises(UsageError, match="2 of 3 videos have no search rank, such as b"):
        rank_at_most(["a", "b", "c"], {"a": 1}, 10)


def test_a_view_counts_its_own_pairs(three) -> None:
    pack = build(three).pack
    view = pack.view(np.array([True, False, True]))
    assert view.offsets.tolist() == [0, 5, 12]
    assert view.num_pairs == 12
    assert view.rows(np.array([0, 4, 5, 11])).tolist() == [0, 4, 8, 14]
    batch = view.batch(np.array([11, 5]))
    assert batch.video.tolist() == [2, 2]
    assert torch.equal(batch.clips, pack.batch(np.array([14, 8])).clips)
    assert pack.view().offsets.tolist() == pack.offsets.tolist()
    with pytest.raises(UsageError, match="0 are chosen; at least one"):
        pack.view(np.zeros(3, bool))


def test_a_large_batch_is_the_authors_loader_bit_for_bit(three) -> None:
    pack = build(three).pack
    rows = np.random.default_rng(0).integers(0, pack.num_pairs, 300)  # more than at once
    clips = pack.batch(rows).clips
    for row, found in zip(rows.tolist(), clips, strict=True):
        raw = torch.from_numpy(pack.clips[row].astype(np.float32))
        first, second = raw.split([stream.dim for stream in pack.streams])
        plain = [torch.nn.functional.normalize(one, dim=0) for one in (first, second)]
        assert torch.equal(found, torch.cat(plain))


def test_a_view_is_in_order_of_ids(filled) -> None:
    filled.whole("b", 3)
    build(filled)
    filled.whole("a", 2)
    pack = build(filled).pack
    assert pack.video_ids == ("b", "a")
    assert pack.view().rows(np.arange(5)).tolist() == [3, 4, 0, 1, 2]


class FrozenEncoder:
    """Vectors that tell their captions: lengths, and how often some letters come."""

    name = "frozen"
    version = "1"
    trainable = False
    dim = 3
    max_words = 12
    embedded: list[str] = []  # noqa: RUF012 counted over all of them

    def load(self, device, dtype, weights=None) -> None:
        pass

    def tokenise(self, captions):
        self.embedded.extend(captions)
        rows = torch.zeros(len(captions), self.max_words, dtype=torch.int64)
        for row, caption in zip(rows, captions, strict=True):
            for k, letter in enumerate(caption[: self.max_words]):
                row[k] = ord(letter)
        return rows

    def module(self):
        class Sums(torch.nn.Module):
            def forward(self, tokens):
                return torch.stack(
                    [tokens.sum(1), (tokens > 0).sum(1), tokens[:, 0]], dim=1
                ).float()

        return Sums()


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> TextChoice:
    monkeypatch.setattr(TextChoice, "create", lambda self, **more: FrozenEncoder())
    FrozenEncoder.embedded.clear()
    return TextChoice("frozen")


def test_a_frozen_encoders_vectors_are_kept(three, frozen: TextChoice, tmp_path: Path) -> None:
    pack = build(three, text=frozen).pack
    captions = [caption for several in pack.captions() for caption in several]
    assert sorted(FrozenEncoder.embedded) == sorted(set(captions))  # each one once
    assert pack.words is None
    encoder = FrozenEncoder()
    rows = np.array([3, 14, 3, 0])
    expected = encoder.module()(encoder.tokenise([captions[row] for row in rows]))
    batch = pack.batch(rows)
    assert batch.words is None
    torch.testing.assert_close(batch.texts, expected.half().float(), rtol=0, atol=0)
    three.say("new", [(0, 5, captions[0]), (5, 9, "never said before")])
    three.show("new", three.features(9, 8), "resnet152", "1")
    three.show("new", three.features(9, 6), "resnext101-3d", "3/2")
    FrozenEncoder.embedded.clear()
    again = build(three, text=frozen)
    assert FrozenEncoder.embedded == ["never said before"]
    assert again.pack.counts["captions_embedded"] == 1
    assert again.pack.check() == []
    torch.testing.assert_close(again.pack.batch(rows).texts, batch.texts, rtol=0, atol=0)


def test_a_line_of_the_journal_that_was_cut_off_spoils_none_after_it(tmp_path: Path) -> None:
    clips, spans = np.zeros((2, 4), np.float16), np.zeros((2, 2))
    wanted = dict.fromkeys("abc", "made")

    def add(name: str) -> list[str]:
        with PartialPack(tmp_path / "part", 4, wanted) as writing:
            writing.add(Entry(name, "made", 2, (0,)), clips, spans, b"[]\n")
            return [one.video_id for one in writing.entries]

    assert add("a") == ["a"]
    with (tmp_path / "part" / JOURNAL).open("ab") as file:
        file.write(b'[3, [["x", "ma')
    assert add("b") == ["a", "b"]
    assert add("c") == ["a", "b", "c"]
