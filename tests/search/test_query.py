"""A query is words, whatever was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import UsageError
from howto.search.query import Query


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("fold a shirt", ("fold", "shirt")),
        ("  How to FOLD the Shirt? ", ("fold", "shirt")),
        ("fold fold", ("fold",)),
        ("how to", ("how", "to")),
        ("don't iron", ("don't", "iron")),
        ("don’t iron", ("don't", "iron")),
        ('"fold" OR shirt* NEAR(x)', ("fold", "shirt", "near", "x")),
        ("col_umn: value", ("col", "umn", "value")),
        ("折叠衬衫", ("折叠衬衫",)),
        ("???", ()),
        ("'", ()),
    ],
)
def test_terms(text: str, terms: tuple[str, ...]) -> None:
    assert Query.parse(text).terms == terms


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_nothing_is_no_query(text: str) -> None:
    with pytest.raises(UsageError, match="the query is empty"):
        Query.parse(text)


@given(st.text(min_size=1).filter(str.strip))
def test_any_other_string_is_one(text: str) -> None:
    terms = Query.parse(text).terms
    assert len(set(terms)) == len(terms)
    assert all(term and not term.isspace() for term in terms)
