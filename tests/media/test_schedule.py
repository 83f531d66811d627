"""The rule by which frames are chosen, against plain statements of it."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from howto.media.schedule import Schedule, num_outputs, output_index, output_size, scaled_size
from howto.records import FrameSpec

rates = st.sampled_from(
    [Fraction(1), Fraction(24), Fraction(5), Fraction(3, 2), Fraction(30000, 1001), Fraction(1, 7)]
)
time_bases = st.sampled_from(
    [Fraction(1, n) for n in (25, 30, 600, 1000, 12800, 90000)] + [Fraction(1001, 30000)]
)
sizes = st.integers(1, 10_000)
# A busy machine makes any one example slow: no deadline, and fewer of them.
quick = settings(max_examples=50, deadline=None)


@quick
@given(st.fractions(-10, 10_000), rates)
def test_a_time_strictly_below_half_past_k_may_fill_output_k(
    time: Fraction, rate: Fraction
) -> None:
    k = output_index(time, rate)

    assert time < (k + Fraction(1, 2)) / rate
    assert not time < (k - Fraction(1, 2)) / rate


@quick
@given(st.fractions(0, 10_000), rates)
def test_the_number_of_outputs_is_duration_times_rate_with_halves_rounded_up(
    duration: Fraction, rate: Fraction
) -> None:
    n = num_outputs(duration, rate)

    assert abs(n - duration * rate) <= Fraction(1, 2)
    if (duration * rate).denominator == 2:
        assert n == duration * rate + Fraction(1, 2)


def test_under_half_an_output_there_is_none() -> None:
    assert num_outputs(Fraction(499, 1000), Fraction(1)) == 0
    assert num_outputs(Fraction(1, 2), Fraction(1)) == 1
    assert num_outputs(Fraction(-3), Fraction(1)) == 0


def test_30_frames_a_second_at_1_take_frames_14_and_44() -> None:
    schedule = Schedule(Fraction(1), Fraction(1, 30))
    chosen = [i for i in range(60) for _ in schedule.fill(i + 1)]

    assert chosen == [14, 44]


@quick
@given(
    st.lists(st.integers(-50, 300), min_size=1, max_size=20, unique=True).map(sorted),
    st.integers(1, 100),
    rates,
    time_bases,
)
def test_the_schedule_picks_the_last_frame_below_each_boundary(
    ticks: list[int], last_duration: int, rate: Fraction, time_base: Fraction
) -> None:
    schedule = Schedule(rate, time_base)
    end = ticks[-1] + last_duration

    got = [
        (k, tick)
        for tick, until in zip(ticks, [*ticks[1:], end], strict=True)
        for k in schedule.fill(until)
    ]

    wanted = []
    for k in range(num_outputs(end * time_base, rate)):
        below = [t for t in ticks if t * time_base < (k + Fraction(1, 2)) / rate]
        wanted.append((k, below[-1] if below else ticks[0]))
    assert got == wanted
    assert schedule.filled == len(wanted)


@quick
@given(st.lists(st.integers(0, 500), min_size=1, max_size=20), rates, time_bases)
def test_outputs_come_once_each_even_if_times_go_back(
    ticks: list[int], rate: Fraction, time_base: Fraction
) -> None:
    schedule = Schedule(rate, time_base)

    got = [k for tick in ticks for k in schedule.fill(tick)]

    assert got == list(range(max(0, schedule.index(max(ticks)))))


@quick
@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=20, unique=True).map(sorted),
    rates,
    time_bases,
)
def test_a_frame_that_is_not_wanted_fills_nothing(
    ticks: list[int], rate: Fraction, time_base: Fraction
) -> None:
    schedule = Schedule(rate, time_base)
    schedule.fill(ticks[0])
    for tick, until in pairwise(ticks):
        wanted = schedule.wants(tick, until)
        assert wanted == bool(schedule.fill(until))


@quick
@given(sizes, sizes, st.integers(1, 512))
def test_the_short_side_is_as_asked_and_the_aspect_is_kept(
    width: int, height: int, short_side: int
) -> None:
    w, h = scaled_size(width, height, short_side)

    assert min(w, h) == short_side
    assert max(w, h) == int(max(width, height) * short_side / min(width, height))
    assert w >= h if width > height else w <= h


def test_the_product_comes_first() -> None:
    assert scaled_size(115, 112, 224) == (230, 224)
    assert int(224 * (115 / 112)) == 229  # what the ratio first would give
    assert scaled_size(1280, 720, 224) == (398, 224)
    assert scaled_size(720, 1280, 112) == (112, 199)
    assert scaled_size(7, 7, 112) == (112, 112)


def test_a_crop_is_the_size() -> None:
    assert output_size(1280, 720, FrameSpec(Fraction(24), 112, 112)) == (112, 112)
    assert output_size(1280, 720, FrameSpec(Fraction(1), 224)) == (398, 224)
