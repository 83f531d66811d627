"""What howto asks of these backends, and what they promise beyond it."""

import torch

from howto import plugins
from howto.testing import BackboneContract, SamplerContract


class TestMeanColour(BackboneContract):
    plugin = "template-mean-colour"


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
