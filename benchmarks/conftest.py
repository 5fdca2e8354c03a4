"""Hold what the benchmarks share: threads, peaks, the contest, and the table at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import table
from benchmarks.contest import Contest, Row
from benchmarks.peak import Peaks

ROWS = pytest.StashKey[list[Row]]()
PEAKS = pytest.StashKey[Peaks]()
PACKAGES = ("torch", "numpy", "stable_baselines3", "sbx-rl", "jax", "mbrl", "pytest-benchmark")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="cores that every contender may use; all by default",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Affinity first: JAX and OpenMP size their thread pools by it.
    threads = config.getoption("--threads")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    torch.set_num_threads(threads)
    config.stash[ROWS] = []
    config.stash[PEAKS] = Peaks()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore"))  # other projects' deprecations


@pytest.fixture(scope="session")
def peaks(pytestconfig: pytest.Config) -> Iterator[Peaks]:
    """Give the peaks; after the last group, write each row's share of the final ones."""
    peaks = pytestconfig.stash[PEAKS]
    yield peaks
    for row in pytestconfig.stash[ROWS]:
        if row.timing:
            peak = peaks[row.contender.dtype]
            share = row.gflops / peak
            row.timing.extra_info.update(peak_gflop_per_s=peak, peak_share=share, times_floor=1.0 / share)


@pytest.fixture
def contest(benchmark: BenchmarkFixture, peaks: Peaks, pytestconfig: pytest.Config) -> Contest:
    """Return the runner of one group."""
    benchmark.skipped = True  # only copies of it are used, one per block
    return Contest(
        benchmark=benchmark,
        keep=pytestconfig._benchmarksession.benchmarks.append,  # type: ignore[attr-defined]
        peaks=peaks,
        rows=pytestconfig.stash[ROWS],
    )


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["threads"] = torch.get_num_threads()
    machine_info["packages"] = {name: _version(name) for name in PACKAGES}
    machine_info["peaks"] = {str(dtype): rates for dtype, rates in config.stash[PEAKS].rates.items()}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[ROWS]:
        terminalreporter.section(f"{torch.get_num_threads()} threads")
        table.write(config.stash[ROWS], config.stash[PEAKS], terminalreporter.write_line)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
