"""Measuring: contenders run in turns, so that what disturbs the machine disturbs all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of doing the work.

    Attributes:
        name: What the table calls it.
        run: Does the work once and returns its figure, in the unit of the table: `rate` makes one from a function.
    """

    name: str
    run: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, and the quartiles on both sides of it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Take the quartiles of at least two figures."""
        return cls(*statistics.quantiles(figures, n=4, method="inclusive"))


@dataclass(frozen=True, slots=True)
class Result:
    """What one contender gave, round by round."""

    name: str
    figures: tuple[float, ...]


def rate(
    work: Callable[[], object], count: int, *, clock: Callable[[], float] = time.perf_counter
) -> Callable[[], float]:
    """Make a run that gives units per second of a function that does `count` units of work.

    Freeing what the function returns is not measured: another stage would hold it. Rubbish of earlier runs is collected
    before, that of the run itself counts. `time.process_time` as the clock suits work that only computes: a busy
    neighbour costs it nothing.
    """

    def run() -> float:
        gc.collect()
        start = clock()
        result = work()
        seconds = clock() - start
        del result
        return count / seconds

    return run


def interleaved(contenders: Sequence[Contender], *, rounds: int = 15) -> list[Result]:
    """Run all contenders in turns, each once per round, after one round that does not count.

    Each round begins with another contender, so that none always runs after the same neighbour.
    """
    for contender in contenders:
        contender.run()
    figures: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            figures[contender.name].append(contender.run())
    return [Result(name, tuple(values)) for name, values in figures.items()]


def table(results: Sequence[Result], *, unit: str, baseline: str) -> str:
    """Write results as a markdown table: medians with quartiles, and ratios to `baseline` taken round by round."""
    [base] = [result for result in results if result.name == baseline]
    lines = [f"| | {unit} | quartiles | ratio to {baseline} | quartiles |", "|---|---:|---:|---:|---:|"]
    for result in results:
        figures = Spread.of(result.figures)
        ratios = Spread.of([ours / theirs for ours, theirs in zip(result.figures, base.figures, strict=True)])
        lines.append(
            f"| {result.name} | {_figure(figures.median)} | {_figure(figures.low)} to {_figure(figures.high)} "
            f"| {ratios.median:.2f} | {ratios.low:.2f} to {ratios.high:.2f} |"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits are enough to read
