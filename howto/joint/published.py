"""What a plugin may say of the published weights of its joint models, before any is loaded."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["PublishedModel"]


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One set of published weights of a joint model.

    Attributes:
        name: as the model is asked for, such as `clip:ViT-B-32.openai`.
        dim: length of an embedding.
        licence: as its publisher states it.
        page: where it is published, for people.
        files: where each file of weights is, or is wanted.
        size: bytes to fetch in all, about; None where not known.
    """

    name: str
    dim: int
    licence: str
    page: str
    files: tuple[Path, ...]
    size: int | None = None

    @property
    def is_here(self) -> bool:
        """All its files are there."""
        return all(path.is_file() for path in self.files)
