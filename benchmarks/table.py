"""Print what the contests found: one block per group, then ours against the best other way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import torch

from benchmarks.contest import Row
from benchmarks.peak import Peaks

WIDTH = 52
HEAD = f"{'':{WIDTH}} {'ms':>9} {'IQR':>6} {'GFLOP/s':>8} {'of peak':>8} {'× floor':>8} {'× ours':>7}"
LEGEND = (
    "ms: median per step of the best block; IQR: of that block, in % of its median. GFLOP/s counts",
    "the matrix products that the work needs, whatever a contender computes; floor: those products",
    "at the measured peak of the dtype. × ours: how many times ours (fp32) takes, so above 1 ours",
    "is faster. +n: n blocks were repeated; ~: all were disturbed, by noise or by other processes.",
)


def write(rows: Sequence[Row], peaks: Peaks, line: Callable[[str], None]) -> None:
    """Write everything through ``line``."""
    for text in LEGEND:
        line(text)
    for dtype, rates in peaks.rates.items():
        fastest, *rest = sorted(rates, key=lambda name: -rates[name])
        line(f"peak of {_short(dtype)}: {rates[fastest]:.0f} GFLOP/s, {fastest}; then")
        line("  " + ", ".join(f"{name} {rates[name]:.0f}" for name in rest))
    for group, members in groupby(rows, key=lambda row: row.group):
        _write_group(group, list(members), peaks, line)
    line("")
    line(f"{'ours against the best other way':{WIDTH}} {'ours ms':>9} {'best ms':>9} {'× ours':>7}")
    for group, members in groupby(rows, key=lambda row: row.group):
        _write_verdict(group, list(members), line)


def _write_group(group: str, rows: Sequence[Row], peaks: Peaks, line: Callable[[str], None]) -> None:
    reference = _ours(rows)
    line("")
    line(group)
    line(HEAD)
    for row in rows:
        name = f"  {row.contender.name}"
        if row.why_not:
            line(f"{name:{WIDTH}} {row.why_not}")
            continue
        ratio = f"{row.ms / reference.ms:7.2f}" if reference else f"{'':7}"
        share = row.gflops / peaks[row.contender.dtype]
        noise = ("~" if not row.quiet else "") + (f" +{row.repeats}" if row.repeats else "")
        line(
            f"{name:{WIDTH}} {row.ms:9.3f} {row.iqr_ms / row.ms:6.1%} {row.gflops:8.1f} "
            f"{share:8.1%} {1 / share:8.2f} {ratio} {noise}".rstrip()
        )


def _write_verdict(group: str, rows: Sequence[Row], line: Callable[[str], None]) -> None:
    """Set each of ours beside the quickest contender of its dtype."""
    for ours in (row for row in rows if row.contender.ours and not row.why_not):
        others = [
            row
            for row in rows
            if not (row.contender.ours or row.why_not) and row.contender.dtype == ours.contender.dtype
        ]
        if others:
            best = min(others, key=lambda row: row.ms)
            line(
                f"{f'{group}, {_short(ours.contender.dtype)}':{WIDTH}} {ours.ms:9.3f} "
                f"{best.ms:9.3f} {best.ms / ours.ms:7.2f}  {best.contender.name}"
            )


def _ours(rows: Iterable[Row]) -> Row | None:
    """Return the fp32 row that the others are compared with, if it ran."""
    for row in rows:
        if row.contender.ours and not row.why_not and row.contender.dtype == torch.float32:
            return row
    return None


def _short(dtype: torch.dtype) -> str:
    return {torch.float32: "fp32", torch.bfloat16: "bf16"}[dtype]
