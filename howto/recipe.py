"""Recipes: all that determines an artefact, as canonical JSON and a short hash of it.

Two artefacts with the same recipe can stand side by side; two with different recipes never do. A
recipe holds the name and version of the backend, its parameters, the hash of its weights and the
recipe of its input.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from howto.errors import RecipeMismatch

__all__ = ["Recipe"]

SHORT_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Recipe:
    """An immutable recipe; equal recipes have equal text.

    Attributes:
        text: canonical JSON: keys sorted, no spaces, non-ASCII kept, no NaN.
    """

    text: str

    @classmethod
    def of(cls, **parts: Any) -> "Recipe":
        """Build a recipe from what determines the artefact.

        Args:
            parts: JSON values; a nested Recipe stands for the recipe of the input.

        Raises:
            ValueError: a value is NaN or infinite.
            TypeError: a value is no JSON value.
        """
        text = json.dumps(
            {key: _plain(value) for key, value in parts.items()},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return cls(text)

    @property
    def parts(self) -> Mapping[str, Any]:
        """The recipe as a dictionary."""
        parts: dict[str, Any] = json.loads(self.text)
        return parts

    @property
    def short(self) -> str:
        """The first 8 hexadecimal digits of the SHA-256 of the text: what folder names carry."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:SHORT_HASH_DIGITS]

    def differences(self, other: "Recipe") -> list[str]:
        """Say which keys differ, one `key: this | that` each, nested keys with dots."""
        ours, theirs = _flat(self.parts), _flat(other.parts)
        absent = "(absent)"
        return [
            f"{key}: {ours.get(key, absent)} | {theirs.get(key, absent)}"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key, absent) != theirs.get(key, absent)
        ]

    def require_same(self, other: "Recipe", what: str) -> None:
        """Refuse to mix.

        Args:
            what: the two things compared, for the message, such as 'features and index'.

        Raises:
            RecipeMismatch: the recipes differ; the message lists the keys that do.
        """
        if self != other:
            rows = "; ".join(self.differences(other))
            raise RecipeMismatch(f"{what} were made in different ways ({rows}).")


def _plain(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value.parts
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _flat(parts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in parts.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = json.dumps(value, ensure_ascii=False)
    return flat
