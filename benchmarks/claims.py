"""The paper's claims, tried on generated libraries: features and words whose truth is known.

A generated library has tasks; a task has steps; a step is an action done to an object, and so is
what its captions say. A clip's features are the sum of the look of its video, its task, its action,
its object, and noise. Half of the captions name another step of their video, as the paper found of
real narration. *Fine* is telling the clips of one video apart, *coarse* is finding a clip among
those of all held-out videos.

In the control, actions and objects do not show: all clips of a video look alike. What is fine
must then stay at chance, and no sampler can help it.

    python benchmarks/claims.py [--quick]      rewrites docs/claims.md with its plots, unless quick
"""

import shutil
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measure import Figure, emit, parse

from howto.contracts import Sampler
from howto.recipe import Recipe
from howto.train.config import TrainOptions
from howto.train.curves import Curve, draw_curves
from howto.train.loop import Problem, train
from howto.train.losses import MaxMarginLoss
from howto.train.model import TextVideoModel
from howto.train.pack import Pack, Stream
from howto.train.samplers import InterVideoSampler, IntraVideoSampler
from howto.train.text_pooling import TextPooling

__all__ = ["World", "figures", "library"]

PAGE = Path(__file__).resolve().parent.parent / "docs"
COLUMNS, WORD_DIM, DIM = 64, 48, 64
TASKS, STEPS, ACTIONS, OBJECTS, CHATTER = 16, 10, 24, 48, 60
MAX_WORDS = 6
HELD_OUT = 40
SEEDS, SEEDS_QUICK = 5, 3
STEPS_TRAINED, STEPS_QUICK = 400, 150
T_OF = {3: 4.303, 5: 2.776}  # Student's t, 95 per cent, for so many seeds


@dataclass(frozen=True, slots=True)
class World:
    """What libraries are generated from.

    Attributes:
        visible: how much actions and objects show; 0 is the control.
        aligned: share of captions that name the step in view.
        look: how much videos differ.
        domain: another number has other tasks, of the same actions and objects.
    """

    visible: float = 1.0
    aligned: float = 0.5
    look: float = 1.0
    domain: int = 0


def library(world: World, videos: int, seed: int) -> Pack:
    """Generate the pairs of so many videos, each showing all steps of one task."""
    fixed = np.random.default_rng(7)  # what the world's things look like
    tasks = fixed.normal(size=(TASKS * 2, COLUMNS))
    actions, objects = (fixed.normal(size=(n, COLUMNS)) for n in (ACTIONS, OBJECTS))
    plans = np.random.default_rng([11, world.domain])
    steps = np.stack(
        [plans.integers(0, ACTIONS, (TASKS, STEPS)), plans.integers(0, OBJECTS, (TASKS, STEPS))], -1
    )
    rng = np.random.default_rng([seed, world.domain, 1])
    task = rng.integers(0, TASKS, videos)
    shown = np.stack([rng.permutation(STEPS) for _ in range(videos)])
    done, thing = steps[task[:, None], shown].transpose(2, 0, 1)
    clips = world.look * rng.normal(size=(videos, 1, COLUMNS))
    clips = clips + tasks[task + TASKS * world.domain][:, None]
    clips = clips + world.visible * (actions[done] + objects[thing])
    clips = clips + rng.normal(size=clips.shape)
    words = _captions(rng, world, task + TASKS * world.domain, done, thing)
    starts = np.tile(np.arange(STEPS) * 5.0, videos)
    return Pack(
        folder=Path("generated"),
        recipe=Recipe.of(videos=videos, seed=seed),
        streams=(Stream("generated", COLUMNS, "1"),),
        candidates=1,
        video_ids=tuple(f"{seed}-{number}" for number in range(videos)),
        clips=clips.reshape(-1, COLUMNS).astype(np.float16),
        spans=np.stack([starts, starts + 5], 1),
        offsets=np.arange(videos + 1) * STEPS,
        words=words.reshape(-1, 1, MAX_WORDS),
        texts=None,
        text_of=None,
        vocabulary=None,
        counts={},
    )


def _captions(
    rng: np.random.Generator,
    world: World,
    task: np.ndarray,
    done: np.ndarray,
    thing: np.ndarray,
) -> np.ndarray:
    """Two words of the step named, one of the task at times, and chatter."""
    videos, steps = done.shape
    places = np.tile(np.arange(steps), (videos, 1))
    strays = rng.random((videos, steps)) >= world.aligned
    named = np.where(strays, rng.integers(0, steps, (videos, steps)), places)
    rows = np.arange(videos)[:, None]
    first_object, first_task = 1 + ACTIONS, 1 + ACTIONS + OBJECTS
    first_chatter = first_task + 2 * TASKS
    words = np.zeros((videos, steps, MAX_WORDS), np.int32)
    words[..., 0] = 1 + done[rows, named]
    words[..., 1] = first_object + thing[rows, named]
    says_task = rng.random((videos, steps)) < 0.3
    words[..., 2] = np.where(says_task, first_task + task[:, None], 0)
    words[..., 3] = first_chatter + rng.integers(0, CHATTER, (videos, steps))
    return words


VOCABULARY = 1 + ACTIONS + OBJECTS + 2 * TASKS + CHATTER


def model_of(seed: int) -> TextVideoModel:
    """The paper's model, small, over frozen random word vectors."""
    table = torch.from_numpy(np.random.default_rng(3).normal(size=(VOCABULARY, WORD_DIM))).float()
    table[0] = 0
    torch.manual_seed(seed)
    return TextVideoModel({"generated": COLUMNS}, DIM, TextPooling(table, DIM), DIM)


@dataclass(frozen=True, slots=True)
class Score:
    """R@1 within videos, and R@10 among all held-out clips."""

    fine: float
    coarse: float


def trained(
    pack: Pack,
    test: Pack,
    seed: int,
    *,
    steps: int,
    sampler: Sampler | None = None,
    model: TextVideoModel | None = None,
    **options: float,
) -> tuple[Score, TextVideoModel]:
    """Train on one library, and test on another of the same world, whose captions are aligned."""
    model = model or model_of(seed)
    both = _together(pack, test)
    held = np.arange(both.num_videos) >= pack.num_videos
    problem = Problem(
        both, ~held, held, model, sampler or IntraVideoSampler(), MaxMarginLoss(form="code")
    )
    per_batch = min(16, pack.num_videos)
    epochs = max(1, steps // (pack.num_videos // per_batch))
    given = TrainOptions(
        videos_per_batch=per_batch,
        pairs_per_video=10,
        lr=1e-3,
        lr_decay=0.9 ** (15 / epochs),
        epochs=epochs,
        validate_every=0,
        seed=seed,
        checkpoint_every=1e9,
    )
    folder = Path(tempfile.mkdtemp())
    try:
        done = train(problem, replace(given, **options), folder)
    finally:
        shutil.rmtree(folder)
    found = done.evaluation
    return Score(found.fine.recalls[1].value, found.coarse.recalls[10].value), model


def _together(one: Pack, other: Pack) -> Pack:
    return replace(
        one,
        video_ids=one.video_ids + other.video_ids,
        clips=np.concatenate([one.clips, other.clips]),
        spans=np.concatenate([one.spans, other.spans]),
        offsets=np.concatenate([one.offsets, one.offsets[-1] + other.offsets[1:]]),
        words=np.concatenate([one.words, other.words]),
    )


def test_of(world: World, seed: int) -> Pack:
    """Held-out videos, whose captions name what is seen, as people's in evaluation sets do."""
    return library(replace(world, aligned=1.0), HELD_OUT, 1000 + seed)


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference over seeds, paired, with a 95 per cent interval."""

    mean: float
    half: float

    @property
    def text(self) -> str:
        """In points of a hundred."""
        low, high = 100 * (self.mean - self.half), 100 * (self.mean + self.half)
        return f"{100 * self.mean:+.1f} ({low:+.1f} to {high:+.1f})"


def gap(ours: Sequence[float], theirs: Sequence[float]) -> Gap:
    """How much higher the first lie, over as many seeds."""
    difference = np.subtract(ours, theirs)
    spread = float(difference.std(ddof=1)) / len(difference) ** 0.5
    return Gap(float(difference.mean()), T_OF[len(difference)] * spread)


@dataclass(frozen=True, slots=True)
class Claim:
    """What came out of one experiment: a section of the page.

    Attributes:
        curve: what the rows differ in, and its values; None: nothing is drawn.
        by_ratio: draw it by its logarithm.
    """

    title: str
    text: str
    rows: list[tuple[str, list[Score]]]
    curve: tuple[str, Sequence[float]] | None = None
    by_ratio: bool = False

    def table(self) -> str:
        """As Markdown, means and spreads over seeds in per cent."""
        lines = ["| | fine R@1 | coarse R@10 |", "|---|---|---|"]
        for name, scores in self.rows:
            parts = [
                f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"
                for values in (_fine(scores), _coarse(scores))
            ]
            lines.append(f"| {name} | {parts[0]} | {parts[1]} |")
        return "\n".join(lines)


def _fine(scores: Sequence[Score]) -> list[float]:
    return [one.fine for one in scores]


def _coarse(scores: Sequence[Score]) -> list[float]:
    return [one.coarse for one in scores]


def over(seeds: int, run: Callable[[int], Score]) -> list[Score]:
    """The same experiment with other weights, draws and libraries."""
    return [run(seed) for seed in range(1, seeds + 1)]


def negatives(world: World, name: str, seeds: int, steps: int) -> tuple[Claim, Gap, Gap]:
    """Intra-video negatives against none."""

    def run(sampler: Sampler) -> list[Score]:
        return over(
            seeds,
            lambda seed: trained(
                library(world, 160, seed), test_of(world, seed), seed, steps=steps, sampler=sampler
            )[0],
        )

    ours, none = run(IntraVideoSampler()), run(InterVideoSampler())
    fine, coarse = gap(_fine(ours), _fine(none)), gap(_coarse(ours), _coarse(none))
    text = (
        f"Intra-video negatives less none: fine {fine.text}, coarse {coarse.text} points. Half of "
        "the negatives' mass is taken from other videos, which is what coarse retrieval is about."
    )
    rows = [("intra-video negatives, p = 0.5", ours), ("none", none)]
    return Claim(f"Intra-video negatives{name}", text, rows), fine, coarse


def more_videos(seeds: int, steps: int) -> tuple[Claim, Gap]:
    """The same steps of training on more and more videos."""
    counts = (20, 40, 80, 160, 320)
    rows = [
        (
            f"{count} videos",
            over(
                seeds,
                lambda seed, n=count: trained(
                    library(World(), n, seed), test_of(World(), seed), seed, steps=steps
                )[0],
            ),
        )
        for count in counts
    ]
    found = gap(_coarse(rows[-1][1]), _coarse(rows[0][1]))
    text = f"{counts[-1]} videos less {counts[0]}: coarse {found.text} points."
    return Claim("More videos", text, rows, ("number of videos", counts), by_ratio=True), found


def fine_tuning(seeds: int, steps: int) -> tuple[Claim, Gap, Gap]:
    """Much narration of one domain, and few clean captions of another, for as many steps each."""
    far, near = World(), World(aligned=1.0, domain=1)

    def run(seed: int) -> tuple[Score, Score, Score, Score]:
        test, target = test_of(near, seed), library(near, 16, seed)
        before, model = trained(library(far, 320, seed), test, seed, steps=steps)
        state = {name: value.clone() for name, value in model.state_dict().items()}
        after, _ = trained(target, test, seed, steps=steps, model=model)
        model = model_of(seed)
        model.load_state_dict(state)
        fifth, _ = trained(library(near, 4, seed), test, seed, steps=steps, model=model)
        alone, _ = trained(target, test, seed, steps=steps)
        return before, after, fifth, alone

    found = [run(seed) for seed in range(1, seeds + 1)]
    before, after, fifth, alone = (list(column) for column in zip(*found, strict=True))
    of_before = gap(_coarse(after), _coarse(before))
    of_alone = gap(_coarse(after), _coarse(alone))
    text = (
        f"Pre-trained and fine-tuned, less pre-trained alone: coarse {of_before.text} points; less "
        f"the target set alone: {of_alone.text}. Fine-tuning has as many steps, at the same rate, "
        "as the others have in all, so that both together have twice as many; with a quarter of "
        "them at a third of the rate, tried first on 3 seeds, it was no better than the target set "
        "alone (-2.8, -7.2 to +1.6). That a fifth of the target set is enough is not shown."
    )
    rows = [
        ("narration of the other domain alone", before),
        ("16 target videos alone", alone),
        ("both, one after the other", after),
        ("the same with 4 target videos", fifth),
    ]
    return Claim("Pre-train, then fine-tune", text, rows), of_before, of_alone


def positives(seeds: int, steps: int) -> tuple[Claim, Gap]:
    """Only the best-scoring share r of right pairs trains."""
    shares = (0.2, 0.5, 0.9, 1.0)
    rows = [
        (
            f"r = {share}",
            over(
                seeds,
                lambda seed, r=share: trained(
                    library(World(), 160, seed),
                    test_of(World(), seed),
                    seed,
                    steps=steps,
                    keep_positives=r,
                )[0],
            ),
        )
        for share in shares
    ]
    found = gap(_coarse(rows[-1][1]), _coarse(rows[0][1]))
    half = gap(_coarse(rows[1][1]), _coarse(rows[-1][1]))
    text = (
        f"r = 1 less r = 0.2: coarse {found.text} points; r = 0.5 less r = 1: {half.text}. In the "
        "paper r = 1 is best. Here half of the captions, drawn one by one, name another step, and "
        "nothing else is wrong with them; so the half that scores low is nearly that half, and "
        "r = 0.5 leaves it out. Real narration is not wrong in so simple a way."
    )
    return Claim("Positive selection", text, rows, ("r", shares)), found


def figures(quick: bool) -> tuple[list[Figure], list[Claim]]:
    """Try every claim. A figure is the low end of a gap's interval, in points of a hundred."""
    seeds, steps = (SEEDS_QUICK, STEPS_QUICK) if quick else (SEEDS, STEPS_TRAINED)
    intra, fine, _ = negatives(World(), "", seeds, steps)
    blind = World(visible=0.0)
    control, none, _ = negatives(blind, ": control, in which steps do not show", seeds, steps)
    videos, of_videos = more_videos(seeds, steps)
    tuned, of_before, of_alone = fine_tuning(seeds, steps)
    selected, of_selected = positives(seeds, steps)

    def low(name: str, found: Gap) -> Figure:
        return Figure.at_least(f"claims.{name}", 100 * (found.mean - found.half), 0, "points")

    made = [
        low("intra_video_fine", fine),
        Figure.at_most("claims.control_fine", 100 * (abs(none.mean) - none.half), 0, "points"),
        low("more_videos", of_videos),
        low("fine_tuned_over_pre_trained", of_before),
        low("fine_tuned_over_target_alone", of_alone),
        low("all_positives", of_selected),
    ]
    return made, [intra, control, videos, tuned, selected]


def write_page(claims: Sequence[Claim], made: Sequence[Figure]) -> None:
    """Rewrite docs/claims.md and its plots."""
    parts = [_HEADER.format(seeds=SEEDS, steps=STEPS_TRAINED)]
    for number, claim in enumerate(claims):
        parts += [f"## {claim.title}", "", claim.text, "", claim.table(), ""]
        if claim.curve is not None:
            name = f"claims-{number}.png"
            x = list(claim.curve[1])
            panels = {}
            for sort, values in (("fine R@1", _fine), ("coarse R@10", _coarse)):
                means = [np.mean(values(scores)) for _, scores in claim.rows]
                ends = [np.std(values(scores), ddof=1) for _, scores in claim.rows]
                low, high = np.subtract(means, ends), np.add(means, ends)
                title = f"{sort} by {claim.curve[0]}"
                band = (list(low), list(high))
                panels[title] = [Curve(sort, x, means, *band, is_share=True)]
            draw_curves(panels, PAGE / name, by_ratio=claim.by_ratio)
            parts += [f"![{claim.title}]({name})", ""]
    missed = ", ".join(f"`{one.benchmark}`" for one in made if not one.holds) or "none"
    parts += ["## Goals", "", f"Figures whose goal is missed: {missed}.", ""]
    lines = [
        textwrap.fill(one, 120) if len(one) > 120 else one for one in "\n".join(parts).split("\n")
    ]
    (PAGE / "claims.md").write_text("\n".join(lines))


_HEADER = """# The paper's claims, on generated libraries

`python benchmarks/claims.py` generates libraries of features and words whose truth is known,
trains the paper's model small, and tests it on held-out videos of the same world whose captions
name what is seen: {seeds} seeds, each with its own library, weights and draws; {steps} steps of
training. Numbers are per cent, mean and standard deviation over seeds; gaps are paired by seed,
with a 95 per cent interval (Student's t). This page and its plots are written by the program. A
generated library is no YouTube: it shows that the code does what the method says, not how large
an effect is on real videos. Chance is 10 per cent fine (10 clips a video) and 2.5 coarse.
"""


def main() -> None:
    torch.set_num_threads(1)  # matrices this small are quicker so
    quick = parse(__doc__).quick
    made, claims = figures(quick)
    for claim in claims:
        print(f"{claim.title}\n{claim.text}\n{claim.table()}\n")
    if not quick:
        write_page(claims, made)
    emit(made)


if __name__ == "__main__":
    main()
