"""Say what a learner takes of the machine."""

from __future__ import annotations

import math

from workbench.format import number
from workbench.messages import RunDetail


def load_words(detail: RunDetail | None) -> str:
    """Return what a learner takes of the machine, as last measured: ``cpu 98 % · 412 MB · gpu 60 %``."""
    if detail is None:
        return ""
    cpu, memory, gpu = map(detail.last, ("system/cpu", "system/memory_mb", "system/gpu"))
    held = f"{number(memory / 1000)} GB" if memory >= 1000 else f"{number(memory)} MB"
    parts = (cpu, f"cpu {cpu:.0%}"), (memory, held), (gpu, f"gpu {gpu:.0%}")
    return " · ".join(words.replace("%", " %") for value, words in parts if math.isfinite(value))
