"""The model's parts against the paper's formulas written out, and words pooled once each."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from howto.train.gated import GatedEmbedding
from howto.train.model import TextVideoModel
from howto.train.schedule import SCHEDULES, Schedule, learning_rate
from howto.train.text_pooling import TextPooling

VOCABULARY, WORD_DIM = 40, 12


@pytest.fixture(autouse=True)
def first_values() -> None:
    torch.manual_seed(0)


def word_table(words: int = VOCABULARY) -> torch.Tensor:
    table = torch.randn(words, WORD_DIM, generator=torch.Generator().manual_seed(1))
    table[0] = 0
    return table


# --- the gated unit ---


def test_the_gated_unit_by_hand() -> None:
    """One input, two outputs: h = (3, 4), gates sigmoid(0) and sigmoid(log 3) = 1/2 and 3/4."""
    unit = GatedEmbedding(1, 2)
    with torch.no_grad():
        unit.fc.weight.copy_(torch.tensor([[1.0], [2.0]]))
        unit.fc.bias.copy_(torch.tensor([1.0, 0.0]))
        unit.gate.weight.zero_()
        unit.gate.bias.copy_(torch.tensor([0.0, math.log(3)]))
    length = math.hypot(1.5, 3.0)
    torch.testing.assert_close(
        unit(torch.tensor([[2.0]])), torch.tensor([[1.5 / length, 3.0 / length]])
    )
    unit.normalised = False
    torch.testing.assert_close(unit(torch.tensor([[2.0]])), torch.tensor([[1.5, 3.0]]))


def test_a_zero_vector_stays_one() -> None:
    unit = GatedEmbedding(3, 4)
    nn.init.zeros_(unit.fc.bias)
    features = torch.zeros(2, 3, requires_grad=True)
    embeddings = unit(features)
    assert (embeddings == 0).all()
    embeddings.sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_float32_and_unit_length_under_autocast() -> None:
    unit = GatedEmbedding(8, 16)
    with torch.autocast("cpu", torch.bfloat16):
        embeddings = unit(torch.randn(5, 8))
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(5))


# --- pooled words ---


@given(
    rows=st.lists(
        st.lists(st.integers(0, VOCABULARY - 1), min_size=5, max_size=5), min_size=1, max_size=8
    )
)
def test_each_word_once_equals_word_by_word(rows: list[list[int]]) -> None:
    """Values and gradients, with padding anywhere, captions of padding alone, and repeats."""
    torch.manual_seed(2)
    pooling = TextPooling(word_table(), 9, train_words=True)
    words = torch.tensor(rows)
    outer = torch.randn(len(rows), 9)
    results = []
    for path in (pooling, pooling.plain):
        pooling.zero_grad()
        vectors = path(words)
        (vectors * outer).sum().backward()
        gradients = [parameter.grad for parameter in pooling.parameters()]
        results.append([vectors.detach(), *(g for g in gradients if g is not None)])
    assert [len(result) for result in results] == [4, 4]
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_the_formula_of_the_paper() -> None:
    """max over words, padding rows of zeros included, of ReLU(W x + b)."""
    pooling = TextPooling(word_table(), 9)
    words = torch.tensor([[3, 7, 0, 0], [5, 5, 1, 2], [0, 0, 0, 0]])
    vectors = F.relu(word_table()[words] @ pooling.fc.weight.T + pooling.fc.bias)
    torch.testing.assert_close(pooling(words), vectors.max(dim=1)[0])
    torch.testing.assert_close(pooling(words)[2], F.relu(pooling.fc.bias))


def test_a_full_size_batch_of_few_words() -> None:
    """2,048 captions of 20 words: the linear layer sees each different word once."""
    pooling = TextPooling(word_table(500), 32)
    words = torch.randint(0, 500, (2048, 20))
    words[torch.arange(20)[None, :] >= torch.randint(0, 20, (2048, 1))] = 0
    seen: list[int] = []
    pooling.fc.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    pooled = pooling(words)
    assert seen == [len(words.unique())]
    torch.testing.assert_close(pooled, pooling.plain(words), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_computes_in_other_types(dtype: torch.dtype) -> None:
    pooling = TextPooling(word_table(), 9).to(dtype)
    words = torch.tensor([[3, 7, 0], [5, 1, 2]])
    assert pooling(words).dtype == torch.float32
    torch.testing.assert_close(pooling(words), pooling.plain(words), rtol=1e-2, atol=1e-2)


def test_no_caption() -> None:
    assert TextPooling(word_table(), 9)(torch.zeros(0, 5, dtype=torch.int64)).shape == (0, 9)


def test_the_tower_of_mil_nce() -> None:
    """Linear -> ReLU -> max -> Linear."""
    pooling = TextPooling(word_table(), 9, out_dim=4)
    words = torch.tensor([[3, 7, 0], [5, 1, 2]])
    hidden = F.relu(F.linear(word_table()[words], pooling.fc.weight, pooling.fc.bias)).amax(1)
    wanted = F.linear(hidden, pooling.out.weight, pooling.out.bias)
    torch.testing.assert_close(pooling(words), wanted)
    assert pooling.dim == 4


def test_frozen_words_are_no_state() -> None:
    frozen, trained = TextPooling(word_table(), 9), TextPooling(word_table(), 9, train_words=True)
    assert set(frozen.state_dict()) == {"fc.weight", "fc.bias"}
    assert set(trained.state_dict()) == {"fc.weight", "fc.bias", "table"}
    assert not frozen.table.requires_grad


def test_padding_learns_nothing() -> None:
    pooling = TextPooling(word_table(), 9, train_words=True)
    pooling(torch.tensor([[3, 0, 0], [5, 7, 0]])).sum().backward()
    assert (pooling.table.grad[0] == 0).all()
    assert (pooling.table.grad[[3, 5, 7]] != 0).any()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (torch.ones(3, 4), "row 0 of the word table, the padding, to be zero"),
        (torch.zeros(4), r"expected a table \(V, word_dim\), got \(4,\)"),
        (torch.zeros(0, 4), r"expected a table \(V, word_dim\), got \(0, 4\)"),
    ],
)
def test_tables_that_are_none(table: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextPooling(table, 2)


# --- the model ---


def test_scores_are_cosines_of_both_sides() -> None:
    model = TextVideoModel({"2d": 5, "3d": 3}, 6, TextPooling(word_table(), 4), 4)
    clips, words = torch.randn(3, 8), torch.randint(0, VOCABULARY, (2, 5))
    scores = model.score(clips, words)
    shown, said = model(clips, words)
    for i in range(3):
        for j in range(2):
            wanted = F.cosine_similarity(shown[i], said[j], dim=0)
            torch.testing.assert_close(scores[i, j], wanted)
    torch.testing.assert_close(shown, model.video_gate(clips))
    torch.testing.assert_close(said, model.text_gate(model.text(words)))


def test_scores_are_float32_under_autocast() -> None:
    model = TextVideoModel({"2d": 5}, 6, TextPooling(word_table(), 4), 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.score(torch.randn(3, 5), torch.ones(2, 4).long()).dtype == torch.float32


def test_embeddings_that_are_not_normalised() -> None:
    text = TextPooling(word_table(), 4)
    model = TextVideoModel({"2d": 5}, 6, text, 4, normalised=False)
    longer = model.embed_clips(10 * torch.randn(4, 5)).norm(dim=1)
    assert (longer != 1).all()
    assert not model.text_gate.normalised


# --- schedules ---


def test_the_rate_decays_once_an_epoch() -> None:
    schedule = Schedule(1e-4, steps_per_epoch=3, total_steps=9, decay=0.9)
    rates = [learning_rate(schedule, step) for step in range(9)]
    assert rates == pytest.approx([1e-4] * 3 + [0.9e-4] * 3 + [0.81e-4] * 3)


def test_half_a_wave_after_the_warm_up() -> None:
    schedule = Schedule(2.0, steps_per_epoch=1, total_steps=8, kind="cosine", warmup_steps=4)
    rates = [learning_rate(schedule, step) for step in range(9)]
    wave = [1 + math.cos(math.pi * part / 4) for part in range(5)]
    assert rates == pytest.approx([0.5, 1.0, 1.5, 2.0, *wave])
    assert learning_rate(schedule, 100) == pytest.approx(0)


def test_a_constant_rate() -> None:
    schedule = Schedule(3.0, steps_per_epoch=1, total_steps=2, kind="constant")
    assert {learning_rate(schedule, step) for step in range(5)} == {3.0}


@given(
    kind=st.sampled_from(SCHEDULES),
    warmup=st.integers(0, 30),
    total=st.integers(1, 30),
    step=st.integers(0, 60),
)
def test_rates_stay_within_the_base_rate(kind: str, warmup: int, total: int, step: int) -> None:
    schedule = Schedule(1e-3, 4, total, kind=kind, warmup_steps=warmup)
    assert 0 <= learning_rate(schedule, step) <= 1e-3
    if step >= warmup:
        assert learning_rate(schedule, step + 1) <= learning_rate(schedule, step)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "linear"}, "no schedule 'linear'; there are exponential, cosine, constant"),
        ({"steps_per_epoch": 0}, "steps_per_epoch of a schedule: expected 1 or more, got 0"),
        ({"warmup_steps": -1}, "warmup_steps of a schedule: expected 0 or more, got -1"),
        ({"base_rate": 0.0}, "over 0, got 0.0 and 0.9"),
        ({"decay": math.nan}, "over 0, got 1.0 and nan"),
    ],
)
def test_schedules_that_are_none(values: dict, message: str) -> None:
    from howto.errors import UsageError

    with pytest.raises(UsageError, match=message):
        Schedule(**{"base_rate": 1.0, "steps_per_epoch": 1, "total_steps": 1, **values})
