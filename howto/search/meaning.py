"""The meaning signal: what is said, searched by a sentence encoder's vectors rather than by words.

"fold a tee" finds "folding the shirt in half". It needs a plugin (howto-sentence), and torch, which
takes seconds to import: so it ranks when it is asked for, or stays loaded in `serve`. The lines are
encoded once and kept as an index.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from howto.errors import PluginError
from howto.library import Library
from howto.recipe import Recipe
from howto.search.index.manifest import index_folder
from howto.search.index.units import Filling
from howto.search.vector_signal import VectorSignal, opened_signal, row_lengths
from howto.search.words import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ENCODER", "Meaning", "SentenceEmbedder", "open_meaning"]

ENCODER = "sentence"
"""The text encoder whose vectors are used, as plugins name it."""

_PACKAGE = "howto-sentence"
_AT_ONCE = 64  # lines through the network


class SentenceEmbedder:
    """A text encoder as what ranks lines: vectors of length 1, so scores are cosines.

    Args:
        name: of the text encoder.
        device: where it computes.

    Raises:
        PluginError: it is not installed, or its weights are not here.
    """

    def __init__(self, name: str = ENCODER, device: str = "cpu") -> None:
        from howto import plugins
        from howto.train.pack_text import TextChoice, text_recipe

        if not any(
            one.name == name.partition(":")[0] for one in plugins.installed("text_encoders")
        ):
            raise PluginError(
                f"searching by meaning needs the text encoder {name!r}, which is not installed. "
                f"Install it with: pip install {_PACKAGE}"
            )
        self.name = name
        self._device = device
        choice = TextChoice(name)
        self._encoder: Any = choice.create()
        self.dim = int(self._encoder.dim)
        self.recipe = Recipe.of(kind="meaning", encoder=text_recipe(choice, self._encoder))

    @cached_property
    def _network(self) -> Any:
        import torch

        self._encoder.load(self._device, torch.float32)
        return self._encoder.module()

    def embed_text(
        self, captions: Sequence[str], *, as_query: bool = False
    ) -> "NDArray[np.float32]":
        """Map captions to float32 (B, D) of length 1; a query is a caption like others."""
        import numpy as np
        import torch

        del as_query
        network, parts = self._network, [np.empty((0, self.dim), np.float32)]
        # Lines of one length together: what is padded is computed all the same.
        order = sorted(range(len(captions)), key=lambda place: len(captions[place]))
        with torch.inference_mode():
            for first in range(0, len(order), _AT_ONCE):
                lines = [captions[place] for place in order[first : first + _AT_ONCE]]
                tokens = self._encoder.tokenise(lines).to(self._device)
                parts.append(network(tokens).float().cpu().numpy())
        sorted_vectors = row_lengths(np.concatenate(parts))
        vectors = np.empty_like(sorted_vectors)
        vectors[order] = sorted_vectors
        return vectors

    def known_words(
        self, captions: Sequence[str], *, as_query: bool = False
    ) -> "NDArray[np.bool_]":
        """bool (B,), all True: it reads parts of words."""
        import numpy as np

        del as_query
        return np.ones(len(captions), bool)


class Meaning:
    """The meaning signal of a library, up to date.

    Attributes:
        embedder: kept loaded as long as this lives.
    """

    def __init__(self, embedder: SentenceEmbedder, signal: VectorSignal) -> None:
        self.embedder = embedder
        self.signal = signal

    def embed(self, text: str) -> "NDArray[np.float32]":
        """A query as float32 (D,)."""
        vectors = self.embedder.embed_text([text])
        vector: NDArray[np.float32] = vectors[0]
        return vector


def open_meaning(
    library: Library,
    *,
    device: str = "cpu",
    before: Meaning | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
    wait: float | None = None,
) -> Meaning:
    """Encode the lines that are new, and open their index.

    Args:
        before: the same as it was opened earlier, for a process that answers many queries.
        on_progress, on_wait: told of every video encoded, and of another process waited for.
        wait: the most seconds that it is waited for; None: an hour.

    Raises:
        PluginError: no sentence encoder is installed, or its weights are not here.
        LibraryBusy: as `howto.search.index.units.bring_up_to_date`.
    """
    embedder = before.embedder if before else SentenceEmbedder(device=device)

    def embed(_video_id: str, clips: Sequence[Candidate]) -> "NDArray[np.float32]":
        return embedder.embed_text([clip.caption for clip in clips])

    filling = Filling(
        folder=index_folder(library.state, f"meaning:{embedder.name}"),
        recipe=embedder.recipe,
        dim=embedder.dim,
        spoken=True,
        embed=embed,
        wait=wait,
    )
    signal = opened_signal(
        "meaning",
        library,
        filling,
        embedder,
        before=before.signal if before else None,
        on_progress=on_progress,
        on_wait=on_wait,
    )
    return Meaning(embedder, signal)
