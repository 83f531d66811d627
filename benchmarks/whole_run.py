"""A simulation of the paper's whole run: 1.22M videos collected, then extracted on machines that
come and go.

Nothing is measured here but the policies: who waits for whom, what is done twice, how long the
last item keeps everybody. The policy of extracting is that of `howto.run.ray_actors` (one item an
actor, items of lost machines go to whoever is free, late ones to a second actor at the end); that
of collecting is `howto.collect` (one site, a pause when it says so). What is assumed is in `Site`
and `Cluster`, and printed.

whole_run.collect_days            days until every video was asked for, at the site's own limit
whole_run.extract_days            days of extracting on the cluster
whole_run.extract_over_ideal      those over the days of as many machines that are never lost, never
                                  slow, with no item longer than another
whole_run.done_twice              share of the work that was lost or doubled
"""

import heapq
import itertools
import math
import random
import statistics
from dataclasses import dataclass, fields

from measure import Figure, emit, parse

VIDEOS, VIDEOS_QUICK = 1_221_000, 20_000
SEED = 0
HOUR, DAY = 3600.0, 86_400.0

TRIES_AGAIN = 3
LATE, LEAST_LATE = 3.0, 5.0
"""As `howto.run.ray_actors` has them."""


@dataclass(frozen=True)
class Site:
    """Where videos come from.

    Attributes:
        videos_per_hour: that it lets a guest have.
        bot_checks_per_day: how often it stops answering, and `parked_hours` until it answers again.
        outage_hours: of the network here, once a month.
    """

    videos_per_hour: float = 300.0
    bot_checks_per_day: float = 0.5
    parked_hours: float = 1.0
    outage_hours: float = 6.0


@dataclass(frozen=True)
class Cluster:
    """Machines that extract.

    Attributes:
        machines, actors: of each machine.
        speed: seconds of video that an actor does in a second, both backbones together.
        mean_hours_to_loss: of a machine that the cloud takes back, exponentially distributed.
        minutes_to_return: until another stands in its place.
        seconds_to_load: weights of an actor that starts.
        slow_share, slow_factor: actors on a machine that something else uses, too.
        failing_share: videos that cannot be decoded.
        commit_seconds: of the one process that writes library.db (measured: bookkeeping).
    """

    machines: int = 16
    actors: int = 8
    speed: float = 40.0
    mean_hours_to_loss: float = 8.0
    minutes_to_return: float = 10.0
    seconds_to_load: float = 20.0
    slow_share: float = 0.05
    slow_factor: float = 3.0
    failing_share: float = 0.01
    commit_seconds: float = 0.001


def main() -> None:
    videos = VIDEOS_QUICK if parse(__doc__ or "").quick else VIDEOS
    site, cluster = Site(), Cluster()
    for assumed in (site, cluster):
        told = ", ".join(f"{one.name} {getattr(assumed, one.name):g}" for one in fields(assumed))
        print(f"{type(assumed).__name__}: {told}")
    lengths = video_lengths(videos)
    print(f"{videos:,} videos of {statistics.fmean(lengths) / 60:.1f} min on average")
    days = collect_days(videos, site)
    ended = extract(lengths, cluster)
    ideal = sum(lengths) / (cluster.machines * cluster.actors * cluster.speed)
    print(
        f"extracted in {ended.seconds / DAY:.2f} days, {ended.losses} machines lost; "
        f"{ended.lost} items lost with them, {ended.second} given to a second actor, "
        f"{ended.gave_up} given up"
    )
    busy = ended.most_commits * cluster.commit_seconds / 60
    print(f"busiest minute: {ended.most_commits} videos committed, {busy:.1%} of one driver's time")
    size = f"{videos // 1000}k"
    emit(
        [
            Figure.reported(f"whole_run.collect_days.{size}", days, "days"),
            Figure.reported(f"whole_run.extract_days.{size}", ended.seconds / DAY, "days"),
            Figure.at_most(f"whole_run.extract_over_ideal.{size}", ended.seconds / ideal, 1.3),
            Figure.at_most(
                f"whole_run.done_twice.{size}", ended.wasted / (sum(lengths) / cluster.speed), 0.02
            ),
        ]
    )


def video_lengths(videos: int) -> list[float]:
    """Seconds of each video: log-normal, 6.5 min on average, at most 2,000 s, as HowTo100M's."""
    draw = random.Random(SEED)
    spread = 0.75
    middle = math.log(400.0) - spread**2 / 2
    return [min(2000.0, max(20.0, draw.lognormvariate(middle, spread))) for _ in range(videos)]


def collect_days(videos: int, site: Site) -> float:
    """Days until every video was asked for, one host at a time."""
    draw = random.Random(SEED)
    seconds = 0.0
    check = draw.expovariate(site.bot_checks_per_day / DAY)
    month = 30 * DAY
    for _ in range(videos):
        seconds += HOUR / site.videos_per_hour
        if seconds > check:
            seconds += site.parked_hours * HOUR
            check = seconds + draw.expovariate(site.bot_checks_per_day / DAY)
        if seconds > month:
            seconds += site.outage_hours * HOUR
            month += 30 * DAY
    return seconds / DAY


@dataclass(frozen=True)
class Ended:
    """How extracting went.

    Attributes:
        wasted: seconds of actors whose work was lost, or done by another too.
        lost, second: items.
        losses: of machines.
        most_commits: videos in the busiest minute.
    """

    seconds: float
    wasted: float
    lost: int
    second: int
    gave_up: int
    losses: int
    most_commits: int


class Simulation:
    """A clock, and what happens at which time: an item's end, a machine's loss or return."""

    def __init__(self, lengths: list[float], cluster: Cluster) -> None:
        self.lengths, self.cluster = lengths, cluster
        self.draw = random.Random(SEED + 1)
        self.events: list[tuple[float, int, str, int]] = []
        self.order = itertools.count()
        self.now = 0.0
        self.next_item = 0
        self.again: list[int] = []
        self.tries: dict[int, int] = {}
        self.ended = bytearray(len(lengths))
        self.left = len(lengths)
        # Of each actor: its item and when that began; of each item: how many have it.
        self.has: list[tuple[int, float] | None] = [None] * (cluster.machines * cluster.actors)
        self.holders: dict[int, int] = {}
        self.generation = [0] * len(self.has)
        self.free: set[int] = set()
        self.times: list[float] = []
        self.wasted = 0.0
        self.lost = self.second = self.gave_up = self.losses = 0
        self.commits: dict[int, int] = {}
        self.slow = [self.draw.random() < cluster.slow_share for _ in self.has]

    def at(self, time: float, what: str, which: int) -> None:
        heapq.heappush(self.events, (time, next(self.order), what, which))

    def run(self) -> Ended:
        for machine in range(self.cluster.machines):
            self.start(machine)
        while self.left:
            self.now, _, what, which = heapq.heappop(self.events)
            if what == "ready":
                self.give(which)
            elif what == "lost":
                self.lose(which)
            elif what == "back":
                self.start(which)
            else:
                self.finish(*divmod(which, 1 << 32))
        most = max(self.commits.values())
        counts = (self.lost, self.second, self.gave_up, self.losses, most)
        return Ended(self.now, self.wasted, *counts)

    def start(self, machine: int) -> None:
        for actor in self.actors_of(machine):
            self.at(self.now + self.cluster.seconds_to_load, "ready", actor)
        hours = self.draw.expovariate(1 / self.cluster.mean_hours_to_loss)
        self.at(self.now + hours * HOUR, "lost", machine)

    def actors_of(self, machine: int) -> range:
        return range(machine * self.cluster.actors, (machine + 1) * self.cluster.actors)

    def give(self, actor: int) -> None:
        """Hand the next item to an actor: a lost one, a new one, or one that is late."""
        item = self.next()
        if item is None:
            self.free.add(actor)
            return
        self.has[actor] = (item, self.now)
        self.holders[item] = self.holders.get(item, 0) + 1
        slower = self.cluster.slow_factor if self.slow[actor] else 1.0
        seconds = self.lengths[item] / self.cluster.speed * slower
        if self.draw.random() < self.cluster.failing_share:
            seconds *= self.draw.random()
        self.at(self.now + seconds, "done", actor * (1 << 32) + self.generation[actor])

    def next(self) -> int | None:
        while self.again:
            item = self.again.pop(0)
            if not self.ended[item]:
                return item
        if self.next_item < len(self.lengths):
            self.next_item += 1
            return self.next_item - 1
        return self.late()

    def late(self) -> int | None:
        limit = max(LEAST_LATE, LATE * statistics.median(self.times or [0.0]))
        waiting = [
            (begun, item)
            for item, begun in filter(None, self.has)
            if self.holders[item] == 1 and not self.ended[item] and self.now - begun > limit
        ]
        if not waiting:
            return None
        self.second += 1
        return min(waiting)[1]

    def finish(self, actor: int, generation: int) -> None:
        one = self.has[actor]
        if generation != self.generation[actor] or one is None:
            return  # its machine was lost meanwhile
        item, begun = one
        self.generation[actor] += 1
        self.has[actor] = None
        self.holders[item] -= 1
        self.times = [*self.times[-200:], self.now - begun]
        if self.ended[item]:
            self.wasted += self.now - begun
        else:
            self.ended[item] = 1
            self.left -= 1
            minute = int(self.now // 60)
            self.commits[minute] = self.commits.get(minute, 0) + 1
        self.give(actor)
        for other in list(self.free):  # they look again every second; here at every end
            self.free.discard(other)
            self.give(other)

    def lose(self, machine: int) -> None:
        self.losses += 1
        for actor in self.actors_of(machine):
            self.generation[actor] += 1
            self.free.discard(actor)
            one, self.has[actor] = self.has[actor], None
            if one is not None:
                self.put_back(*one)
        self.at(self.now + self.cluster.minutes_to_return * 60, "back", machine)

    def put_back(self, item: int, begun: float) -> None:
        self.wasted += self.now - begun
        self.holders[item] -= 1
        if self.ended[item] or self.holders[item]:
            return
        self.lost += 1
        self.tries[item] = self.tries.get(item, 0) + 1
        if self.tries[item] > TRIES_AGAIN:
            self.gave_up += 1
            self.ended[item] = 1
            self.left -= 1
        else:
            self.again.append(item)


def extract(lengths: list[float], cluster: Cluster) -> Ended:
    """Simulate it; every item ends exactly once."""
    simulation = Simulation(lengths, cluster)
    ended = simulation.run()
    if not all(simulation.ended):
        raise SystemExit("an item has no outcome")
    return ended


if __name__ == "__main__":
    main()
