"""Published weights by name: where they are, what they must be, whose they are.

Sizes and hashes stand here only where the publisher states them; of the others the hash of the
first download is kept (see `howto.extract.weights`). Imports nothing heavy.
"""

from dataclasses import dataclass

__all__ = ["KNOWN_WEIGHTS", "KnownWeights", "known_for"]


@dataclass(frozen=True, slots=True)
class KnownWeights:
    """One published file.

    Attributes:
        name: what people ask for; `architecture.what-it-was-trained-on`.
        backbone: the backbone (or other backend) whose default it is; '' for none.
        file_name: what it is called in the folder of weights.
        address: where the file itself is; None where it cannot be fetched without a person.
        page: where it is described, for people.
        licence: as its publisher states it.
        citation: what to cite.
        sha256: all 64 hexadecimal digits, or the first of them where no more are published; ''
            where none are.
        size: bytes, or None where not published.
    """

    name: str
    backbone: str
    file_name: str
    address: str | None
    page: str
    licence: str
    citation: str
    sha256: str = ""
    size: int | None = None


_HARA = (
    "Hara, Kataoka, Satoh: Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and "
    "ImageNet? CVPR 2018 (arXiv:1711.09577)"
)
_HOWTO100M = (
    "Miech, Zhukov et al.: HowTo100M: Learning a Text-Video Embedding by Watching Hundred Million "
    "Narrated Video Clips. ICCV 2019 (arXiv:1906.03327)"
)
_MIL_NCE = (
    "Miech et al.: End-to-End Learning of Visual Representations from Uncurated Instructional "
    "Videos. CVPR 2020 (arXiv:1912.06430)"
)
_APACHE_OF_MIL_NCE = (
    "Apache-2.0 as the MIL-NCE code of the same authors; the page of the weights states none"
)
_INRIA = "https://www.rocq.inria.fr/cluster-willow/amiech/howto100m"

_ALL = (
    KnownWeights(
        name="resnet152.imagenet1k-v1",
        backbone="resnet152",
        file_name="resnet152-394f9c45.pth",
        address="https://download.pytorch.org/models/resnet152-394f9c45.pth",
        page="https://docs.pytorch.org/vision/stable/models/resnet.html",
        licence="BSD-3-Clause (torchvision); trained on ImageNet, whose terms are non-commercial",
        citation="He et al.: Deep Residual Learning for Image Recognition. CVPR 2016",
        sha256="394f9c45",
    ),
    KnownWeights(
        name="resnext101-3d.kinetics",
        backbone="resnext101-3d",
        file_name="resnext101.pth",
        address=f"{_INRIA}/models/resnext101.pth",
        page="https://github.com/kenshohara/3D-ResNets-PyTorch (resnext-101-kinetics.pth)",
        licence="MIT (3D-ResNets-PyTorch)",
        citation=_HARA,
    ),
    KnownWeights(
        name="s3d.howto100m",
        backbone="s3d",
        file_name="s3d_howto100m.pth",
        address=f"{_INRIA}/s3d_howto100m.pth",
        page="https://github.com/antoine77340/S3D_HowTo100M",
        licence=_APACHE_OF_MIL_NCE,
        citation=_MIL_NCE,
    ),
    KnownWeights(
        name="s3d.howto100m-words",
        backbone="",
        file_name="s3d_dict.npy",
        address=f"{_INRIA}/s3d_dict.npy",
        page="https://github.com/antoine77340/S3D_HowTo100M",
        licence=_APACHE_OF_MIL_NCE,
        citation=_MIL_NCE,
    ),
    KnownWeights(
        name="howto100m.joint",
        backbone="",
        file_name="howto100m_pt_model.pth",
        address=f"{_INRIA}/models/howto100m_pt_model.pth",
        page="https://github.com/antoine77340/howto100m",
        licence="Apache-2.0",
        citation=_HOWTO100M,
    ),
    KnownWeights(
        name="word2vec.googlenews",
        backbone="",
        file_name="GoogleNews-vectors-negative300.bin",
        address=None,
        page="https://code.google.com/archive/p/word2vec/",
        licence="Apache-2.0 (word2vec)",
        citation=(
            "Mikolov et al.: Distributed Representations of Words and Phrases and their "
            "Compositionality. NeurIPS 2013"
        ),
    ),
)

KNOWN_WEIGHTS = {known.name: known for known in _ALL}
"""Published weights by name."""


def known_for(backbone: str) -> KnownWeights | None:
    """The weights that a backbone takes when none are named."""
    return next((known for known in _ALL if known.backbone == backbone), None)
