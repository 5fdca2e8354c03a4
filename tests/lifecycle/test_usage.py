"""What a learner takes of the machine is measured, cheaply, and moves nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import torch

from mbpo.lifecycle import usage as usage_module
from mbpo.lifecycle.usage import LEAST_S, Usage, peak_bytes
from mbpo.runs.metrics import MACHINE_KEYS, METRICS

OF_GPU = {"system/gpu", "system/gpu_memory_mb", "system/gpu_memory_peak_mb"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Hold the time, and the processor's."""
    now = [0.0, 0.0]
    monkeypatch.setattr(usage_module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(usage_module.time, "process_time", lambda: now[1])
    yield now


def later(usage: Usage, clock: list[float], wall_s: float = 1.0, cpu_s: float = 0.5) -> dict[str, float]:
    clock[0] += wall_s
    clock[1] += cpu_s
    return usage.metrics()


def test_everything_but_a_gpu_is_told_here(clock: list[float]) -> None:
    found = later(Usage(torch.device("cpu")), clock, wall_s=2.0, cpu_s=3.0)
    assert found["system/cpu"] == 1.5  # cores
    assert found["system/threads"] == psutil.Process().num_threads()
    assert 10 < found["system/memory_mb"] <= found["system/memory_peak_mb"] < 1e5
    declared = {key for key in METRICS if key.startswith("system/")} - OF_GPU
    assert set(found) == declared if sys.platform == "linux" else set(found) <= declared


def test_it_is_measured_four_times_a_second_at_most(clock: list[float]) -> None:
    usage = Usage(torch.device("cpu"))
    assert later(usage, clock, LEAST_S / 2) == {}
    assert later(usage, clock, LEAST_S / 2, cpu_s=0.25)["system/cpu"] == 0.75 / LEAST_S  # of all since the last


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux alone")
def test_the_peak_outlives_what_was_held() -> None:
    held = bytearray(b"x") * (200 << 20)
    during = psutil.Process().memory_info().rss
    del held
    assert peak_bytes() >= during - (1 << 20)  # the kernel counts a little behind
    assert psutil.Process().memory_info().rss < during - (100 << 20)


class Gpu:
    """Stand for torch.cuda where there is a GPU."""

    def __init__(self, load: Any) -> None:
        self.load = load
        self.asked = 0

    def memory_reserved(self, device: torch.device) -> int:
        return 300_000_000

    def max_memory_reserved(self, device: torch.device) -> int:
        return 400_000_000

    def utilization(self, device: torch.device) -> int:
        self.asked += 1
        if isinstance(self.load, Exception):
            raise self.load
        return int(self.load)


def test_a_gpu_tells_its_load_and_memory(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cuda", Gpu(87))
    found = later(Usage(torch.device("cuda:0")), clock)
    assert {key: found[key] for key in OF_GPU} == {
        "system/gpu": 0.87,
        "system/gpu_memory_mb": 300.0,
        "system/gpu_memory_peak_mb": 400.0,
    }


@pytest.mark.parametrize("fault", [ModuleNotFoundError("pynvml"), RuntimeError("Not Supported")])
def test_a_gpu_that_tells_nothing_is_asked_once(
    fault: Exception, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu(fault)
    monkeypatch.setattr(torch, "cuda", gpu)
    usage = Usage(torch.device("cuda:0"))
    for _ in range(3):
        found = later(usage, clock)
        assert "system/gpu" not in found
        assert found["system/gpu_memory_mb"] == 300.0
    assert gpu.asked == 1


def test_a_system_without_counts_of_the_disk_leaves_them_out(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(psutil.Process, "io_counters")
    usage = Usage(torch.device("cpu"))
    assert {"system/cpu", "system/memory_mb"} <= set(found := later(usage, clock))
    assert "system/read_mb" not in found


def test_none_of_it_is_compared_where_a_run_is_done_again() -> None:
    assert {key for key in METRICS if key.startswith(("time/", "system/"))} | {"time_s"} == MACHINE_KEYS
