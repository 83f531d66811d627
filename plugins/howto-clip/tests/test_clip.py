"""The real open_clip code on a tiny random architecture, saved and loaded as published weights are:
what it says is noise, but every step from a picture or a caption to a vector is the real one."""

import json
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import open_clip
import pytest
import torch
from howto_clip.model import ClipModel
from howto_clip.named import lookup
from PIL import Image
from safetensors.torch import load_file, save_file

from howto import plugins
from howto.errors import PluginError, UnknownPlugin, UsageError
from howto.extract.choice import Choice, choose
from howto.joint.opened import make_features, missing_features, open_model
from howto.library import Library
from howto.media.decode import decode
from howto.media.encode import H264Writer
from howto.media.scale import Scaler
from howto.search.refresh import refresh
from howto.testing import BackboneContract, JointModelContract, TextEncoderContract

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "images"
TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 224, "layers": 2, "width": 64, "head_width": 32, "patch_size": 32},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49_408,
        "width": 32,
        "heads": 2,
        "layers": 2,
    },
}
FOLDER: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Architectures of a few kilobytes, known to open_clip by name, and random weights of them."""
    folder = tmp_path_factory.mktemp("clip")
    custom = {**TINY, "custom_text": True}
    for name, config in [("tiny", TINY), ("tiny-custom", custom)]:
        (folder / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    model = open_clip.create_model("tiny")
    save_file(dict(model.state_dict()), folder / "tiny.safetensors")
    torch.save(model.state_dict(), folder / "tiny.pt")
    FOLDER.append(folder)
    yield folder
    FOLDER.clear()


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No weights of this machine's user are found."""
    monkeypatch.setenv("HOWTO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "weights"


@pytest.fixture
def tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the tiny architecture into open_clip's table of published weights."""
    entry = {
        "hf_hub": "nobody/tiny.random/",
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.2, 0.2),
        "resize_mode": "squash",
        "interpolation": "bicubic",
        "quick_gelu": True,
    }
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", {"random_1": entry})
    lookup.cache_clear()


class TestBackbone(BackboneContract):
    plugin = "clip:tiny"

    def weights(self) -> str:
        return str(FOLDER[0] / "tiny.safetensors")


class TestTextEncoder(TextEncoderContract):
    plugin = "clip:tiny"

    def weights(self) -> str:
        return str(FOLDER[0] / "tiny.pt")


class TestModel(JointModelContract):
    plugin = "clip:tiny"

    def weights(self) -> str:
        return str(FOLDER[0] / "tiny.safetensors")


def loaded(kind: str, folder: Path, **options):
    backend = plugins.create(kind, "clip:tiny", **options)
    backend.load("cpu", torch.float32, str(folder / "tiny.safetensors"))
    return backend


def reference(folder: Path):
    """open_clip's own way to a model and its transform."""
    return open_clip.create_model_from_pretrained("tiny", str(folder / "tiny.safetensors"))


def picture_frames(path: Path, spec) -> torch.Tensor:
    """A picture as a video of one frame: decoded by FFmpeg, scaled as howto's decoder does."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return torch.from_numpy(Scaler(spec).scale(frame)[None].copy())


# --- parity with open_clip ---


def test_embeddings_of_the_same_pixels_are_open_clips(tiny: Path) -> None:
    """On frames that need no scaling, its transform and ours are the same numbers."""
    model, transform = reference(tiny)
    frames = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    with torch.no_grad():
        theirs = model.encode_image(torch.stack([transform(Image.fromarray(f)) for f in frames]))
    ours = loaded("backbones", tiny).encode(torch.from_numpy(frames))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * float(theirs.abs().max()))
    unit = loaded("models", tiny).embed_frames(torch.from_numpy(frames))
    torch.testing.assert_close(unit, theirs / theirs.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("name", ["bee", "books", "cake", "camera", "cat"])
def test_pictures_from_the_file_on(tiny: Path, name: str) -> None:
    """FFmpeg's bicubic scaling is not Pillow's: close, and the bounds say how close."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    path = SHARED / f"{name}.jpg"
    model, transform = reference(tiny)
    backbone = loaded("backbones", tiny)
    frames = picture_frames(path, backbone.frames)
    picture = transform(Image.open(path))
    mean, std = (
        torch.tensor(v).reshape(3, 1, 1) for v in (lookup("tiny").mean, lookup("tiny").std)
    )
    pixels = (picture * std + mean) * 255
    difference = (frames[0].permute(2, 0, 1) - pixels).abs()
    assert float(difference.mean()) < 1.5  # of 255; measured: 0.29 to 1.04
    with torch.no_grad():
        theirs = model.encode_image(picture[None])
    ours, mirrored = backbone.encode(frames), backbone.encode(frames.flip(2))
    assert float(torch.cosine_similarity(ours, theirs)) > 0.9999
    # Noise as it is, the network tells the picture from its mirror image by far more.
    assert float((ours - theirs).norm()) < 0.1 * float((ours - mirrored).norm())


def test_captions_are_read_as_open_clip_reads_them(tiny: Path) -> None:
    captions = ["Cut the onion &amp; fry it!", "", "a" * 500, "fold " * 100]
    model, _ = reference(tiny)
    tokens = open_clip.get_tokenizer("ViT-B-32")(captions)
    with torch.no_grad():
        theirs = model.encode_text(tokens)
    encoder = loaded("text_encoders", tiny)
    assert torch.equal(encoder.tokenise(captions), tokens)
    torch.testing.assert_close(encoder.module()(tokens), theirs)
    unit = loaded("models", tiny).embed_text(captions)
    torch.testing.assert_close(unit, theirs / theirs.norm(dim=1, keepdim=True))


def test_fewer_tokens_are_a_shorter_caption(tiny: Path) -> None:
    """max_words=5 leaves three pieces of words; what the network sees is that shorter caption."""
    long = loaded("text_encoders", tiny)
    short = loaded("text_encoders", tiny, max_words=5)
    shortened = short.module()(short.tokenise(["cut the onion and the leek"]))
    whole = long.module()(long.tokenise(["cut the onion"]))
    torch.testing.assert_close(shortened, whole)


@pytest.mark.parametrize(("width", "tolerance"), [(224, 1e-5), (301, 2e-3)])
def test_a_whole_picture_is_pressed_into_the_square(
    tiny: Path, tagged: None, width: int, tolerance: float
) -> None:
    """For a tag with resize_mode squash: as open_clip does to the same picture.

    The tag has QuickGELU, too: with GELU the same weights would say other things.
    """
    backbone = plugins.create("backbones", "clip:tiny.random-1")
    assert (backbone.frames.short_side, backbone.frames.crop) == (224, None)
    backbone.load("cpu", torch.float32, str(tiny / "tiny.safetensors"))
    frames = np.random.default_rng(0).integers(0, 256, (1, 224, width, 3), np.uint8)
    model = open_clip.create_model("tiny", str(tiny / "tiny.safetensors"), force_quick_gelu=True)
    transform = open_clip.image_transform(
        224, is_train=False, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2), resize_mode="squash"
    )
    with torch.no_grad():
        theirs = model.eval().encode_image(transform(Image.fromarray(frames[0]))[None])
    ours = backbone.encode(torch.from_numpy(frames))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("argument", "quick"),
    [
        ("ViT-B-32.openai", True),
        ("ViT-B-32.laion2b_s34b_b79k", False),
        ("ViT-B-32-quickgelu", True),
        ("ViT-B-32", False),
    ],
)
def test_the_activation_follows_the_tag(argument: str, quick: bool) -> None:
    """The architecture of the plain name says GELU, whatever OpenAI trained with."""
    assert lookup(argument).quick_gelu is quick


# --- weights ---


def test_an_older_layout_is_renamed(tiny: Path) -> None:
    """Weights of a plain CLIP fit the form with a text network apart, value by value."""
    backbone = plugins.create("text_encoders", "clip:tiny-custom")
    backbone.load("cpu", torch.float32, str(tiny / "tiny.safetensors"))
    captions = ["cut the onion", ""]
    tokens = backbone.tokenise(captions)
    plain = loaded("text_encoders", tiny)
    torch.testing.assert_close(backbone.module()(tokens), plain.module()(tokens))


def test_weights_that_do_not_fit_are_refused(tiny: Path, tmp_path: Path) -> None:
    state = load_file(tiny / "tiny.safetensors")
    state["visual.proj"] = state["visual.proj"][:, :20].contiguous()
    state["visual.more"] = state.pop("ln_final.weight")
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(PluginError) as error:
        plugins.create("backbones", "clip:tiny").load(
            "cpu", torch.float32, str(tmp_path / "other.safetensors")
        )
    said = str(error.value)
    assert "missing: ln_final.weight" in said
    assert "not expected: visual.more" in said
    assert "visual.proj (64, 20) instead of (64, 24)" in said


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"visual.proj": Path("anything")}, tmp_path / "code.pt")
    with pytest.raises(PluginError, match=r"code\.pt cannot be read as weights"):
        plugins.create("backbones", "clip:tiny").load(
            "cpu", torch.float32, str(tmp_path / "code.pt")
        )


@pytest.mark.parametrize("kind", ["backbones", "text_encoders", "models"])
def test_nothing_is_fetched_in_silence(
    kind: str, empty_caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_clip, "download_pretrained", lambda _: pytest.fail("fetched"))
    backend = plugins.create(kind, "clip:ViT-B-32.openai")
    with pytest.raises(PluginError) as error:
        backend.load("cpu", torch.float32)
    said = str(error.value)
    assert f"no file {empty_caches / 'ViT-B-32.openai.safetensors'}" in said
    assert "https://huggingface.co/timm/vit_base_patch32_clip_224.openai" in said
    assert "--weights clip:ViT-B-32.openai=download" in said


def test_without_a_tag_weights_are_to_be_named() -> None:
    with pytest.raises(PluginError, match=r"clip:tiny names no weights: add the tag"):
        plugins.create("backbones", "clip:tiny").load("cpu", torch.float32)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_tags_file_in_the_folder_of_weights(
    tiny: Path, tagged: None, empty_caches: Path, suffix: str
) -> None:
    empty_caches.mkdir()
    shutil.copy(tiny / f"tiny.{suffix}", empty_caches / f"tiny.random_1.{suffix}")
    backbone = plugins.create("backbones", "clip:tiny.random-1")
    backbone.load("cpu", torch.float32)
    assert backbone.weights_hash() == backbone.weights_hash(str(tiny / f"tiny.{suffix}"))


def test_a_tags_file_that_open_clip_fetched_before(
    tiny: Path, tagged: None, tmp_path: Path
) -> None:
    """Laid out as the hub's client does: a file of a snapshot that the branch points to."""
    repository = tmp_path / "hub" / "models--nobody--tiny.random"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    shutil.copy(tiny / "tiny.safetensors", repository / "snapshots/abc/open_clip_model.safetensors")
    plugins.create("models", "clip:tiny.random_1").load("cpu", torch.float32)


def test_what_was_asked_for_is_fetched(
    tiny: Path, tagged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(published: dict[str, object]) -> str:
        asked.append(published["hf_hub"])
        return str(tiny / "tiny.safetensors")

    monkeypatch.setattr(open_clip, "download_pretrained", fetch)
    model = plugins.create("models", "clip:tiny.random_1")
    model.load("cpu", torch.float32, "download")
    assert asked == ["nobody/tiny.random/"]
    monkeypatch.setenv("HOWTO_OFFLINE", "1")
    with pytest.raises(PluginError, match="are not here"):
        model.weights_hash("download")
    assert len(asked) == 1


def test_a_dry_run_fetches_nothing_though_asked(
    tagged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_clip, "download_pretrained", lambda _: pytest.fail("fetched"))
    choice = Choice(("clip:tiny.random_1",), "cpu", weights={"clip:tiny.random_1": "download"})
    with pytest.raises(PluginError, match="A dry run fetches nothing"):
        choose(choice, download=False)


def test_a_download_that_fails_says_what_to_do(
    tagged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(published: dict[str, object]) -> str:
        raise FileNotFoundError("Failed to download file")

    monkeypatch.setattr(open_clip, "download_pretrained", fail)
    with pytest.raises(PluginError, match=r"Put the file of .* Fetching it failed: Failed to"):
        plugins.create("backbones", "clip:tiny.random_1").weights_hash("download")


# --- names ---


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clip:ViT-B32.openai", "no architecture 'ViT-B32'. Did you mean 'ViT-B-32'?"),
        ("clip:ViT-B-32.openia", "no weights 'openia' of ViT-B-32.* Did you mean 'openai'?"),
        ("clip:ViT-B-32.", "no weights '' of ViT-B-32"),
        ("clip:", "no architecture ''"),
        ("clip", "is a family: add which member you want"),
    ],
)
def test_an_unknown_name(name: str, said: str) -> None:
    with pytest.raises(UnknownPlugin, match=said.replace("?", r"\?")):
        plugins.create("backbones", name)


def test_every_published_tag_has_a_backbone_or_a_reason() -> None:
    """Of open_clip's table all can be looked up but those with a text network of `transformers`."""
    refused = set()
    for architecture, tag in open_clip.list_pretrained():
        if architecture.startswith("tiny"):
            continue
        try:
            named = lookup(f"{architecture}.{tag}")
        except PluginError as error:
            refused.add((architecture.split("-")[0], "one of `transformers`" in str(error)))
        else:
            assert named.address.startswith("https://")
            assert named.dim > 0
            assert len(named.mean) == len(named.std) == 3
    assert refused == {("roberta", True), ("xlm", True), ("nllb", True)}


@pytest.mark.parametrize("kind", ["text_encoders", "models"])
def test_a_tokenizer_that_would_be_fetched_is_refused(kind: str) -> None:
    with pytest.raises(PluginError, match="this plugin offers its pictures"):
        plugins.create(kind, "clip:ViT-B-16-SigLIP.webli").load("cpu", torch.float32)
    assert plugins.create("backbones", "clip:ViT-B-16-SigLIP.webli").frames.crop is None


@pytest.mark.parametrize("max_words", [2, 78])
def test_more_words_than_the_network_reads(max_words: int) -> None:
    with pytest.raises(UsageError, match=f"max_words={max_words}: expected 3 to 77"):
        plugins.create("text_encoders", "clip:tiny", max_words=max_words)


def test_places_that_open_clip_would_read_from_are_no_architectures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open_clip would ask the hub for the one, and read the other, to learn what it is."""
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY}))
    monkeypatch.setattr(open_clip.factory, "_get_hf_config", lambda *_: pytest.fail("asked"))
    for name in (f"local-dir:{tmp_path}", "hf-hub:nobody/tiny", "hf-hub:nobody/tiny.openai"):
        with pytest.raises(UnknownPlugin, match="has no architecture"):
            plugins.create("backbones", f"clip:{name}")


# --- what howto asks beyond the contract ---


def test_the_catalogue_is_what_open_clip_says(empty_caches: Path) -> None:
    """Names, dimensions, addresses and sizes are written down: its tables take long to import."""
    for one in ClipModel.published():
        named = lookup(one.name.removeprefix("clip:"))
        assert (one.dim, one.page) == (named.dim, named.address.removesuffix("/"))
        assert not one.is_here
        assert one.files == (empty_caches / f"{named}.safetensors",)
        with torch.device("meta"):
            network = open_clip.CLIP(**open_clip.get_model_config(named.architecture))
        size = sum(parameter.numel() for parameter in network.parameters()) * 4
        assert one.size == pytest.approx(size, rel=0.01)


def test_the_catalogue_finds_weights_where_loading_does(empty_caches: Path) -> None:
    empty_caches.mkdir()
    file = empty_caches / "ViT-B-32.openai.pt"
    file.write_bytes(b"here")
    found = {one.name: one for one in ClipModel.published()}
    assert found["clip:ViT-B-32.openai"].files == (file,)
    assert found["clip:ViT-B-32.openai"].is_here
    assert not found["clip:ViT-B-16.openai"].is_here


def test_opened_it_embeds_a_library(tiny: Path, tmp_path: Path) -> None:
    """A span is the mean of the model's own embeddings of its frames, of length 1 again."""
    folder = tmp_path / "films"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with H264Writer(folder / "film.mp4", width=64, height=48, frame_rate=Fraction(4)) as writer:
        for _ in range(6):
            shade = rng.integers(0, 256, 3, np.uint8)
            for _ in range(4):
                writer.write_frame(np.broadcast_to(shade, (48, 64, 3)).copy())
    weights = str(tiny / "tiny.safetensors")
    with Library.open(folder) as library:
        refresh(library)
        model = open_model(library, "clip:tiny", weights=weights)
        [video_id] = missing_features(library, model)
        assert make_features(library, model).made == 1
        shown = model.embed_spans(library, video_id, [(0, 3), (4, 5)])
    plain = loaded("models", tiny)
    [chunk] = decode(folder / "film.mp4", [plain.frames])
    own = plain.embed_frames(torch.from_numpy(chunk.frames)).numpy()
    for span, row in zip([own[:3], own[4:5]], shown, strict=True):
        mean = span.mean(axis=0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=2e-3)  # kept as float16
    captions = ["fold a shirt", ""]
    np.testing.assert_array_equal(model.embed_text(captions), plain.embed_text(captions).numpy())
    assert model.known_words(captions).all()
