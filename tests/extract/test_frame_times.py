"""Times in feature files of real videos, against tables that other programs wrote of them."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from howto.extract.features import read
from howto.extract.stage import Extractor, Job

from .conftest import PlainBackbone, wanted_of
from .test_exchange import reference_array


def times_of(path: Path, rates: list[Fraction], state: Path, per: int = 1) -> list[np.ndarray]:
    """The times that a feature file of the video has, for a backbone of each rate."""
    backbones = [PlainBackbone(f"at-{k}", str(rate), per=per) for k, rate in enumerate(rates)]
    with Extractor([wanted_of(one) for one in backbones], state, workers=1) as extractor:
        made = extractor.extract(Job(0, "video", path, 0.0, tuple(range(len(rates)))))
    assert {end.reason for end in made.ends.values()} == {None}
    folders = sorted(state.iterdir())
    return [np.array(read(next(one.glob("*/*.safetensors"))).times) for one in folders]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("nasa_13013.mp4", "nasa_13013.mp4.stream3.all_frames_info.json"),
        ("var_fps_video.mp4", "var_fps_video.mp4.stream0.all_frames_info.json"),
    ],
)
def test_each_feature_is_of_the_last_frame_before_half_its_time(
    shared_data: Path, tmp_path: Path, name: str, table: str
) -> None:
    """torchcodec lists all frames: at rate r, feature k is of the last before (k + 1/2)/r."""
    frames = json.loads((shared_data / "reference" / table).read_text())
    shown = np.array([float(one["pts_time"]) for one in frames])
    end = shown[-1] + float(frames[-1]["duration_time"])
    rates = [Fraction(1), Fraction(24), Fraction(7, 2)]
    found = times_of(shared_data / "videos" / name, rates, tmp_path)
    for rate, times in zip(rates, found, strict=True):
        count = int(end * rate + Fraction(1, 2))
        expected = [shown[shown < (k + 0.5) / float(rate)].max() for k in range(count)]
        np.testing.assert_allclose(times, expected, atol=1e-5)


def test_a_feature_of_several_frames_has_the_time_of_its_first(
    shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "videos" / "nasa_13013.mp4"
    (single,) = times_of(path, [Fraction(24)], tmp_path / "single")
    (chunks,) = times_of(path, [Fraction(24)], tmp_path / "chunks", per=16)
    np.testing.assert_array_equal(chunks, single[::16])


@pytest.mark.parametrize("name", ["resnet101_1_1", "ViT-B_32_1_5"])
def test_as_many_features_as_another_extractor_at_its_times(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    """Its times are k / rate, of pictures re-sampled by ffmpeg; ours are those of the sources."""
    reference = shared_data / "reference" / f"v_GGSY1Qvo990_{name}"
    rate = float(reference_array(Path(f"{reference}_fps.pt")))
    nominal = reference_array(Path(f"{reference}_timestamps_ms.pt")) / 1000
    path = shared_data / "videos" / "v_GGSY1Qvo990.mp4"
    (times,) = times_of(path, [Fraction(rate)], tmp_path)
    assert len(times) == len(nominal)
    frame = 1 / 19.62
    assert (times < nominal + 0.5 / rate).all()
    assert (times > nominal + 0.5 / rate - 1.01 * frame).all()
