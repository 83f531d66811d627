"""Recipes: equal when what they say is equal, and telling when it is not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howto.errors import RecipeMismatch
from howto.recipe import Recipe

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
PARTS = st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), JSON, max_size=5)


@given(PARTS)
def test_order_of_the_parts_does_not_matter(parts: dict[str, object]) -> None:
    backwards = dict(reversed(parts.items()))
    assert Recipe.of(**parts) == Recipe.of(**backwards)
    assert Recipe.of(**parts).parts == parts


@given(PARTS, PARTS)
def test_different_recipes_differ_in_text_hash_and_keys(
    one: dict[str, object], two: dict[str, object]
) -> None:
    first, second = Recipe.of(**one), Recipe.of(**two)
    if first.text != second.text:
        assert first.short != second.short
    assert (first.differences(second) == []) or first != second


def test_known_text_and_hash() -> None:
    recipe = Recipe.of(rate=1.5, backend="resnet152", input=Recipe.of(fps=1))
    assert recipe.text == '{"backend":"resnet152","input":{"fps":1},"rate":1.5}'
    assert recipe.short == "89f4e1af"


def test_mismatch_names_the_keys_that_differ() -> None:
    ours = Recipe.of(backend="resnet152", input=Recipe.of(fps=1, size=224))
    theirs = Recipe.of(backend="resnet152", input=Recipe.of(fps=2, size=224), weights="x")
    ours.require_same(ours, "features and index")
    with pytest.raises(RecipeMismatch, match=r'input\.fps: 1 \| 2; weights: \(absent\) \| "x"'):
        ours.require_same(theirs, "features and index")


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        Recipe.of(rate=math.nan)
    with pytest.raises(TypeError):
        Recipe.of(rate=object())
