"""The core's text encoders: their contract, the paper's words, and a run's folder without the
rest."""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from howto import plugins
from howto.clip.words import words
from howto.errors import PluginError, UsageError
from howto.testing import TextEncoderContract
from howto.train.pack_text import TextChoice, keep_encoder, open_encoder
from howto.train.vocabulary import Vocabulary, count_words, frequent_words, known_words

KNOWN = (
    "cut the onion fold a shirt Now you want to pour water into pan and stir it until it's warm "
    "turn screw left"
).split()
FOLDER: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A word2vec text file of the contract's words, kept for the suites."""
    path = tmp_path_factory.mktemp("vectors") / "small.vec"
    rng = np.random.default_rng(0)
    rows = [f"{word} {' '.join(f'{x:.4f}' for x in rng.normal(0, 1, 6))}" for word in KNOWN]
    path.write_text("\n".join([f"{len(KNOWN)} 6", *rows]) + "\n")
    FOLDER[:] = [path]
    return path


class TestWord2Vec(TextEncoderContract):
    plugin = "word2vec"
    options: ClassVar[dict[str, Any]] = {"dim": 16}

    def weights(self) -> str:
        return str(FOLDER[0])


class TestWord2VecAsMilNce(TestWord2Vec):
    options: ClassVar[dict[str, Any]] = {"dim": 16, "out_dim": 8, "lower_case": True}


class TestLearned(TextEncoderContract):
    plugin = "learned"
    options: ClassVar[dict[str, Any]] = {"dim": 16, "word_dim": 8, "words": tuple(KNOWN)}


class TestLearnedFromVectors(TextEncoderContract):
    plugin = "learned"
    options: ClassVar[dict[str, Any]] = {"dim": 16}

    def weights(self) -> str:
        return str(FOLDER[0])


def loaded(name: str, weights: Path | None, **options: Any) -> Any:
    encoder = plugins.create("text_encoders", name, **options)
    encoder.load("cpu", torch.float32, None if weights is None else str(weights))
    return encoder


# --- words ---


def test_words_are_read_as_the_paper_reads_them(vectors: Path) -> None:
    """Runs of letters and apostrophes, case kept, unknown ones dropped, and then cut to length."""
    encoder = loaded("word2vec", vectors, max_words=4, dim=8)
    ids = encoder.vocabulary.ids
    rows = encoder.tokenise(["now cut-the ONION, onion until it's warm!", "Now", "xyz"])
    expected = [[ids[w] for w in ("cut", "the", "onion", "until")], [ids["Now"], 0, 0, 0], [0] * 4]
    assert rows.tolist() == expected
    lower = loaded("word2vec", vectors, max_words=4, dim=8, lower_case=True)
    assert lower.tokenise(["ONION Now THE xyz"]).tolist() == [
        [ids["onion"], ids["Now"], ids["the"], 0]
    ]


def test_a_vector_is_the_papers_formula(vectors: Path) -> None:
    """max over words, padding too, of relu(W x + b), with the file's vectors."""
    encoder = loaded("word2vec", vectors, max_words=5, dim=7)
    table = dict(zip(KNOWN, np.loadtxt(vectors, skiprows=1, usecols=range(1, 7)), strict=True))
    fc = encoder.module().fc
    caption = "fold the shirt"
    rows = [table[word] for word in words(caption)] + [np.zeros(6)] * 2
    weight, bias = fc.weight.detach().numpy(), fc.bias.detach().numpy()
    expected = np.maximum(np.array(rows) @ weight.T + bias, 0).max(axis=0)
    got = encoder.module()(encoder.tokenise([caption])).detach().numpy()[0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_only_words_that_occur_are_kept(vectors: Path) -> None:
    encoder = plugins.create("text_encoders", "word2vec", dim=8)
    counts = count_words(["cut the onion", "CUT the xyz Shirt", "the onion"])
    kept = encoder.choose_words(counts, str(vectors))
    assert encoder.vocabulary.words == kept.words == ("the", "onion", "cut")
    vectors_before = kept.matrix.copy()
    encoder.load("cpu", torch.float32, str(vectors))
    np.testing.assert_array_equal(encoder.module().table[1:].numpy(), vectors_before)
    lower = plugins.create("text_encoders", "word2vec", dim=8, lower_case=True)
    # CUT and Shirt count for cut and shirt.
    assert lower.choose_words(counts, str(vectors)).words == ("the", "cut", "onion", "shirt")


def test_known_and_frequent_words() -> None:
    counts = Counter({"Onion": 1, "onion": 1, "Pan": 2, "pan": 1, "oil": 1})
    assert known_words(counts, {"onion", "pan", "Pan"}) == ["Pan", "onion", "pan"]
    assert known_words(counts, {"onion", "pan"}, lower_case=True) == ["pan", "onion"]
    assert frequent_words(counts, 2) == ["Pan"]
    assert frequent_words(counts, 2, lower_case=True) == ["Pan", "onion"]
    assert frequent_words(counts, 1) == ["Pan", "Onion", "oil", "onion", "pan"]
    vocabulary = Vocabulary(("Pan", "onion"))
    assert vocabulary.rows == ("", "Pan", "onion")
    assert vocabulary.encode("pan Pan Onion", 5, lower_case=True) == [1, 2]
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(("a", "a"))


def test_learned_vectors_start_at_given_ones(vectors: Path) -> None:
    encoder = loaded("learned", vectors, dim=8, words=("xyz", "onion"))
    assert encoder.vocabulary.words == ("xyz", "onion")
    table = encoder.module().table.detach()
    row = np.loadtxt(vectors, skiprows=1, usecols=range(1, 7))[KNOWN.index("onion")]
    np.testing.assert_allclose(table[2].numpy(), row, atol=1e-6)
    assert encoder.module().table.requires_grad
    assert table[0].eq(0).all()
    assert table[1].ne(0).all()


# --- a run's folder ---


@pytest.mark.parametrize("name", ["word2vec", "learned"])
def test_a_runs_folder_is_all_that_is_needed(name: str, vectors: Path, tmp_path: Path) -> None:
    weights = tmp_path / "moved.vec"
    weights.write_bytes(vectors.read_bytes())
    choice = TextChoice(name, {"dim": 8, "max_words": 6}, str(weights))
    encoder = choice.create()
    encoder.choose_words(count_words(["cut the onion Now", "cut the onion Now"]), choice.weights)
    encoder.load("cpu", torch.float32, choice.weights)
    keep_encoder(encoder, choice, tmp_path)
    state = encoder.module().state_dict()
    weights.unlink()
    again = open_encoder(tmp_path)
    again.module().load_state_dict(state)
    captions = ["now cut the onion", "fold", ""]
    assert torch.equal(again.tokenise(captions), encoder.tokenise(captions))
    tokens = encoder.tokenise(captions)
    assert torch.equal(again.module()(tokens), encoder.module()(tokens))


def test_a_folder_of_another_version_or_of_none(vectors: Path, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="cannot be read"):
        open_encoder(tmp_path)
    choice = TextChoice("word2vec", {"dim": 8}, str(vectors))
    encoder = loaded("word2vec", vectors, dim=8)
    encoder.version = "0"
    keep_encoder(encoder, choice, tmp_path)
    with pytest.raises(PluginError, match="of version 0; installed is 1"):
        open_encoder(tmp_path)


# --- what cannot be ---


def test_what_is_missing_is_named(vectors: Path, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="needs word vectors: give the path of a file"):
        loaded("word2vec", None)
    with pytest.raises(PluginError, match="has no vocabulary: give it the words"):
        loaded("learned", None)
    with pytest.raises(PluginError, match="a vector for none of the 1 words"):
        TextChoice().create().choose_words({"xyz": 3}, str(vectors))
    with pytest.raises(PluginError, match="not one of 1 words occurs 2 times"):
        TextChoice("learned").create().choose_words({"xyz": 1}, None)
    with pytest.raises(PluginError, match="has no vocabulary yet"):
        TextChoice().create().tokenise(["a"])
    with pytest.raises(UsageError, match="max_words is 0, expected at least 1"):
        TextChoice(options={"max_words": 0}).create()
    with pytest.raises(UsageError, match="word_dim is 0"):
        TextChoice("learned", {"word_dim": 0}).create()
    (tmp_path / "bad.vec").write_text("2 3\na 1 2 3\n")
    with pytest.raises(PluginError, match=r"text encoder .word2vec.: .*after line 2: cut off"):
        loaded("word2vec", tmp_path / "bad.vec")
