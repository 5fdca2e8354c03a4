"""Measure what a program in a terminal costs over some seconds, and how long a key takes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from benchmarks.terminal_session import Lines, Terminal

DOWN = "\x1b[B"  # the cursor key


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


def key_ms(terminal: Terminal, key: str, read: Callable[[Lines], str]) -> float:
    """Press a key and return how long it takes until what is ``read`` from the screen is another."""
    was = read(terminal.lines())
    pressed = terminal.press(key)
    time.sleep(random.uniform(0.12, 0.25))  # in step with no beat of the program's own; nothing is parsed meanwhile
    shown = terminal.until(lambda lines: read(lines) != was, f"another than {was}")
    return 1e3 * (shown - pressed)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
