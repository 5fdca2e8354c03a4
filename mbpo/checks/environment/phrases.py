"""Word what there is to say about an environment."""

from __future__ import annotations

from collections.abc import Iterable


def named(dims: Iterable[int], name: str = "obs") -> str:
    """Write dims in runs: obs[0], obs[3-7]; at most six of them."""
    runs: list[list[int]] = []
    for dim in dims:
        if runs and runs[-1][1] == dim - 1:
            runs[-1][1] = dim
        else:
            runs.append([dim, dim])
    shown = [f"{name}[{a}]" if a == b else f"{name}[{a}-{b}]" for a, b in runs[:6]]
    return ", ".join(shown) + (f" and {len(runs) - 6} more" if len(runs) > 6 else "")


def random_steps(count: int) -> str:
    """Write how many steps were played."""
    return f"{count:,} random step" + "s" * (count != 1)
