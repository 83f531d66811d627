"""Contract suites: what a backend promises beyond its types, as tests that it inherits.

    from howto.testing import BackboneContract

    class TestMeanColour(BackboneContract):
        plugin = "mean-colour"

pytest runs every test of the suite on the installed plugin of that name. A suite has attributes and
hook methods to override where a backend needs weights, a real video or other options; they stand at
the top of its class. howto's own backends run the same suites. Importing this module needs pytest,
and torch only where a network is tested. More: docs/plugins.md.
"""

try:
    import pytest  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "howto.testing needs pytest, which is not installed. Install it with: pip install pytest",
        name="pytest",
    ) from error

from howto.testing.aligners import AlignerContract
from howto.testing.backbones import BackboneContract
from howto.testing.benchmarks import BenchmarkContract
from howto.testing.clippers import ClipperContract
from howto.testing.contract import PluginContract
from howto.testing.losses import LossContract
from howto.testing.models import JointModelContract
from howto.testing.narration import NarrationSourceContract
from howto.testing.samplers import SamplerContract
from howto.testing.sources import SourceContract
from howto.testing.text_encoders import TextEncoderContract

__all__ = [
    "AlignerContract",
    "BackboneContract",
    "BenchmarkContract",
    "ClipperContract",
    "JointModelContract",
    "LossContract",
    "NarrationSourceContract",
    "PluginContract",
    "SamplerContract",
    "SourceContract",
    "TextEncoderContract",
]
