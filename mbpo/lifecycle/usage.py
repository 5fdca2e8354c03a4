"""Measure what a learner takes of the machine: processor, memory, disk, and the GPU where it learns on one."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import torch

LEAST_S = 0.25  # between two measurements, which cost 0.1 ms each: 0.04 % of a run at most
MB = 1e6
Metrics = dict[str, float]


class Usage:
    """Measure this process, its threads included and its children not; what cannot be told here is left out."""

    def __init__(self, device: torch.device) -> None:
        self._process = psutil.Process()
        self._measures: list[Callable[[], Metrics]] = [self._memory, self._disk]
        if device.type == "cuda":
            self._measures += [lambda: gpu_memory(device), lambda: gpu_load(device)]
        self._last = (time.perf_counter(), time.process_time())

    def metrics(self) -> Metrics:
        """Return what is taken now, and of the processor since the last call; nothing where that was just now."""
        then, cpu_s = self._last
        now = time.perf_counter()
        if now - then < LEAST_S:
            return {}
        self._last = (now, time.process_time())
        found = {"system/cpu": round((self._last[1] - cpu_s) / (now - then), 3)}
        for measure in [*self._measures]:
            try:
                found |= measure()
            except Exception:  # a driver may raise anything, and must not end a run
                self._measures.remove(measure)  # what this machine does not tell is not asked again
        return found

    def _memory(self) -> Metrics:
        with self._process.oneshot():
            now, threads = self._process.memory_info().rss, self._process.num_threads()
        peak = max(now, peak_bytes())
        return {
            "system/memory_mb": round(now / MB, 1),
            "system/memory_peak_mb": round(peak / MB, 1),
            "system/threads": threads,
        }

    def _disk(self) -> Metrics:
        counted: Any = self._process.io_counters()  # not on macOS
        return {
            "system/read_mb": round(counted.read_bytes / MB, 3),
            "system/written_mb": round(counted.write_bytes / MB, 3),
        }


def peak_bytes() -> int:
    """Return the most memory that this process has held at once; 0 where that is not told."""
    for line in _status_lines():  # getrusage counts what the parent held before the exec, too
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if sys.platform == "darwin" else 0


def _status_lines() -> Iterator[str]:
    with contextlib.suppress(OSError):
        yield from Path("/proc/self/status").read_text().splitlines()


def gpu_memory(device: torch.device) -> Metrics:
    """Return what torch has taken of a GPU for this process; counted on the host, so the GPU is not waited for."""
    return {
        "system/gpu_memory_mb": round(torch.cuda.memory_reserved(device) / MB, 1),
        "system/gpu_memory_peak_mb": round(torch.cuda.max_memory_reserved(device) / MB, 1),
    }


def gpu_load(device: torch.device) -> Metrics:
    """Return the share of the last moment in which a GPU was at work, for whomever; it needs nvidia-ml-py."""
    return {"system/gpu": torch.cuda.utilization(device) / 100}
