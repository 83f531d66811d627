"""The authors' checkpoint: its names and shapes with random values, against their forward pass
written out."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from howto.errors import PluginError, UsageError
from howto.train.authors_checkpoint import (
    AUTHORS_STREAMS,
    from_authors,
    read_authors,
    to_authors,
    write_authors,
)
from howto.train.model import TextVideoModel
from howto.train.text_pooling import TextPooling

WORD_DIM, STREAMS = 300, {"2d": 40, "3d": 24}


def authors_state(dim: int, video_dim: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Their names, with the batch norms that they have and do not use."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "text_pooling.fc": (dim, WORD_DIM),
        "GU_text.fc": (dim, dim),
        "GU_text.cg.fc": (dim, dim),
        "GU_video.fc": (dim, video_dim),
        "GU_video.cg.fc": (dim, dim),
    }
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) / shape[1] ** 0.5
        state[f"{name}.bias"] = torch.randn(dim, generator=generator) / 10
    for unit in ("GU_text", "GU_video"):
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{unit}.cg.batch_norm.{part}"] = torch.randn(dim, generator=generator)
        state[f"{unit}.cg.batch_norm.num_batches_tracked"] = torch.tensor(7)
    return state


def word_table(words: int = 30) -> torch.Tensor:
    table = torch.randn(words, WORD_DIM, generator=torch.Generator().manual_seed(5))
    table[0] = 0
    return table


def linear(state: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def gated(state: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    h = linear(state, f"{name}.fc", x)
    y = h / (1 + torch.exp(-linear(state, f"{name}.cg.fc", h)))
    return y / y.square().sum(1, keepdim=True).sqrt()


def plain_scores(
    state: dict[str, torch.Tensor], clips: torch.Tensor, vectors: torch.Tensor
) -> torch.Tensor:
    """Clips (B, video_dim) against captions of word vectors (C, W, 300), zeros as padding."""
    words = linear(state, "text_pooling.fc", vectors).clamp(min=0)
    pooled = torch.stack([caption.max(dim=0).values for caption in words])
    return gated(state, "GU_video", clips) @ gated(state, "GU_text", pooled).T


@pytest.mark.parametrize("dim", [48, 6144])
def test_the_same_scores_as_their_forward_pass(dim: int, tmp_path: Path) -> None:
    streams = AUTHORS_STREAMS if dim == 6144 else STREAMS
    video_dim = sum(streams.values())
    state = authors_state(dim, video_dim)
    torch.save(state, tmp_path / "howto100m_pt_model.pth")
    clips = F.normalize(torch.randn(4, video_dim, generator=torch.Generator().manual_seed(2)))
    words = torch.tensor([[3, 9, 4, 0, 0], [29, 1, 1, 2, 8], [0, 0, 0, 0, 0]])
    model = read_authors(tmp_path / "howto100m_pt_model.pth", word_table(), streams)
    with torch.inference_mode():
        scores = model.score(clips, words)
    wanted = plain_scores(state, clips, word_table()[words])
    torch.testing.assert_close(scores, wanted, rtol=1e-5, atol=1e-5)
    assert wanted.std() > 1e-3


def test_written_and_read_back(tmp_path: Path) -> None:
    model = from_authors(authors_state(16, 64), word_table(), STREAMS)
    write_authors(model, tmp_path / "ours.pth")
    written = torch.load(tmp_path / "ours.pth", weights_only=True)
    assert {k: v.shape for k, v in written.items()} == {
        k: v.shape for k, v in authors_state(16, 64).items()
    }
    again = read_authors(tmp_path / "ours.pth", word_table(), STREAMS)
    clips, words = torch.randn(2, 64), torch.tensor([[4, 5, 0]])
    assert torch.equal(again.score(clips, words), model.score(clips, words))
    assert [path.name for path in tmp_path.iterdir()] == ["ours.pth"]


def test_a_file_of_several_processes_reads_as_well(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in authors_state(8, 64).items()}
    torch.save({"state_dict": state}, tmp_path / "parallel.pth")
    assert read_authors(tmp_path / "parallel.pth", word_table(), STREAMS).dim == 8


def test_what_was_read_trains_on() -> None:
    model = from_authors(authors_state(8, 64), word_table(), STREAMS)
    model.score(torch.randn(2, 64), torch.tensor([[4, 5, 0]])).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert not model.text.table.is_meta


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"GU_video.fc.bias": None}, r"missing: video_gate.fc.bias"),
        ({"GU_audio.fc.bias": torch.zeros(3)}, "not expected: GU_audio.fc.bias"),
        ({"GU_text.cg.fc.weight": torch.zeros(3, 3)}, "of another shape: text_gate.gate.weight"),
    ],
)
def test_a_state_dict_that_is_another(change: dict, message: str) -> None:
    state = authors_state(8, 64) | change
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    with pytest.raises(PluginError, match=message):
        from_authors(state, word_table(), STREAMS, what="x.pth")


def test_word_vectors_of_another_length() -> None:
    with pytest.raises(PluginError, match=r"text.fc.weight \(8, 300\) instead of \(8, 50\)"):
        from_authors(authors_state(8, 64), torch.zeros(5, 50), STREAMS)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no checkpoint"):
        read_authors(tmp_path / "none.pth", word_table())


@pytest.mark.parametrize("kind", ["trained words", "a last layer", "not normalised"])
def test_models_that_theirs_is_not(kind: str) -> None:
    pooling = TextPooling(
        word_table(),
        6,
        out_dim=4 if kind == "a last layer" else None,
        train_words=kind == "trained words",
    )
    model = TextVideoModel(STREAMS, 8, pooling, pooling.dim, normalised=kind != "not normalised")
    with pytest.raises(UsageError, match="only a model of the paper's form"):
        to_authors(model)
