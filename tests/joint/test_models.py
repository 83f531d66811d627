"""`howto models`: what is listed, and what fetching does and does not do."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from howto.errors import UsageError
from howto.joint.chosen import only_model
from howto.joint.fetch import fetch
from howto.joint.known import known_models
from howto.library import Library


def test_runs_and_ready_models_are_listed(library: Library, weights: Path) -> None:
    found = {one.name: one for one in known_models(library)}
    run = found["small"]
    assert (run.kind, run.dim, run.licence) == ("run", 24, "")
    assert run.where == library.state / "runs" / "small"
    assert run.size > 1000
    s3d = found["s3d-milnce"]
    assert (s3d.kind, s3d.dim, s3d.where) == ("ready", 512, None)
    assert s3d.wanted == weights / "s3d_howto100m.pth"
    clip = found["clip:ViT-B-32.openai"]
    assert (clip.dim, clip.licence, clip.size) == (512, "MIT (OpenAI CLIP)", 605_000_000)
    authors = found["howto100m"]
    assert (authors.kind, authors.dim, authors.is_here) == ("checkpoint", 6144, False)


def test_weights_that_are_here(colour_words: Path) -> None:
    found = {one.name: one for one in known_models(None)}["colour-words"]
    assert (found.is_here, found.where, found.wanted) == (True, colour_words, None)
    assert found.size == colour_words.stat().st_size
    colour_words.unlink()
    gone = {one.name: one for one in known_models(None)}["colour-words"]
    assert (gone.is_here, gone.where, gone.wanted) == (False, None, colour_words)


def test_a_run_that_cannot_be_used_says_why(drawn: Path, tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    runs = folder / ".howto" / "runs"
    shutil.copytree(runs / "small", runs / "empty")
    for pointer in ("best", "last"):
        (runs / "empty" / pointer).unlink(missing_ok=True)
    (runs / "bad").mkdir()
    (runs / "bad" / "config.json").write_text("{")
    with Library.open(folder) as library:
        found = {one.name: one for one in known_models(library)}
        assert "no checkpoint yet" in found["empty"].note
        assert "damaged" in found["bad"].note
        assert not found["empty"].is_here
        assert found["small"].is_here


def test_a_plugin_that_breaks_is_listed_with_its_cause(colour_words: Path, weights: Path) -> None:
    (colour_words.parents[1] / "site" / "fake_colour_words.py").write_text("import nowhere\n")
    found = {one.name: one for one in known_models(None)}["colour-words"]
    assert "needs the module 'nowhere'" in found.note
    assert not found.is_here


def test_listing_imports_no_torch(drawn: Path, weights: Path) -> None:
    code = (
        f"import sys; sys.argv = ['howto', 'models', '-L', {str(drawn)!r}, '--json']\n"
        "from howto.cli.main import main\ntry: main()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stderr.split() == ["False"]


# --- fetching ---


def test_a_dry_run_fetches_nothing(colour_words: Path, cli: Callable) -> None:
    colour_words.unlink()
    ran = cli("models", "fetch", "colour-words", "--dry-run")
    assert ran.code == 0
    assert ran.out.startswith(
        "Would fetch colour-words: 0 MB from https://example.org/colours, licence CC0-1.0."
    )
    assert str(colour_words) in ran.out.replace("\n", "")
    assert cli("models", "fetch", "colour-words", "--dry-run", "--json").json["would_fetch"] is True
    assert not colour_words.exists()


def test_fetching_is_the_plugins_own_way(colour_words: Path, cli: Callable) -> None:
    colour_words.unlink()
    ran = cli("models", "fetch", "colour-words", "--json")
    assert ran.code == 0, ran.err
    assert "Fetching colour-words: 0 MB from https://example.org/colours" in ran.err
    assert (ran.json["fetched"], ran.json["here"]) == (True, True)
    assert len(ran.json["sha256"]) == 64
    again = cli("models", "fetch", "colour-words")
    assert "colour-words was here" in again.out
    assert "Fetching" not in again.err
    assert "is here" in cli("models", "fetch", "colour-words", "--dry-run").out


def test_what_cannot_be_fetched(library: Library, weights: Path, cli: Callable) -> None:
    with pytest.raises(UsageError, match="'small' is a run of this library"):
        fetch(library, "small")
    with pytest.raises(UsageError, match="no model named 'smal'"):
        fetch(library, "smal")
    offline = cli("models", "fetch", "s3d-milnce", "--dry-run")
    assert offline.code == 0
    assert "size not published" in offline.out


def test_offline_nothing_is_fetched(
    weights: Path, cli: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWTO_OFFLINE", "1")
    for name in ("s3d-milnce", "howto100m"):
        ran = cli("models", "fetch", name)
        assert ran.code == 1
        assert "HOWTO_OFFLINE is set" in ran.err
        assert str(weights) in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["fetch"],
        ["add"],
        ["add", "file.pth"],
        ["list", "what"],
        ["list", "--word-vectors", "file.bin"],
        ["list", "--dry-run"],
    ],
)
def test_wrong_usage(arguments: list[str], tmp_path: Path, cli: Callable) -> None:
    assert cli("models", *arguments).code == 2


def test_the_table_shows_every_model(drawn: Path, weights: Path, cli: Callable) -> None:
    ran = cli("models", "-L", drawn)
    assert ran.code == 0
    for name in ("small", "clip:ViT-L-14.openai", "s3d-milnce", "howto100m"):
        assert name in ran.out
    assert cli("models", "-L", drawn / "nowhere").code == 2


# --- the one that is meant ---


def test_the_one_model_that_is_there(library: Library, drawn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drawn, folder)
    for other in (folder / ".howto" / "runs").iterdir():
        if other.name != "small":
            shutil.rmtree(other)
    from howto.search.choice import SignalChoice, remember

    with Library.open(folder) as copy:
        assert only_model(copy) == "small"
        shutil.copytree(copy.state / "runs" / "small", copy.state / "runs" / "twin")
        with pytest.raises(UsageError, match="--model small or --model twin"):
            only_model(copy)
        with copy.writing():
            remember(copy, SignalChoice(("words", "pictures"), "twin", "it was measured"))
        assert only_model(copy) == "twin"
