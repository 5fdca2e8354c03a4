"""Time the contenders of one group in turn, again where a block was disturbed.

pytest-benchmark does the timing. What it cannot do alone is be fair on a shared machine: here the
contenders' blocks of rounds take turns, a contender whose blocks were all disturbed gets more, and
each keeps its best block.
"""

from __future__ import annotations

import copy
import importlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from pytest_benchmark.stats import Metadata

from benchmarks.peak import Peaks

BLOCKS = 3  # that every contender gets
MOST_BLOCKS = 9  # that a disturbed one may get
NOISY = 0.10  # IQR / median above which a block counts as disturbed
BUSY = 0.25  # cores taken by other processes above which it does too
BLOCK_S = 0.1
ROUND_S = 2e-3  # shorter calls are timed several at a time
ROUNDS = (5, 30)  # least and most rounds of a block

Call = Callable[[], object]


class Unavailable(Exception):
    """Say in one line why a contender cannot run here."""


def require(module: str, package: str) -> None:
    """Raise Unavailable unless ``module`` of ``package`` can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        raise Unavailable(f"skipped: {package} is not installed") from None


@dataclass(frozen=True)
class Contender:
    """Name one way to do a group's work.

    Attributes:
        name: its row in the table.
        build: makes the inputs, asserts that the values are right, and returns the call to time.
        steps: how many steps, of those that the group counts, one call takes.
        dtype: whose matrix-product peak is its ceiling.
    """

    name: str
    build: Callable[[], Call]
    steps: int = 1
    dtype: torch.dtype = torch.float32

    @property
    def ours(self) -> bool:
        """Return whether this is a row that others are compared with."""
        return self.name.startswith("ours")


@dataclass
class Row:
    """Hold what the table says about one contender."""

    group: str
    flops: int  # of one step
    contender: Contender
    timing: Metadata | None = None
    repeats: int = 0  # blocks beyond the first BLOCKS
    quiet: bool = True
    why_not: str = ""

    @property
    def ms(self) -> float:
        """Return the median of one step."""
        return self._ms("median")

    @property
    def iqr_ms(self) -> float:
        """Return the interquartile range of one step."""
        return self._ms("iqr")

    @property
    def gflops(self) -> float:
        """Return the useful GFLOP/s."""
        return 1e-6 * self.flops / self.ms

    def _ms(self, statistic: str) -> float:
        assert self.timing is not None
        value: float = getattr(self.timing.stats, statistic)
        return 1e3 * value / self.contender.steps


@dataclass
class Contest:
    """Run a group of contenders and keep their rows for the table."""

    benchmark: BenchmarkFixture
    keep: Callable[[Metadata], None]
    peaks: Peaks
    rows: list[Row]

    def run(self, group: str, flops: int, contenders: Sequence[Contender]) -> None:
        """Build all, time all, and fail at the end if one of them was wrong.

        A package that is not there is one line in the table. A wrong value or a crash is that too,
        and an error; the others are timed all the same.
        """
        entries, error = [], None
        for contender in contenders:
            row = Row(group, flops, contender)
            self.rows.append(row)
            try:
                entries.append(_Entry(row, contender.build(), self.benchmark))
            except Unavailable as reason:
                row.why_not = str(reason)
            except Exception as reason:
                row.why_not = f"failed: {reason or type(reason).__name__}".splitlines()[0]
                error = error or reason
        self.peaks.measure()
        for block in range(MOST_BLOCKS):
            for entry in entries:
                if block < BLOCKS or not entry.quiet:
                    entry.time_block()
        for entry in entries:
            self.keep(entry.finish())
        torch.compiler.reset()  # dynamo counts recompilations per function, over all groups
        if error:
            raise error


@dataclass(frozen=True)
class _Block:
    timing: Metadata
    others: float  # cores that other processes took

    @property
    def quiet(self) -> bool:
        """Return whether nothing disturbed it."""
        stats = self.timing.stats
        return bool(stats.iqr <= NOISY * stats.median and self.others <= BUSY)


class _Entry:
    """Hold a contender's call and the blocks that it has been timed in."""

    def __init__(self, row: Row, call: Call, benchmark: BenchmarkFixture) -> None:
        self._row, self._call, self._benchmark = row, call, benchmark
        self._blocks: list[_Block] = []
        took = self._warm_up()
        self._iterations = max(1, math.ceil(ROUND_S / took))
        least, most = ROUNDS
        self._rounds = min(most, max(least, int(BLOCK_S / (took * self._iterations))))

    @property
    def quiet(self) -> bool:
        """Return whether one block was."""
        return any(block.quiet for block in self._blocks)

    def time_block(self) -> None:
        """Time one block of rounds with a fixture of its own: pytest-benchmark allows one use."""
        fixture = copy.copy(self._benchmark)
        fixture.name = f"{self._row.group}: {self._row.contender.name}"
        fixture.fullname = f"{self._benchmark.fullname}::{self._row.contender.name}"
        fixture.group = self._row.group
        fixture.extra_info = {}
        timings: list[Metadata] = []
        fixture._add_stats = timings.append
        start, others = time.perf_counter(), _others_s()
        fixture.pedantic(self._call, rounds=self._rounds, iterations=self._iterations, warmup_rounds=1)
        others = (_others_s() - others) / (time.perf_counter() - start)
        self._blocks.append(_Block(timings[0], others))

    def finish(self) -> Metadata:
        """Fill the row from the block with the lowest median, a quiet one if there is any."""
        quiet = [block for block in self._blocks if block.quiet]
        best = min(quiet or self._blocks, key=lambda block: float(block.timing.stats.median))
        row = self._row
        row.timing, row.quiet = best.timing, self.quiet
        row.repeats = len(self._blocks) - BLOCKS
        best.timing.extra_info.update(
            flops=row.flops,
            gflop_per_s=row.gflops,
            ms_per_step=row.ms,
            iqr_ms_per_step=row.iqr_ms,
            steps_per_call=row.contender.steps,
            dtype=str(row.contender.dtype),
            repeated_blocks=row.repeats,
            quiet=row.quiet,
            others_cores=best.others,
        )
        return best.timing

    def _warm_up(self) -> float:
        """Call until compiled and cached, and return the seconds of a call."""
        times = []
        for _ in range(2):
            start = time.perf_counter()
            self._call()
            times.append(time.perf_counter() - start)
        return min(times)


def _others_s() -> float:
    """Return the CPU seconds that this process did not spend, of all that were spent."""
    machine, mine = psutil.cpu_times(), time.process_time()
    idle = machine.idle + getattr(machine, "iowait", 0.0)
    guest = getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)  # user's, twice
    return float(sum(machine) - idle - guest - mine)
