"""Published results, to be printed beside ours with their year and what they were trained on.

Numbers are per cent, as they were printed. They come from Miech, Zhukov et al., *HowTo100M*, ICCV
2019 (arXiv:1906.03327), which names the methods it compares with, and from the repository of
MIL-NCE (Miech et al., CVPR 2020, arXiv:1912.06430). Later methods are better; nobody should take
2019 for today.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["RETRIEVAL", "STEPS", "PublishedRetrieval", "PublishedSteps"]


@dataclass(frozen=True, slots=True)
class PublishedRetrieval:
    """One row of a table: text to video.

    Attributes:
        method: by whom, or chance.
        year: of its publication; None for chance.
        trained_on: data sets, or 'nothing'.
        recalls: R@1, R@5 and R@10 in per cent.
        median_rank: 1 is best.
    """

    method: str
    year: int | None
    trained_on: str
    recalls: tuple[float, float, float]
    median_rank: float

    @property
    def name(self) -> str:
        """Such as 'Miech et al. 2019'."""
        return f"{self.method} {self.year}" if self.year else self.method


@dataclass(frozen=True, slots=True)
class PublishedSteps:
    """One row of the table of CrossTask.

    Attributes:
        recall: the mean over the 18 primary tasks, per cent.
    """

    method: str
    year: int
    trained_on: str
    recall: float

    @property
    def name(self) -> str:
        """Such as 'Miech et al. 2019'."""
        return f"{self.method} {self.year}"


_MIECH, _MIL_NCE = "Miech et al.", "MIL-NCE"
_HOWTO = "HowTo100M"


def _chance(recalls: tuple[float, float, float], median_rank: float) -> PublishedRetrieval:
    return PublishedRetrieval("chance", None, "nothing", recalls, median_rank)


def _of_2019(
    trained_on: str, recalls: tuple[float, float, float], median_rank: float
) -> PublishedRetrieval:
    return PublishedRetrieval(_MIECH, 2019, trained_on, recalls, median_rank)


def _of_mil_nce(recalls: tuple[float, float, float], median_rank: float) -> PublishedRetrieval:
    return PublishedRetrieval(_MIL_NCE, 2020, _HOWTO, recalls, median_rank)


RETRIEVAL: dict[tuple[str, str], Sequence[PublishedRetrieval]] = {
    ("youcook2", "validation"): (
        _chance((0.03, 0.15, 0.3), 1675),
        PublishedRetrieval("HGLMM FV CCA", 2015, "YouCook2", (4.6, 14.3, 21.6), 75),
        _of_2019("YouCook2", (4.2, 13.7, 21.5), 65),
        _of_2019(_HOWTO, (6.1, 17.3, 24.8), 46),
        _of_2019(f"{_HOWTO} then YouCook2", (8.2, 24.5, 35.3), 24),
        _of_mil_nce((15.1, 38.0, 51.2), 10),
    ),
    ("msrvtt", "1k-A"): (
        _chance((0.1, 0.5, 1.0), 500),
        PublishedRetrieval("JSFusion", 2018, "MSR-VTT", (10.2, 31.2, 43.2), 13),
        _of_2019(_HOWTO, (7.5, 21.2, 29.6), 38),
        _of_2019("MSR-VTT", (12.1, 35.0, 48.0), 12),
        _of_2019(f"{_HOWTO} then MSR-VTT", (14.9, 40.2, 52.8), 9),
        _of_mil_nce((9.9, 24.0, 32.4), 29.5),
    ),
    ("lsmdc", "test"): (
        _chance((0.1, 0.5, 1.0), 500),
        PublishedRetrieval("JSFusion", 2018, "LSMDC", (9.1, 21.2, 34.1), 36),
        _of_2019(_HOWTO, (4.0, 9.8, 14.0), 137),
        _of_2019("LSMDC", (7.2, 18.3, 25.0), 44),
        _of_2019(f"{_HOWTO} then LSMDC", (7.1, 19.6, 27.9), 40),
    ),
}
"""Rows by benchmark and split, LSMDC's being that of 2016; nothing is known of other splits."""

STEPS: dict[tuple[str, str], Sequence[PublishedSteps]] = {
    ("crosstask", "test"): (
        PublishedSteps("Alayrac et al.", 2016, "CrossTask narration", 13.3),
        PublishedSteps("Zhukov et al.", 2019, "CrossTask step lists", 22.4),
        PublishedSteps("Zhukov et al.", 2019, "CrossTask, fully supervised", 31.6),
        PublishedSteps(_MIECH, 2019, _HOWTO, 33.6),
    ),
}
"""Rows by benchmark and split."""
