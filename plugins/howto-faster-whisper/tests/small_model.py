"""A random Whisper for CTranslate2, of the right shape and small: what it writes is noise."""

import json
from pathlib import Path

import numpy as np
import tokenizers
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray

STATE, HEADS, MELS, TEXT_CONTEXT = 16, 2, 80, 448
BASE_TOKENS = 50_257
LANGUAGES = 99


def write_small_model(folder: Path) -> Path:
    """Write all that faster-whisper reads of a converted multilingual model."""
    folder.mkdir(parents=True)
    tokens = _tokens()
    spec = WhisperSpec(1, HEADS, 1, HEADS)
    _fill(spec, len(tokens))
    spec.register_vocabulary(tokens)
    first = tokens.index("<|en|>")
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [220, tokens.index("<|endoftext|>")]
    spec.config.lang_ids = list(range(first, first + LANGUAGES))
    spec.config.alignment_heads = [(0, 0), (0, 1)]
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    _tokenizer(tokens).save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS}))
    return folder


def _tokens() -> list[str]:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    base = letters + [f"Ġw{number}" for number in range(BASE_TOKENS - len(letters))]
    codes = ["en", *(code for code in _LANGUAGE_CODES if code not in ("en", "yue"))]
    marks = [f"<|{code}|>" for code in codes[:LANGUAGES]]
    tasks = "translate transcribe startoflm startofprev nospeech notimestamps".split()
    specials = ["<|endoftext|>", "<|startoftranscript|>", *marks, *(f"<|{t}|>" for t in tasks)]
    times = [f"<|{number * 0.02:.2f}|>" for number in range(1501)]
    return base + specials + times


def _tokenizer(tokens: list[str]) -> tokenizers.Tokenizer:
    base = {token: number for number, token in enumerate(tokens[:BASE_TOKENS])}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(base, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(tokens[BASE_TOKENS:])
    return made


def _fill(spec: WhisperSpec, vocabulary: int) -> None:
    rng = np.random.default_rng(0)

    def random(*shape: int) -> NDArray[np.float32]:
        return (0.3 * rng.standard_normal(shape)).astype(np.float32)

    def norm(layer) -> None:
        layer.gamma, layer.beta = np.ones(STATE, np.float32), random(STATE)

    def linear(layer, out: int, into: int) -> None:
        layer.weight, layer.bias = random(out, into), random(out)

    def attention(layer, cross: bool) -> None:
        norm(layer.layer_norm)
        shapes = [STATE, 2 * STATE, STATE] if cross else [3 * STATE, STATE]
        for part, out in zip(layer.linear, shapes, strict=True):
            linear(part, out, STATE)

    def feed_forward(layer) -> None:
        norm(layer.layer_norm)
        linear(layer.linear_0, 4 * STATE, STATE)
        linear(layer.linear_1, STATE, 4 * STATE)

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = random(STATE, MELS, 3), random(STATE)
    encoder.conv2.weight, encoder.conv2.bias = random(STATE, STATE, 3), random(STATE)
    encoder.position_encodings.encodings = random(1500, STATE)
    decoder.position_encodings.encodings = random(TEXT_CONTEXT, STATE)
    decoder.embeddings.weight = random(vocabulary, STATE)
    decoder.projection.weight = decoder.embeddings.weight
    norm(encoder.layer_norm)
    norm(decoder.layer_norm)
    for layer in encoder.layer:
        attention(layer.self_attention, cross=False)
        feed_forward(layer.ffn)
    for layer in decoder.layer:
        attention(layer.self_attention, cross=False)
        attention(layer.attention, cross=True)
        feed_forward(layer.ffn)
