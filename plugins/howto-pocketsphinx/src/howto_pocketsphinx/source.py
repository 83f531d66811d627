"""A narration source that runs on any machine today: PocketSphinx with its own US-English model.

PocketSphinx: Carnegie Mellon University and the PocketSphinx contributors,
https://github.com/cmusphinx/pocketsphinx, BSD-2-Clause; the wheel carries the acoustic model, the
language model and CMUdict.
"""

import functools
import importlib.metadata
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from howto.errors import PluginError, UsageError
from howto.records import Kind, Line, Narration, Video, Word
from howto.transcribe.language import same_language

if TYPE_CHECKING:
    import pocketsphinx

    from howto.transcribe.gate import Passage

__all__ = ["PocketSphinxSource", "cleaned", "lines_of"]

FRAMES_PER_SECOND = 100  # of PocketSphinx's features
FULL_SCALE = 32_767  # of 16-bit samples
FILLER = ("<", "[", "+")  # <s>, <sil>, [NOISE], ++UH++
ALTERNATE = re.compile(r"\(\d+\)$")  # the(2): the second pronunciation
LONGEST_UTTERANCE = 30.0  # seconds; the search keeps all of an utterance in memory
# Recognised over a pause, a word has neighbours to be guessed from; cut there, it has none.
BRIDGED_PAUSE = 2.0  # seconds
# In one frame; PocketSphinx keeps 30,000. With fewer it was a third quicker here and not worse.
MOST_HYPOTHESES = 10_000


class PocketSphinxSource:
    """Hears English, roughly, with word times.

    Args:
        model: folder of another acoustic model; None for the wheel's.
        language_model: file of another language model, in ARPA or binary form; None for the
            wheel's.
        dictionary: file of another pronouncing dictionary; None for the wheel's.
        language: BCP 47 tag of what the models hear, which the narration carries; None: US English,
            which is all that the wheel's models hear.
        words_per_line: most words in a line.
        pause: seconds of silence at which a line ends.
        least_probability: words that the recogniser itself holds less probable are left out.

    Raises:
        UsageError: words_per_line below 1, a negative pause, a probability outside 0..1, or another
            language than English with the wheel's models.
    """

    name = "pocketsphinx"
    listens = True
    sound_per_second = 1.5  # measured on two cores, of which it uses one: docs/speech.md

    def __init__(
        self,
        *,
        model: str | None = None,
        language_model: str | None = None,
        dictionary: str | None = None,
        language: str | None = None,
        words_per_line: int = 10,
        pause: float = 0.5,
        least_probability: float = 0.0,
    ) -> None:
        if words_per_line < 1 or pause < 0 or not 0 <= least_probability <= 1:
            raise UsageError(
                f"pocketsphinx: words_per_line={words_per_line}, pause={pause},"
                f" least_probability={least_probability}: expected at least 1, at least 0, and 0..1"
            )
        if language is not None and model is None and not same_language("en", language):
            raise UsageError(
                f"pocketsphinx: its own models hear English alone, not {language!r}. Leave the"
                " language out, or give models of it with the options model, language_model and"
                " dictionary (--option pocketsphinx.model=FOLDER ...)"
            )
        # The wheel's models are of US English, whatever English was asked for.
        self.language = language if language is not None and model is not None else "en-US"
        self._files = (model, language_model, dictionary)
        self._words_per_line = words_per_line
        self._pause = pause
        self._least_probability = least_probability

    def narrate(self, video: Video) -> Narration | None:
        """Recognise what is said; None where the gate hears nobody, or no word comes out.

        Raises:
            MediaError: the sound cannot be read.
            PluginError: a model of one's own cannot be loaded.
        """
        from howto.media.audio import sound
        from howto.transcribe.gate import RATE, GateSettings, passages

        if video.info is not None and not video.info.has_audio:
            return None
        settings = GateSettings(shortest_pause=BRIDGED_PAUSE, padding=0.3)
        words: list[Word] = []
        for passage in passages(sound(video.path, RATE), settings, LONGEST_UTTERANCE):
            words += self._recognised(passage)
        lines = tuple(lines_of(words, self._words_per_line, self._pause))
        if not lines:
            return None
        version = importlib.metadata.version("pocketsphinx")
        return Narration(lines, self.language, Kind.AUTOMATIC, f"pocketsphinx {version}")

    def _recognised(self, passage: "Passage") -> Iterator[Word]:
        import numpy as np

        decoder = _decoder(*self._files)
        decoder.reinit_feat()  # forgets the noise of what was heard before
        decoder.start_utt()
        samples = np.round(passage.samples * FULL_SCALE).astype("<i2")
        decoder.process_raw(samples.tobytes(), False, True)
        decoder.end_utt()
        for segment in decoder.seg() or ():
            text = cleaned(segment.word)
            if text and segment.prob >= self._least_probability:
                start = passage.start + segment.start_frame / FRAMES_PER_SECOND
                end = passage.start + (segment.end_frame + 1) / FRAMES_PER_SECOND
                yield Word(round(start, 3), round(min(end, passage.end), 3), text)


@functools.cache
def _decoder(
    model: str | None, language_model: str | None, dictionary: str | None
) -> "pocketsphinx.Decoder":
    """One for each set of files in a process: loading takes half a second."""
    import pocketsphinx

    # cmn="batch": the channel is evened out over the utterance alone, not over what was heard
    # before, so that a video is heard the same wherever it comes in a run.
    files = {"hmm": model, "lm": language_model, "dict": dictionary}
    named = {key: file for key, file in files.items() if file is not None}
    try:
        return pocketsphinx.Decoder(
            loglevel="FATAL", cmn="batch", maxhmmpf=MOST_HYPOTHESES, **named
        )
    except (RuntimeError, ValueError) as error:
        listed = ", ".join(f"{key} {file}" for key, file in named.items())
        raise PluginError(f"pocketsphinx cannot load its model ({listed}): {error}") from error


def cleaned(word: str) -> str:
    """The word without the number of its pronunciation; '' for silence, noise and marks."""
    return "" if word.startswith(FILLER) else ALTERNATE.sub("", word)


def lines_of(words: Sequence[Word], most: int, pause: float) -> Iterator[Line]:
    """Cut words into lines: at every pause, and what is longer still into equal parts.

    Args:
        words: in order.
        most: words in a line.
        pause: seconds.
    """
    for run in _runs(words, pause):
        parts = -(-len(run) // most)
        edges = [len(run) * part // parts for part in range(parts + 1)]
        for first, last in pairwise(edges):
            part = tuple(run[first:last])
            text = " ".join(word.text for word in part)
            yield Line(part[0].start, part[-1].end, text, part)


def _runs(words: Iterable[Word], pause: float) -> Iterator[list[Word]]:
    run: list[Word] = []
    for word in words:
        if run and word.start - run[-1].end >= pause:
            yield run
            run = []
        run.append(word)
    if run:
        yield run
