"""A checkpoint of random values in the published layout, through the real loading code; the network
against plain restatements of what the papers describe."""

import itertools
import math
import os
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from howto_s3d.model import S3DModel
from howto_s3d.network import EMBEDDING_DIM, S3DG, space_to_depth
from howto_s3d.words import read_vocabulary, word_ids
from torch.utils.hooks import RemovableHandle

from howto import plugins
from howto.errors import PluginError, UsageError
from howto.media.decode import decode
from howto.testing import BackboneContract, JointModelContract, TextEncoderContract

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
WORDS = (
    "the a to and it cut onion fold shirt pour water pan stir turn screw left now you want into "
    "until it's warm take"
).split()
SMALL = {"num_frames": 8, "size": 32}
FOLDER: list[Path] = []

# Branches of the inception blocks: name, input channels, 1x1, (1x1, 3x3), (1x1, 3x3), pool and 1x1.
BLOCKS = [
    ("mixed_3b", 192, 64, (96, 128), (16, 32), 32),
    ("mixed_3c", 256, 128, (128, 192), (32, 96), 64),
    ("mixed_4b", 480, 192, (96, 208), (16, 48), 64),
    ("mixed_4c", 512, 160, (112, 224), (24, 64), 64),
    ("mixed_4d", 512, 128, (128, 256), (24, 64), 64),
    ("mixed_4e", 512, 112, (144, 288), (32, 64), 64),
    ("mixed_4f", 528, 256, (160, 320), (32, 128), 128),
    ("mixed_5b", 832, 256, (160, 320), (32, 128), 128),
    ("mixed_5c", 832, 384, (192, 384), (48, 128), 128),
]


def published_layout(words: int = len(WORDS)) -> dict[str, tuple[int, ...]]:
    """Names and shapes of s3d_howto100m.pth, written out from the authors' code, apart from ours;
    the real one has 66,250 rows of words."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, number: int, inputs: int, outputs: int, kernel: tuple[int, ...]) -> None:
        shapes[f"{name}.conv{number}.weight"] = (outputs, inputs, *kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn{number}.{part}"] = (outputs,)
        shapes[f"{name}.bn{number}.num_batches_tracked"] = ()

    def separable(name: str, inputs: int, outputs: int) -> None:
        conv(name, 1, inputs, outputs, (1, 3, 3))
        conv(name, 2, outputs, outputs, (3, 1, 1))

    def linear(name: str, inputs: int, outputs: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs), (outputs,)

    conv("conv1", 1, 24, 64, (2, 4, 4))
    conv("conv_2b", 1, 64, 64, (1, 1, 1))
    separable("conv_2c", 64, 192)
    linear("gating.fc", 192, 192)
    for name, inputs, b0, b1, b2, b3 in BLOCKS:
        conv(f"{name}.conv_b0", 1, inputs, b0, (1, 1, 1))
        for branch, (narrow, wide) in [("b1", b1), ("b2", b2)]:
            conv(f"{name}.conv_{branch}_a", 1, inputs, narrow, (1, 1, 1))
            separable(f"{name}.conv_{branch}_b", narrow, wide)
        conv(f"{name}.conv_b3_b", 1, inputs, b3, (1, 1, 1))
        for branch, outputs in [("b0", b0), ("b1", b1[1]), ("b2", b2[1]), ("b3", b3)]:
            linear(f"{name}.gating_{branch}.fc", outputs, outputs)
    linear("fc", 1024, 512)
    shapes["text_module.word_embd.weight"] = (words + 1, 300)
    linear("text_module.fc1", 300, 2048)
    linear("text_module.fc2", 2048, 512)
    return shapes


def random_state() -> dict[str, torch.Tensor]:
    """Values that keep maps at about the same size through the network, and differ everywhere."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in published_layout().items():
        values = torch.randn(shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(3)
        elif name.endswith("running_var") or (".bn" in name and name.endswith("weight")):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        elif name.endswith(("bias", "running_mean")):
            state[name] = 0.1 * values
        else:
            state[name] = values * math.sqrt(2 / math.prod(shape[1:]))
    return state


def object_array(words: list[object]) -> np.ndarray:
    array = np.empty(len(words), object)
    array[:] = words
    return array


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("s3d")
    torch.save(random_state(), folder / "s3d_howto100m.pth")
    np.save(folder / "s3d_dict.npy", object_array(WORDS), allow_pickle=True)
    FOLDER.append(folder)
    yield folder
    FOLDER.clear()


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWTO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("HOWTO_OFFLINE", "1")


class Weights:
    def weights(self) -> str:
        return str(FOLDER[0] / "s3d_howto100m.pth")


class TestBackbone(Weights, BackboneContract):
    plugin = "s3d"
    options = SMALL


class TestTextEncoder(Weights, TextEncoderContract):
    plugin = "s3d-words"


class TestTrainableTextEncoder(Weights, TextEncoderContract):
    plugin = "s3d-words"
    options = {"trainable": True}  # noqa: RUF012


class TestModel(Weights, JointModelContract):
    plugin = "s3d-milnce"
    options = SMALL


def loaded(kind: str, name: str, files: Path, **options):
    backend = plugins.create(kind, name, **options)
    backend.load("cpu", torch.float32, str(files / "s3d_howto100m.pth"))
    return backend


@pytest.fixture(scope="module")
def network(files: Path) -> S3DG:
    return loaded("backbones", "s3d", files)._network


# --- the network ---


def test_the_layout_is_the_published_one(network: S3DG) -> None:
    ours = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    published = published_layout()
    video = {name: shape for name, shape in published.items() if "text_module" not in name}
    assert ours == video
    assert len(published) == 537


def test_space_to_depth_with_loops() -> None:
    video = torch.rand(2, 3, 4, 6, 8)
    expected = torch.zeros(2, 24, 2, 3, 4)
    for t in range(4):
        for h in range(6):
            for w in range(8):
                block = (t % 2 * 2 + h % 2) * 2 + w % 2
                expected[:, block * 3 : block * 3 + 3, t // 2, h // 2, w // 2] = video[
                    :, :, t, h, w
                ]
    assert torch.equal(space_to_depth(video), expected)


def normalised(maps: torch.Tensor, bn: torch.nn.Module) -> torch.Tensor:
    """Batch normalisation from its formula, then ReLU."""
    shape = (1, -1, 1, 1, 1)
    mean, var = bn.running_mean.view(shape), bn.running_var.view(shape)
    scaled = (maps - mean) / (var + 1e-5).sqrt() * bn.weight.view(shape) + bn.bias.view(shape)
    return scaled.clamp(min=0)


def convolved(maps: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A convolution of stride 1 that keeps the size, as a sum over the places of its kernel."""
    kernel = weight.shape[2:]
    before = [size // 2 for size in kernel]
    padded = torch.nn.functional.pad(maps, [side for n in reversed(before) for side in (n, n)])
    total = torch.zeros(maps.shape[0], len(weight), *maps.shape[2:], dtype=maps.dtype)
    for t, h, w in np.ndindex(*kernel):
        seen = padded[:, :, t : t + maps.shape[2], h : h + maps.shape[3], w : w + maps.shape[4]]
        total += torch.einsum("oc,bcthw->bothw", weight[:, :, t, h, w], seen)
    return total


def gated(maps: torch.Tensor, gate: torch.nn.Module) -> torch.Tensor:
    scales = torch.sigmoid(maps.mean((2, 3, 4)) @ gate.fc.weight.T + gate.fc.bias)
    return torch.einsum("bcthw,bc->bcthw", maps, scales)


def unit(maps: torch.Tensor, part: torch.nn.Module) -> torch.Tensor:
    """A convolution, or two, each with its normalisation and ReLU."""
    maps = normalised(convolved(maps, part.conv1.weight), part.bn1)
    if hasattr(part, "conv2"):
        maps = normalised(convolved(maps, part.conv2.weight), part.bn2)
    return maps


def test_a_block_from_its_definition(network: S3DG) -> None:
    """Four branches, separable convolutions space first, each branch gated by its own means."""
    block = S3DG().mixed_4b.double().eval()
    block.load_state_dict(network.mixed_4b.state_dict())
    maps = torch.rand(2, 480, 3, 4, 5, dtype=torch.float64)

    padded = torch.nn.functional.pad(maps, (1,) * 6, value=-math.inf)
    greatest = torch.stack(
        [padded[:, :, t : t + 3, h : h + 4, w : w + 5] for t, h, w in np.ndindex(3, 3, 3)]
    ).amax(0)
    expected = torch.cat(
        [
            gated(unit(maps, block.conv_b0), block.gating_b0),
            gated(unit(unit(maps, block.conv_b1_a), block.conv_b1_b), block.gating_b1),
            gated(unit(unit(maps, block.conv_b2_a), block.conv_b2_b), block.gating_b2),
            gated(unit(greatest, block.conv_b3_b), block.gating_b3),
        ],
        dim=1,
    )
    with torch.no_grad():
        torch.testing.assert_close(block(maps.clone()), expected)


def pooled(maps: torch.Tensor, kernel: tuple[int, int, int]) -> torch.Tensor:
    """The greatest of each kernel, with stride 2 on even sizes: what lies past the end is left out;
    one frame at a time where the kernel has one."""
    step = 2 if kernel[0] > 1 else 1
    frames, height, width = maps.shape[2] // step, maps.shape[3] // 2, maps.shape[4] // 2
    result = torch.zeros(*maps.shape[:2], frames, height, width)
    for t, h, w in np.ndindex(frames, height, width):
        seen = maps[:, :, step * t :, 2 * h :, 2 * w :]
        result[:, :, t, h, w] = seen[:, :, : kernel[0], : kernel[1], : kernel[2]].amax((2, 3, 4))
    return result


def first_layer(network: S3DG, video: torch.Tensor) -> torch.Tensor:
    """The first convolution, over blocks of 2 x 2 x 2 pixels, as one of stride 2 over 4 x 8 x 8
    pixels of the video, with SAME padding: a block before, and of pixels one more after."""
    weight = network.conv1.conv1.weight  # (64, 24, 2, 4, 4)
    spread = torch.zeros(64, 3, 4, 8, 8)
    for t, h, w in np.ndindex(4, 8, 8):
        block = (t % 2 * 2 + h % 2) * 2 + w % 2
        spread[:, :, t, h, w] = weight[:, block * 3 : block * 3 + 3, t // 2, h // 2, w // 2]
    padded = torch.nn.functional.pad(video, (2, 4, 2, 4, 0, 2))
    return torch.nn.functional.conv3d(padded, spread, stride=2)


def test_the_way_through_the_network(network: S3DG) -> None:
    """The stem from its definition, the pools between the stages, and the mean at the end."""
    inputs: dict[str, torch.Tensor] = {}
    outputs: dict[str, torch.Tensor] = {}

    def listen(name: str, module: torch.nn.Module) -> RemovableHandle:
        def keep(_: torch.nn.Module, given: tuple[torch.Tensor], got: torch.Tensor) -> None:
            inputs[name], outputs[name] = given[0].clone(), got.clone()

        return module.register_forward_hook(keep)

    hooks = [listen(name, module) for name, module in network.named_children()]
    video = torch.rand(1, 3, 16, 64, 64)
    with torch.no_grad():
        features = network(video)
        for hook in hooks:
            hook.remove()
        maps = normalised(first_layer(network, video), network.conv1.bn1)
        maps = pooled(maps, (1, 3, 3))
        for part in (network.conv_2b, network.conv_2c):
            maps = unit(maps, part)
        maps = pooled(gated(maps, network.gating), (1, 3, 3))
    close = {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(inputs["mixed_3b"], maps, **close)
    assert torch.equal(inputs["mixed_4b"], pooled(outputs["mixed_3c"], (3, 3, 3)))
    assert torch.equal(inputs["mixed_5b"], pooled(outputs["mixed_4f"], (2, 2, 2)))
    order = ["3b", "3c", None, "4b", "4c", "4d", "4e", "4f", None, "5b", "5c"]
    for before, after in itertools.pairwise(order):
        if before and after:
            assert torch.equal(inputs[f"mixed_{after}"], outputs[f"mixed_{before}"])
    torch.testing.assert_close(features, outputs["mixed_5c"].mean((2, 3, 4)))


@pytest.mark.parametrize(
    ("frames", "side", "sizes"),
    [
        (16, 64, [(8, 32), (8, 16), (8, 8), (8, 8), (4, 4), (2, 2), (2, 2)]),
        (12, 40, [(6, 20), (6, 10), (6, 5), (6, 5), (3, 3), (2, 2), (2, 2)]),
        (32, 96, [(16, 48), (16, 24), (16, 12), (16, 12), (8, 6), (4, 3), (4, 3)]),
    ],
)
def test_sizes_after_each_stage(
    network: S3DG, frames: int, side: int, sizes: list[tuple[int, int]]
) -> None:
    """Frames and pixels that leave the first convolution (with the SAME place that is then cut off)
    and enter the stages after the pools."""
    seen: dict[str, tuple[int, int]] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda _, inputs, name=name: seen.update({name: tuple(inputs[0].shape[2:4])})
        )
        for name, module in network.named_children()
    ]
    with torch.no_grad():
        maps = network.maps(torch.rand(1, 3, frames, side, side))
    for hook in hooks:
        hook.remove()
    stages = ["conv1", "conv_2b", "mixed_3b", "mixed_3c", "mixed_4b", "mixed_5b"]
    assert [*(seen[stage] for stage in stages), tuple(maps.shape[2:4])] == sizes
    assert maps.shape[1] == 1024


@pytest.mark.parametrize("kernel", [(1, 3, 3), (3, 3, 3), (2, 2, 2)])
def test_a_pool_from_its_definition(kernel: tuple[int, int, int]) -> None:
    from howto_s3d.network import _max_pool

    maps = torch.rand(1, 2, 4, 6, 6)
    assert torch.equal(_max_pool(maps, kernel, 2), pooled(maps, kernel))


# --- windows ---


def test_windows_of_a_real_video(files: Path) -> None:
    """Two seconds of 24 frames at 10 a second: windows of 8, values in 0..1, black at the end."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    model = loaded("models", "s3d-milnce", files, **SMALL)
    chunks = decode(SHARED / "videos" / "flipping_a_pancake.mkv", [model.frames], chunk=20)
    frames = torch.from_numpy(next(iter(chunks)).frames.copy())
    assert frames.shape == (20, 32, 32, 3)
    video = torch.cat([frames, torch.zeros(4, 32, 32, 3, dtype=torch.uint8)]).float() / 255
    with torch.no_grad():
        network = model._video
        expected = torch.cat(
            [
                network.fc(network(video[first : first + 8].permute(3, 0, 1, 2)[None]))
                for first in (0, 8, 16)
            ]
        )
    embeddings = model.embed_frames(frames)
    torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-4)
    features = loaded("backbones", "s3d", files, **SMALL).encode(frames)
    with torch.no_grad():
        torch.testing.assert_close(network.fc(features), embeddings)


def test_a_window_of_the_size_in_training(files: Path) -> None:
    backbone = loaded("backbones", "s3d", files)
    spec = backbone.frames
    assert (spec.rate, spec.short_side, spec.crop) == (Fraction(10), 224, 224)
    frames = torch.randint(0, 256, (32, 224, 224, 3), dtype=torch.uint8)
    features = backbone.encode(frames)
    assert features.shape == (1, 1024)
    assert features.isfinite().all()


@pytest.mark.parametrize(
    "options", [{"num_frames": 15}, {"num_frames": 6}, {"size": 30}, {"size": 225}]
)
def test_a_window_that_cannot_be_halved(options: dict[str, int]) -> None:
    for kind, name in [("backbones", "s3d"), ("models", "s3d-milnce")]:
        with pytest.raises(UsageError, match="even numbers, at least 8 frames of 32 pixels"):
            plugins.create(kind, name, **options)


# --- words ---


def test_words_are_known_lower_case_and_few() -> None:
    """Unknown words are dropped before the cut, apostrophes belong to words, 0 fills the end."""
    vocabulary = {word: number for number, word in enumerate(WORDS, 1)}
    ids = word_ids(["FOLD the zebra-shirt, it's warm!", "", "zebra"], vocabulary, 5)
    wanted = [WORDS.index(word) + 1 for word in ("fold", "the", "shirt", "it's", "warm")]
    assert ids.tolist() == [wanted, [0] * 5, [0] * 5]
    assert word_ids(["zebra fold zebra the"], vocabulary, 2).tolist() == [wanted[:2]]


def test_the_text_tower_with_loops(files: Path) -> None:
    state = random_state()
    captions = ["fold the shirt", "", "now " * 16]
    encoder = loaded("text_encoders", "s3d-words", files)
    tokens = encoder.tokenise(captions)
    expected = []
    for row in tokens:
        hidden = torch.zeros(2048)
        for word in row:  # padding is a word, too
            vector = state["text_module.word_embd.weight"][word]
            layer = state["text_module.fc1.weight"] @ vector + state["text_module.fc1.bias"]
            hidden = torch.maximum(hidden, layer)
        expected.append(state["text_module.fc2.weight"] @ hidden + state["text_module.fc2.bias"])
    vectors = encoder.module()(tokens)
    torch.testing.assert_close(vectors, torch.stack(expected), rtol=1e-4, atol=1e-4)
    model = loaded("models", "s3d-milnce", files, **SMALL)
    torch.testing.assert_close(model.embed_text(captions), vectors)


def test_training_leaves_the_word_vectors_alone(files: Path) -> None:
    encoder = loaded("text_encoders", "s3d-words", files, trainable=True)
    wanting = {name for name, p in encoder.module().named_parameters() if p.requires_grad}
    assert wanting == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}


# --- files ---


@pytest.mark.parametrize("form", ["objects", "text"])
def test_a_vocabulary_in_either_form(tmp_path: Path, form: str) -> None:
    """numpy stores an array of Python strings as a pickle, and one of fixed width plainly."""
    array = object_array(WORDS) if form == "objects" else np.array(WORDS)
    np.save(tmp_path / "words.npy", array, allow_pickle=True)
    assert read_vocabulary(tmp_path / "words.npy") == {w: i for i, w in enumerate(WORDS, 1)}


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (object_array([Harmful()]), r"it names (posix|nt)\.system"),
        (object_array(["fold", 3]), "expected words, got other things too"),
        (np.zeros((2, 2)), "expected an array of words"),
        (b"no numpy file", "cannot be read as a vocabulary"),
        (b"", "cannot be read as a vocabulary"),
        (pickle.dumps(WORDS), "cannot be read as a vocabulary"),
    ],
    ids=["code", "numbers", "matrix", "text", "empty", "pickle"],
)
def test_what_is_no_vocabulary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "words.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(PluginError, match=said):
        read_vocabulary(path)
    assert not (tmp_path / "harmed").exists()


def test_a_vocabulary_of_another_model(files: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "more.npy", np.array([*WORDS, "more"]))
    with pytest.raises(PluginError, match=f"has {len(WORDS) + 1} words.*vectors for {len(WORDS)}"):
        loaded("text_encoders", "s3d-words", files, vocabulary=str(tmp_path / "more.npy"))


@pytest.mark.parametrize(
    ("kind", "name", "missing"),
    [
        ("backbones", "s3d", "mixed_4c.gating_b1.fc.weight"),
        ("backbones", "s3d", "conv1.conv1.weight"),
        ("text_encoders", "s3d-words", "text_module.fc1.weight"),
        ("text_encoders", "s3d-words", "text_module.word_embd.weight"),
        ("models", "s3d-milnce", "text_module.fc2.bias"),
        ("models", "s3d-milnce", "fc.bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    files: Path, tmp_path: Path, kind: str, name: str, missing: str
) -> None:
    state = random_state()
    del state[missing]
    torch.save(state, tmp_path / "other.pth")
    backend = plugins.create(kind, name)
    if kind != "backbones":
        backend = plugins.create(kind, name, vocabulary=str(files / "s3d_dict.npy"))
    with pytest.raises(
        PluginError, match=f"missing: {missing.removeprefix('text_module.')}|missing: {missing}"
    ):
        backend.load("cpu", torch.float32, str(tmp_path / "other.pth"))


def test_old_weights_without_batch_counters(files: Path, tmp_path: Path) -> None:
    """torch wrote none before version 0.4.1."""
    state = {k: v for k, v in random_state().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "old.pth")
    backbone = plugins.create("backbones", "s3d", **SMALL)
    backbone.load("cpu", torch.float32, str(tmp_path / "old.pth"))
    frames = torch.zeros(8, 32, 32, 3, dtype=torch.uint8)
    same = loaded("backbones", "s3d", files, **SMALL).encode(frames)
    assert torch.equal(backbone.encode(frames), same)


@pytest.mark.parametrize(
    ("kind", "name", "file"),
    [
        ("backbones", "s3d", "s3d_howto100m.pth"),
        ("text_encoders", "s3d-words", "s3d_howto100m.pth"),
        ("models", "s3d-milnce", "s3d_howto100m.pth"),
    ],
)
def test_missing_files_are_named(tmp_path: Path, kind: str, name: str, file: str) -> None:
    with pytest.raises(PluginError, match=rf"no file {tmp_path / 'weights' / file}"):
        plugins.create(kind, name).load("cpu", torch.float32)


def test_a_missing_vocabulary_is_named(files: Path, tmp_path: Path) -> None:
    (tmp_path / "apart.pth").symlink_to(files / "s3d_howto100m.pth")
    with pytest.raises(PluginError, match=rf"no file {tmp_path / 'weights' / 's3d_dict.npy'}"):
        plugins.create("text_encoders", "s3d-words").load(
            "cpu", torch.float32, str(tmp_path / "apart.pth")
        )


def test_the_hash_of_text_depends_on_weights_and_words(files: Path, tmp_path: Path) -> None:
    weights = str(files / "s3d_howto100m.pth")
    np.save(tmp_path / "words.npy", np.array(WORDS[::-1]))
    hashes = {
        plugins.create("backbones", "s3d").weights_hash(weights),
        plugins.create("text_encoders", "s3d-words").weights_hash(weights),
        plugins.create(
            "text_encoders", "s3d-words", vocabulary=str(tmp_path / "words.npy")
        ).weights_hash(weights),
    }
    assert len(hashes) == 3
    assert plugins.create("models", "s3d-milnce").weights_hash(weights) in hashes


def test_the_model_says_which_captions_it_knows_a_word_of(files: Path) -> None:
    model = loaded("models", "s3d-milnce", files, **SMALL)
    assert model.known_words(["FOLD it", "zebra", ""]) == [True, False, False]


def test_where_its_published_files_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWTO_WEIGHTS", str(tmp_path))
    [one] = S3DModel.published()
    assert (one.name, one.dim, S3DModel.dim) == ("s3d-milnce", EMBEDDING_DIM, EMBEDDING_DIM)
    assert [path.name for path in one.files] == ["s3d_howto100m.pth", "s3d_dict.npy"]
    assert not one.is_here
    for path in one.files:
        path.touch()
    assert one.is_here
