"""Queries without torch: the same embeddings as the model's."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from howto.errors import UsageError
from howto.train.model import TextVideoModel
from howto.train.query_side import QuerySide, export_query_side
from howto.train.text_pooling import TextPooling

WORDS = ["", "fold", "Shirt", "iron", "pan", "d'oh", "über", "切る"]
MAX_WORDS = 4


def make_model(**options: Any) -> TextVideoModel:
    torch.manual_seed(0)
    table = torch.randn(len(WORDS), 12)
    table[0] = 0
    normalised = options.pop("normalised", True)
    pooling = TextPooling(table, 24, **options)
    return TextVideoModel({"2d": 5}, 32, pooling, pooling.dim, normalised=normalised)


MODELS = {
    "the paper's": {},
    "a last layer": {"out_dim": 10},
    "trained words": {"train_words": True},
    "not normalised": {"normalised": False},
}


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory) -> tuple[TextVideoModel, QuerySide]:
    model = make_model(**MODELS[request.param])
    folder = tmp_path_factory.mktemp("run") / "query"
    export_query_side(model, folder, WORDS, MAX_WORDS)
    return model, QuerySide.open(folder)


@given(ids=st.lists(st.integers(0, len(WORDS) - 1), max_size=6))
def test_the_same_as_the_model(exported: tuple[TextVideoModel, QuerySide], ids: list[int]) -> None:
    model, query_side = exported
    row = [*ids, *[0] * MAX_WORDS][:MAX_WORDS]
    with torch.inference_mode():
        [wanted] = model.embed_text(torch.tensor([row])).numpy()
    embedding = query_side.embed(ids)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, wanted, rtol=1e-5, atol=1e-5)


def test_half_the_size(tmp_path: Path) -> None:
    model = make_model()
    for name, kind in [("full", np.float32), ("half", np.float16)]:
        export_query_side(model, tmp_path / name, WORDS, MAX_WORDS, table_type=kind)
    full, half = QuerySide.open(tmp_path / "full"), QuerySide.open(tmp_path / "half")
    assert 2 * half.table.nbytes == full.table.nbytes
    assert np.linalg.norm(full.embed([1, 2]) - half.embed([1, 2])) < 1e-3


def test_words_are_looked_up_as_they_are_then_in_lower_case(exported: Any) -> None:
    query_side = exported[1]
    assert query_side.look_up(["fold", "the", "Shirt"]) == [1, 2]
    assert query_side.look_up(["FOLD", "shirt", "Über", "切る", ""]) == [1, 6, 7]
    assert query_side.look_up(["pan"] * 9) == [4] * MAX_WORDS


@pytest.mark.parametrize(
    ("words", "asked"), [(["shirt", ""], "'shirt', ''"), ([], "an empty query")]
)
def test_no_known_word_is_said(exported: Any, words: list[str], asked: str) -> None:
    message = f"no word of the query is known to this model \\(7 words\\): {asked}"
    with pytest.raises(UsageError, match=message):
        exported[1].look_up(words)


def test_extreme_gates_do_not_warn(tmp_path: Path) -> None:
    model = make_model()
    nn.init.constant_(model.text_gate.gate.bias, -1e4)
    export_query_side(model, tmp_path / "query", WORDS, MAX_WORDS)
    assert (QuerySide.open(tmp_path / "query").embed([1]) == 0).all()


def test_an_export_replaces_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "query"
    for bias in (0.0, 1.0):
        model = make_model()
        nn.init.constant_(model.text_gate.fc.bias, bias)
        export_query_side(model, folder, WORDS, MAX_WORDS)
        assert (QuerySide.open(folder).matrices["fc_bias"] == bias).all()
    assert [path.name for path in tmp_path.iterdir()] == ["query"]


def test_a_query_needs_no_torch(tmp_path: Path) -> None:
    export_query_side(make_model(), tmp_path / "query", WORDS, MAX_WORDS)
    code = (
        "import sys; from pathlib import Path; from howto.train.query_side import QuerySide;"
        f"side = QuerySide.open(Path({str(tmp_path / 'query')!r}));"
        "print(len(side.embed(side.look_up(['fold'])))); assert 'torch' not in sys.modules"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "32"


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    other = TextVideoModel({"2d": 5}, 8, nn.Identity(), 6)
    with pytest.raises(UsageError, match="of type Identity cannot be read without torch"):
        export_query_side(other, tmp_path / "query", WORDS, MAX_WORDS)
    for vocabulary in (WORDS[:-1], [*WORDS[1:], ""]):
        with pytest.raises(UsageError, match="expected as many, the first ''"):
            export_query_side(make_model(), tmp_path / "query", vocabulary, MAX_WORDS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("meta.json", None, r"holds no query side of a model \(no meta.json\)"),
        ("meta.json", "{", "meta.json is damaged"),
        ("meta.json", '{"format": 9}', "a query side of format 9, expected 1"),
        ("words.txt", "\nfold\n", "2 words, a table .* do not belong together"),
    ],
)
def test_folders_that_are_none(tmp_path: Path, file: str, text: str | None, message: str) -> None:
    folder = tmp_path / "query"
    export_query_side(make_model(), folder, WORDS, MAX_WORDS)
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text)
    with pytest.raises(UsageError, match=message):
        QuerySide.open(folder)
