"""Time the op on a GPU beside what people would use in its place: ``python -m benchmarks.gpu``.

Times are medians between events on the device, the second-level cache emptied before each call.
Every contender may use tf32. With --dry-run everything runs once on the CPU, small, so that the
script itself can be tried where no GPU is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from benchmarks import ours
from benchmarks.alternatives import forward, sac, training
from benchmarks.cases import ForwardCase, Layers, SACCase, TrainingCase
from benchmarks.gpu_learner import learner_groups
from benchmarks.shapes import TASKS, forward_flops, sac_flops, training_flops
from mbpo.data.transitions import Transitions
from mbpo.dynamics.train_step import TrainStep
from mbpo.ops import cuda, ensemble_mlp

TASK = TASKS["Hopper"]
PEAK = {"H100": 495e12, "H200": 495e12, "A100": 156e12}  # dense tf32, by the data sheets
SECONDS = 0.6  # of measuring, for each contender

Call = Callable[[], object]
C = TypeVar("C")


@dataclass
class Row:
    """Hold one contender's time in one group."""

    group: str
    way: str
    microseconds: float
    flops: int


def moved(case: C, device: str) -> C:
    """Return the case with every tensor in it on the device."""

    def there(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device)
        if isinstance(value, tuple):
            return tuple(map(there, value))
        return moved(value, device) if isinstance(value, Layers) else value

    assert is_dataclass(case) and not isinstance(case, type)
    return replace(case, **{f.name: there(getattr(case, f.name)) for f in fields(case)})


def graphed(call: Call) -> Call:
    """Return a replay of the call, captured."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def median_microseconds(call: Call, device: str) -> float:
    """Return the median time of one call."""
    if device == "cpu":
        start = time.perf_counter()
        call()
        return 1e6 * (time.perf_counter() - start)
    cache = torch.empty(64 << 20, dtype=torch.int32, device=device)
    for _ in range(3):
        call()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 10:
        cache.zero_()
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        call()
        last.record()
        torch.cuda.synchronize()
        times.append(1e3 * first.elapsed_time(last))
    return statistics.median(times)


def with_precision(precision: str, call: Call) -> Call:
    """Return the call under torch's setting for float32 products."""

    def run() -> object:
        torch.set_float32_matmul_precision(precision)
        return call()

    return run


def forward_ways(rows: int, device: str) -> Iterator[tuple[str, Call]]:
    """Yield every way to run the ensemble on [E, rows]."""
    case = moved(ForwardCase.draw(TASK, rows), device)
    weights, biases = case.layers.weights, case.layers.biases

    @torch.no_grad()
    def op(precision: str = "float32") -> object:
        return ensemble_mlp(case.x, weights, biases, "silu", backend="cpp", precision=precision)

    yield "ours, tf32", op
    yield "ours, fp32", with_precision("highest", op)
    if device != "cpu":
        yield "ours, bf16", torch.no_grad()(partial(op, precision="bfloat16"))
    for name, way in (
        ("torch eager, baddbmm", forward.baddbmm),
        ("torch.compile(baddbmm)", forward.compiled(forward.baddbmm)),
    ):
        with torch.no_grad():
            run = way(weights, biases)
        yield name, torch.no_grad()(partial(run, case.x))


def routed_ways(rows: int, device: str) -> Iterator[tuple[str, Call]]:
    """Yield every way to run one member per row on [rows]."""
    case = moved(ForwardCase.draw(TASK, 1), device)
    weights, biases = case.layers.weights, case.layers.biases
    x = torch.randn(rows, TASK.model_sizes[0], device=device)
    member = torch.randint(TASK.members, (rows,), device=device)

    @torch.no_grad()
    def op(precision: str = "float32") -> object:
        return ensemble_mlp(x, weights, biases, "silu", member=member, backend="cpp", precision=precision)

    def one(e: int, h: Tensor) -> Tensor:
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            h = torch.nn.functional.silu(torch.addmm(bias[e], h, weight[e]))
        return torch.addmm(biases[-1][e], h, weights[-1][e])

    def sorted_loop(net: Callable[[int, Tensor], Tensor]) -> Tensor:
        order = member.argsort()
        counts = torch.bincount(member, minlength=TASK.members).tolist()
        parts = [net(e, part) for e, part in enumerate(x[order].split(counts))]
        y = torch.cat(parts)
        return torch.empty_like(y).index_copy_(0, order, y)

    yield "ours, tf32", op
    yield "ours, fp32", with_precision("highest", op)
    if device != "cpu":
        yield "ours, bf16", torch.no_grad()(partial(op, precision="bfloat16"))
    yield "torch routed, loop", torch.no_grad()(partial(sorted_loop, one))
    net = torch.compile(one, dynamic=True)
    yield "torch routed, compile(member)", torch.no_grad()(partial(sorted_loop, net))


def training_ways(device: str) -> Iterator[tuple[str, Call]]:
    """Yield every way to take a gradient step of the ensemble."""
    case = moved(TrainingCase.draw(TASK), device)
    steps = TrainStep(ours._ensemble(case, case.layers).to(device), case.lr)
    index = case.batches[0].contiguous()
    own = partial(steps, case.inputs, case.labels, index)
    yield "ours", own
    if device != "cpu":
        yield "ours, in a graph", graphed(own)
    batches = cycle(case.batches)
    eager = training.Plain(case, fused=True)
    yield "torch eager, Adam fused", lambda: eager.step(next(batches))
    compiled = training.Plain(case, compiled="loss", fused=True)
    yield "torch.compile(loss), Adam fused", lambda: compiled.step(next(batches))
    if device != "cpu":
        whole = training.Plain(case, fused=True, capturable=True)
        yield "torch eager, in a graph", graphed(lambda: whole.step(index))


class OnDevice(sac.Plain):
    """Draw the noise on the device, as a graph asks for."""

    def _noise(self, rows: int) -> Tensor:
        return torch.randn(rows, self._case.task.action_dim, device=self._case.obs.device)


def sac_ways(device: str) -> Iterator[tuple[str, Call]]:
    """Yield every way to take a SAC update."""
    case = moved(SACCase.draw(TASK), device)
    rows = case.rows[:256]
    agent = ours.SACUpdate(case).agent
    batch = Transitions(rows, TASK.obs_dim, TASK.action_dim)
    noise = torch.randn(2, len(rows), TASK.action_dim, device=device)
    own = partial(agent._compiled, batch, noise)
    yield "ours", own
    if device != "cpu":
        yield "ours, in a graph", graphed(own)
    eager = OnDevice(case, fused=True)
    yield "torch eager, Adam fused", lambda: eager._update(rows)
    compiled = OnDevice(case, compiled="loss", fused=True)
    yield "torch.compile(losses), Adam fused", lambda: compiled._update(rows)
    if device != "cpu":
        whole = OnDevice(case, fused=True, capturable=True)
        yield "torch eager, in a graph", graphed(lambda: whole._update(rows))


def measure(device: str) -> list[Row]:
    """Return the times of all groups."""
    small = device == "cpu"
    batch, routed = (8, 50) if small else (256, 100_000)
    sizes = TASK.model_sizes
    groups = {
        f"forward, E=7, B={batch}": (forward_flops(sizes, batch, TASK.members), forward_ways(batch, device)),
        f"routed rows, N={routed}": (forward_flops(sizes, routed), routed_ways(routed, device)),
        "training step, E=7, B=256": (training_flops(sizes, 256, TASK.members), training_ways(device)),
        "SAC update, 2x256, B=256": (sac_flops(TASK, 256), sac_ways(device)),
        **learner_groups(device, moved),
    }
    rows = []
    for group, (flops, ways) in groups.items():
        for way, call in ways:
            torch.set_float32_matmul_precision("high")
            rows.append(Row(group, way, median_microseconds(call, device), flops))
            print(f"{group:28} {way:36} {rows[-1].microseconds:10.1f} us", flush=True)
    return rows


def projection(rows: list[Row]) -> str:
    """Return how long a Hopper run of 125k steps would take at these times."""
    best = {r.group.split(":")[0]: 1e-6 * r.microseconds for r in rows if r.way == "ours, in a graph"}
    # A refit every 250 steps: 20 epochs over half the final rows; k = 8, the schedule's mean.
    minutes = {
        "SAC updates": 125_000 * best["env step"] / 60,
        "refits": 500 * 20 * 62_500 / 100_000 * best["model epoch"] / 60,
        "rollouts": 500 * 8 * best["rollout of 1 step"] / 60,
    }
    split = ", ".join(f"{name} {value:.1f}" for name, value in minutes.items())
    return (
        f"125k env steps of Hopper, minutes: {split}; {sum(minutes.values()):.1f} in all, to which "
        "the environment and the evaluations come"
    )


def table(rows: list[Row]) -> str:
    """Return the groups with floors and ratios to ours."""
    name = torch.cuda.get_device_name()
    peak = next((value for key, value in PEAK.items() if key in name), None)
    lines = [f"{name}, torch {torch.__version__}"]
    for group in dict.fromkeys(row.group for row in rows):
        mine = [row for row in rows if row.group == group]
        floor = f", floor {1e6 * mine[0].flops / peak:.1f} us at tf32's peak" if peak else ""
        lines.append(f"{group}{floor}")
        lines += [
            f"  {row.way:36} {row.microseconds:10.1f} us {row.microseconds / mine[0].microseconds:6.2f} x ours"
            for row in mine
        ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, and write the numbers where --json says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="once, small, on the CPU")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    given = parser.parse_args()
    if not given.dry_run and not cuda.status()[0]:
        print(f"error: the GPU's operators cannot be used: {cuda.status()[1]}", file=sys.stderr)
        return 1
    device = "cpu" if given.dry_run else "cuda"
    rows = measure(device)
    if device == "cpu":
        print("dry run: one call of each, the first, so no comparison")
    else:
        print(table(rows))
        print(projection(rows))
    if given.json:
        text = json.dumps([vars(row) for row in rows], indent=1)
        Path(given.json).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
