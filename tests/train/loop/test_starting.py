"""What a model can start from."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from howto.errors import UsageError
from howto.train.authors_checkpoint import write_authors
from howto.train.gated import GatedEmbedding
from howto.train.model import TextVideoModel
from howto.train.starting import Start, chosen_start, put_start
from howto.train.text_pooling import TextPooling

STREAMS = {"resnet152": 6, "resnext101-3d": 6}


def paper_model(seed: int, dim: int = 8, word_dim: int = 300) -> TextVideoModel:
    torch.manual_seed(seed)
    table = torch.randn(5, word_dim)
    table[0] = 0
    return TextVideoModel(STREAMS, dim, TextPooling(table, dim), dim)


def test_the_authors_checkpoint_gives_its_weights(tmp_path: Path, made_pack: Callable) -> None:
    theirs = paper_model(1)
    path = tmp_path / "howto100m_pt_model.pth"
    write_authors(theirs, path)
    start = chosen_start(str(path), tmp_path / "runs")
    assert (start.kind, start.dim) == ("authors", 8)
    ours = paper_model(2)
    put_start(start, ours, made_pack(), tmp_path / "runs")
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor)
    with pytest.raises(UsageError, match="word vectors of 300 numbers"):
        put_start(start, paper_model(2, word_dim=50), made_pack(), tmp_path / "runs")


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(UsageError, match=r"expected a checkpoint.*found weight"):
        chosen_start(str(path), tmp_path / "runs")


@pytest.mark.parametrize("is_normalised", [True, False])
def test_a_ready_joint_model_is_where_an_adapter_starts(
    tmp_path: Path, made_pack: Callable, monkeypatch: pytest.MonkeyPatch, is_normalised: bool
) -> None:
    clip = type("Clip", (), {"normalised": is_normalised})
    monkeypatch.setattr("howto.train.starting.plugins.create", lambda *_names: clip())
    start = Start("model", "clip", None, None)
    model = TextVideoModel({"clip": 16}, 16, torch.nn.Identity(), 16)
    said = put_start(start, model, made_pack(), tmp_path)
    assert ("compared by direction alone" in said) is not is_normalised
    clips, texts = torch.randn(7, 16), torch.randn(9, 16)
    shown, said = (torch.nn.functional.normalize(one, dim=1) for one in (clips, texts))
    with torch.no_grad():
        torch.testing.assert_close(model.score(clips, texts), shown @ said.T)
    # It is no dead point: gradients reach both layers of both gates.
    model.score(clips, texts).square().sum().backward()
    for gate in (model.video_gate, model.text_gate):
        assert isinstance(gate, GatedEmbedding)
        assert gate.fc.weight.grad.abs().max() > 0
        assert gate.gate.weight.grad.abs().max() > 0
    other = TextVideoModel({"clip": 16}, 8, torch.nn.Identity(), 16)
    with pytest.raises(UsageError, match="leave --dim out"):
        put_start(start, other, made_pack(), tmp_path)
