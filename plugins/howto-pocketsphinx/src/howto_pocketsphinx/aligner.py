"""Forced alignment by PocketSphinx: word times for English captions, with nothing to download."""

import functools
import hashlib
import importlib.metadata
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from howto.errors import AlignmentError, PluginError
from howto.transcribe.align import share_gaps
from howto_pocketsphinx.source import FRAMES_PER_SECOND, FULL_SCALE, cleaned

if TYPE_CHECKING:
    import numpy as np
    import pocketsphinx
    from numpy.typing import NDArray

__all__ = ["PocketSphinxAligner", "in_dictionary"]

RATE = 16_000  # samples a second
REVISION = 1  # changes whenever this module would give other times
EDGES = re.compile(r"^[^a-z]+|[^a-z]+$")
PARTS = re.compile(r"[^a-z']+")


class PocketSphinxAligner:
    """Lays the words of US-English captions over their sound.

    A word is looked up in the pronouncing dictionary, in parts where it has hyphens, and without
    `'s` where that is not in it. A word that is not there has no sound to be found by, and gets the
    time between its neighbours.

    Args:
        model: folder of another acoustic model; None for the wheel's.
        dictionary: file of another pronouncing dictionary; None for the wheel's.
    """

    name = "pocketsphinx"
    sound_per_second = 50.0  # measured at 75 on one core: docs/speech.md

    def __init__(self, *, model: str | None = None, dictionary: str | None = None) -> None:
        self._model, self._dictionary = model, dictionary

    @property
    def version(self) -> str:
        """Of this aligner and of PocketSphinx, whose wheel holds the model."""
        return f"{REVISION} (pocketsphinx {importlib.metadata.version('pocketsphinx')})"

    def weights_hash(self) -> str | None:
        """Return a hash of the files of a model of one's own; None for the wheel's.

        Raises:
            PluginError: a file is missing.
        """
        named = [Path(one).expanduser() for one in (self._model, self._dictionary) if one]
        if not named:
            return None
        digest = hashlib.sha256()
        for file in _files(named):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def align(
        self, words: Sequence[str], samples: "NDArray[np.float32]"
    ) -> list[tuple[float, float]]:
        """Say when each word is said.

        Raises:
            AlignmentError: no word is in the dictionary, or what is heard is something else.
            PluginError: a model of one's own cannot be loaded.
        """
        decoder = _decoder(self._model, self._dictionary)
        spoken = [
            (position, part)
            for position, word in enumerate(words)
            for part in in_dictionary(word, decoder.lookup_word)
        ]
        if not spoken:
            raise AlignmentError("no word of it is in the pronouncing dictionary")
        found = _laid(decoder, [part for _, part in spoken], samples)
        seconds = len(samples) / RATE
        spans: dict[int, tuple[float, float]] = {}
        for (position, _), (start, end) in zip(spoken, found, strict=True):
            first, _ = spans.get(position, (start, end))
            spans[position] = (min(first, seconds), min(end, seconds))
        return share_gaps(len(words), spans, seconds)


def in_dictionary(word: str, look_up: Callable[[str], str | None]) -> list[str]:
    """The words of the pronouncing dictionary that a written word is said as; [] where none is.

    Args:
        look_up: gives the pronunciation of a word in small letters, or None.
    """
    plain = EDGES.sub("", word.lower().replace("’", "'"))
    for form in (plain, plain.removesuffix("'s")):
        if form and look_up(form):
            return [form]
    parts = [part.strip("'") for part in PARTS.split(plain)]
    return [part for part in parts if part and look_up(part)]


def _laid(
    decoder: "pocketsphinx.Decoder", words: Sequence[str], samples: "NDArray[np.float32]"
) -> list[tuple[float, float]]:
    """Start and end of words of the dictionary, in seconds."""
    import numpy as np

    decoder.set_align_text(" ".join(words))
    decoder.reinit_feat()  # forgets the noise of what was heard before
    decoder.start_utt()
    decoder.process_raw(np.round(samples * FULL_SCALE).astype("<i2").tobytes(), False, True)
    decoder.end_utt()
    found = [
        (segment.start_frame / FRAMES_PER_SECOND, (segment.end_frame + 1) / FRAMES_PER_SECOND)
        for segment in decoder.seg() or ()
        if cleaned(segment.word)
    ]
    if len(found) != len(words):
        raise AlignmentError("what is heard there is not what it says")
    return found


@functools.cache
def _decoder(model: str | None, dictionary: str | None) -> "pocketsphinx.Decoder":
    """One for each set of files in a process: loading takes a third of a second."""
    import pocketsphinx

    named = {key: one for key, one in (("hmm", model), ("dict", dictionary)) if one is not None}
    try:
        # cmn="batch": the channel is evened out over the line alone, whatever came before.
        return pocketsphinx.Decoder(lm=None, loglevel="FATAL", cmn="batch", **named)
    except (RuntimeError, ValueError) as error:
        listed = ", ".join(f"{key} {file}" for key, file in named.items())
        raise PluginError(f"pocketsphinx cannot load its model ({listed}): {error}") from error


def _files(named: Sequence[Path]) -> Iterator[Path]:
    for path in named:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file())
        elif path.is_file():
            yield path
        else:
            raise PluginError(f"pocketsphinx: there is no {path}")
