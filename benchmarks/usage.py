"""Measure what a program in a terminal costs over some seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

from benchmarks.terminal_session import Terminal


@dataclass(frozen=True)
class Usage:
    """Hold what a program, its children included, took.

    Attributes:
        cpu: of a core, in %.
        kb_per_s: kB written to the terminal per second.
        mb: resident memory in MB at the end.
    """

    cpu: float
    kb_per_s: float
    mb: float


def usage(terminal: Terminal, seconds: float) -> Usage:
    """Let ``seconds`` pass and return what they cost."""
    processes = terminal.processes()
    cpu, written, start = sum(map(_cpu_s, processes)), terminal.written, time.perf_counter()
    time.sleep(seconds)
    spent, wall = sum(map(_cpu_s, processes)) - cpu, time.perf_counter() - start
    written = terminal.written - written
    mb = sum(process.memory_info().rss for process in processes) / 1e6
    return Usage(100 * spent / wall, written / 1e3 / wall, mb)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
