"""Weights by path, by name, from the cache: what fits is loaded, what does not is named."""

import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from howto.errors import PluginError
from howto.extract import known_weights
from howto.extract.known_weights import KNOWN_WEIGHTS, known_for
from howto.extract.weights import ResolvedWeights, fit, load_state_dict, resolve


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and no network."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HOWTO_WEIGHTS", str(folder))
    monkeypatch.setenv("HOWTO_OFFLINE", "1")
    return folder


def saved(path: Path, state: object) -> ResolvedWeights:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return resolve(str(path), "resnet152")


STATE = {"a": torch.ones(2, 3), "b.c": torch.zeros(4)}


def test_a_path_and_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "my.pth"
    file.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert resolve(str(file), "resnet152") == ResolvedWeights(file, expected, "file")
    file.write_bytes(b"abcd")
    assert resolve(str(file), "resnet152").sha256 != expected
    with pytest.raises(PluginError, match=r"no file .*gone\.pth"):
        resolve(str(tmp_path / "gone.pth"), "resnet152")


@pytest.mark.parametrize("name", [*KNOWN_WEIGHTS])
def test_what_is_not_here_says_which_file_to_put_where(name: str, folder: Path) -> None:
    known = KNOWN_WEIGHTS[name]
    with pytest.raises(PluginError) as caught:
        resolve(name, known.backbone or "s3d")
    assert str(folder / known.file_name) in str(caught.value)
    assert (known.address or known.page) in str(caught.value)
    assert not folder.exists()  # and nothing was fetched


def test_a_file_put_there_by_hand_serves_and_is_remembered(folder: Path) -> None:
    known = known_for("resnext101-3d")
    assert known is not None
    file = folder / known.file_name
    saved(file, STATE)
    found = resolve(None, "resnext101-3d")
    assert found.path == file
    assert (folder / f"{file.name}.sha256").read_text() == f"{found.sha256}  {file.name}\n"
    assert resolve(None, "resnext101-3d") == found
    saved(file, {"other": torch.ones(1)})
    with pytest.raises(PluginError, match=rf"expected {found.sha256}\."):
        resolve(None, "resnext101-3d")


def test_a_file_with_another_hash_than_the_published_is_refused(folder: Path) -> None:
    saved(folder / "resnet152-394f9c45.pth", STATE)
    with pytest.raises(PluginError, match=r"expected 394f9c45\.\.\."):
        resolve(None, "resnet152")


def test_torchvisions_own_names(folder: Path) -> None:
    for name in ("IMAGENET1K_V1", "ResNet18_Weights.IMAGENET1K_V1", "DEFAULT", None):
        with pytest.raises(PluginError, match=r"resnet18-f37072fd\.pth"):
            resolve(name, "torchvision:resnet18")
    with pytest.raises(PluginError, match=r"resnet152-f82ba261\.pth"):
        resolve("IMAGENET1K_V2", "resnet152")
    for wrong in ("IMAGENET1K_V9", "ResNet50_Weights.IMAGENET1K_V1"):
        with pytest.raises(PluginError, match=r"Known: IMAGENET1K_V1, DEFAULT; or give the path"):
            resolve(wrong, "torchvision:resnet18")


def test_an_unknown_name_lists_what_is_known() -> None:
    with pytest.raises(PluginError, match=r"no weights named 'x'.*resnext101-3d\.kinetics"):
        resolve("x", "clip")
    with pytest.raises(PluginError, match="no default weights"):
        resolve(None, "clip")


def test_the_registry_agrees_with_torchvision() -> None:
    from torchvision.models import ResNet152_Weights

    known = known_for("resnet152")
    assert known is not None
    assert known.address == ResNet152_Weights.IMAGENET1K_V1.url
    assert known.address.endswith(f"-{known.sha256}.pth")
    for one in KNOWN_WEIGHTS.values():
        assert one.licence
        assert one.citation
        assert one.page.startswith("https://")
        assert re.fullmatch(r"[\w.-]+", one.file_name)


def test_a_download_is_kept_and_its_hash_remembered(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of weights without a published hash: removed and fetched again, they must be the same."""
    monkeypatch.delenv("HOWTO_OFFLINE")
    sent = {"bytes": b"first", "sha256": None}

    def fetch(address: str, path: Path, *, sha256: str, size: int | None) -> None:
        sent["sha256"] = sha256
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(sent["bytes"])

    monkeypatch.setattr("howto.extract.download.fetch", fetch)
    with pytest.raises(PluginError, match="not fetched yet"):
        resolve("s3d.howto100m", "s3d", download=False)
    first = resolve("s3d.howto100m", "s3d")
    assert sent["sha256"] == ""
    first.path.unlink()
    resolve("s3d.howto100m", "s3d")
    assert sent["sha256"] == first.sha256


@pytest.mark.parametrize(
    "wrapped",
    [
        STATE,
        {f"module.{key}": value for key, value in STATE.items()},
        {"state_dict": STATE, "epoch": 3, "arch": "x"},
        {"model": {"state_dict": {f"module.{k}": v for k, v in STATE.items()}}},
    ],
)
def test_state_dicts_are_taken_out_of_what_holds_them(wrapped: object, tmp_path: Path) -> None:
    loaded = load_state_dict(saved(tmp_path / "w.pth", wrapped))
    assert loaded.keys() == STATE.keys()
    assert all(torch.equal(loaded[key], STATE[key]) for key in STATE)


def test_safetensors(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    loaded = load_state_dict(resolve(str(tmp_path / "w.safetensors"), "resnet152"))
    assert all(torch.equal(loaded[key], STATE[key]) for key in STATE)
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(PluginError, match=r"bad\.safetensors cannot be read"):
        load_state_dict(resolve(str(tmp_path / "bad.safetensors"), "resnet152"))


class Bomb:
    """A pickle that would write a file when loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return (Path.touch, (self.target,))


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    bomb = Bomb(tmp_path / "exploded")
    file = saved(tmp_path / "w.pth", {"state_dict": STATE, "extra": bomb})
    with pytest.raises(PluginError, match="cannot be read as weights"):
        load_state_dict(file)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(bomb))
    with pytest.raises(PluginError, match="cannot be read as weights"):
        load_state_dict(resolve(str(tmp_path / "plain.pth"), "resnet152"))
    assert not bomb.target.exists()


@pytest.mark.parametrize("content", [{}, {"a": 1}, [torch.ones(1)], {"state_dict": {"a": "b"}}])
def test_what_is_no_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="holds no state dict"):
        load_state_dict(saved(tmp_path / "w.pth", content))


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 a broken zip"])
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(PluginError, match=r"w\.pth cannot be read as weights"):
        load_state_dict(resolve(str(tmp_path / "w.pth"), "resnet152"))


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Linear(3, 4))


def test_fit_is_all_or_nothing() -> None:
    module = network()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    state = dict(network().state_dict())
    state["2.weight"] = torch.zeros(5, 3)
    state["fc.weight"] = torch.zeros(1)
    del state["0.bias"]
    with pytest.raises(PluginError) as caught:
        fit(module, state, "backbone 'x', w.pth")
    assert str(caught.value) == (
        "backbone 'x', w.pth: these weights do not fit. missing: 0.bias; not expected: fc.weight;"
        " of another shape: 2.weight (5, 3) instead of (4, 3)."
    )
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_fit_counts_what_it_does_not_name() -> None:
    with pytest.raises(PluginError, match=r"missing: 0\.weight, 0\.bias, .*, \.\.\. \(8\)"):
        fit(network(), {}, "x")


def test_fit_takes_old_state_dicts_and_leaves_out_what_is_unused() -> None:
    state = {k: v + 1 for k, v in network().state_dict().items() if "num_batches" not in k}
    module = network()
    fit(module, {**state, "fc.weight": torch.zeros(9)}, "x", unused=("fc.",))
    assert all(torch.equal(module.state_dict()[key], state[key]) for key in state)


def test_weights_in_half_precision_become_the_modules_type() -> None:
    state = {k: v.half() for k, v in network().state_dict().items()}
    module = network()
    fit(module, state, "x")
    assert module.get_parameter("0.weight").dtype == torch.float32


def test_names_are_unique_and_each_backbone_has_one_default() -> None:
    backbones = [known.backbone for known in KNOWN_WEIGHTS.values() if known.backbone]
    assert len(backbones) == len(set(backbones))
    assert len(KNOWN_WEIGHTS) == len(known_weights._ALL)


def test_weights_of_another_backbone_are_not_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOWTO_OFFLINE")
    monkeypatch.setattr("howto.extract.download.fetch", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(PluginError, match=r"'s3d\.howto100m' are those of 's3d', not of 'resnet"):
        resolve("s3d.howto100m", "resnet152")
    with pytest.raises(PluginError, match="not fetched yet"):
        resolve("resnet152.imagenet1k-v1", "torchvision:resnet152", download=False)


def test_a_file_damaged_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "w.pth").read_bytes()
    for at in range(0, len(whole), 7):
        (tmp_path / "w.pth").write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        try:
            load_state_dict(ResolvedWeights(tmp_path / "w.pth", "", "file"))
        except PluginError as error:
            assert "w.pth" in str(error)  # noqa: PT017 some bytes are numbers, which are read
