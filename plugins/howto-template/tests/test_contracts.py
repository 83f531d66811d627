"""What howto asks of these backends, and what they promise beyond it."""

import torch

from howto import plugins
from howto.testing import BackboneContract, SamplerContract, TextEncoderContract


class TestMeanColour(BackboneContract):
    plugin = "template-mean-colour"


class TestHashedWords(TextEncoderContract):
    plugin = "template-hashed-words"


class TestIntraOnly(SamplerContract):
    plugin = "template-intra-only"


def test_the_colour_of_each_half():
    """A picture that is red above and blue below has red in rows 0 and 1, blue in 2 and 3."""
    picture = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    picture[:, :32, :, 0] = 255
    picture[:, 32:, :, 2] = 255
    backbone = plugins.create("backbones", "template-mean-colour")
    backbone.load("cpu", torch.float32)
    red, green, blue = backbone.encode(picture).reshape(3, 4, 4)
    assert red.tolist() == [[1.0] * 4] * 2 + [[0.0] * 4] * 2
    assert green.tolist() == [[0.0] * 4] * 4
    assert blue.tolist() == [[0.0] * 4] * 2 + [[1.0] * 4] * 2


def test_a_caption_is_the_mean_of_its_words():
    """Words count in any order and case, twice where they stand twice; padding does not count."""
    encoder = plugins.create("text_encoders", "template-hashed-words")
    encoder.load("cpu", torch.float32)
    captions = ["Fold", "shirt", "fold the shirt", "SHIRT: the fold!", "fold fold shirt", ""]
    fold, shirt, three, again, twice, nothing = encoder.module()(encoder.tokenise(captions))
    the = encoder.module()(encoder.tokenise(["the"]))[0]
    torch.testing.assert_close(three, (fold + the + shirt) / 3)
    torch.testing.assert_close(again, three)
    torch.testing.assert_close(twice, (2 * fold + shirt) / 3)
    assert not nothing.any()
