"""Measure this machine's matrix-product peak, the ceiling of every share in the table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

SQUARES = (512, 1024, 2048)
BATCHED = (7, 256, 200, 200)  # E, B, I, J: the ensemble's own hidden layer
ROUNDS = 7
DTYPES = (torch.float32, torch.bfloat16)


class Peaks:
    """Keep the best rate of each dtype, measured again before each group.

    A busy neighbour lowers one measurement, not the peak. One library is no ceiling either: on
    AMD's cores numpy's OpenBLAS and oneDNN multiply squares faster than the MKL behind torch.mm.

    Attributes:
        rates: by dtype, the best median rate of each product, in GFLOP/s.
    """

    def __init__(self) -> None:
        self.rates: dict[torch.dtype, dict[str, float]] = {dtype: {} for dtype in DTYPES}

    def __getitem__(self, dtype: torch.dtype) -> float:
        """Return the best rate of ``dtype``, in GFLOP/s."""
        return max(self.rates[dtype].values())

    def measure(self) -> None:
        """Time every product on all of torch's threads, one block each."""
        for dtype, rates in self.rates.items():
            for name, (flops, product) in _products(dtype).items():
                rates[name] = max(rates.get(name, 0.0), 1e-9 * flops / _median_s(product))


def _products(dtype: torch.dtype) -> dict[str, tuple[int, Callable[[], object]]]:
    """Return each product's operations and its call."""
    products: dict[str, tuple[int, Callable[[], object]]] = {}

    def add(library: str, n: int, product: Callable[[], object]) -> None:
        products[f"{library} {n}³"] = 2 * n**3, product

    for n in SQUARES:
        a, b, out = (torch.randn(n, n).to(dtype) for _ in range(3))
        add("torch.mm", n, lambda a=a, b=b, out=out: torch.mm(a, b, out=out))
        if dtype == torch.float32:
            x, y, z = a.numpy(), b.numpy(), out.numpy()
            add("numpy", n, lambda x=x, y=y, z=z: np.matmul(x, y, out=z))
            if torch.backends.mkldnn.is_available():
                linear = torch.ops.mkldnn._linear_pointwise
                add("oneDNN", n, lambda a=a, b=b, f=linear: f(a, b, None, "none", [], ""))
    members, rows, fan_in, fan_out = BATCHED
    left = torch.randn(members, rows, fan_in).to(dtype)
    right = torch.randn(members, fan_in, fan_out).to(dtype)
    flops = 2 * members * rows * fan_in * fan_out
    products[f"torch.bmm {list(BATCHED)}"] = flops, lambda: torch.bmm(left, right)
    return products


def _median_s(product: Callable[[], object]) -> float:
    product()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        product()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
