"""Put facts into one line, as many as fit."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from workbench.format import MUTED

ALWAYS = 1  # the rank of what stays


def ranked(parts: Iterable[tuple[int, Content]], width: int) -> Content:
    """Join parts by dots, those of the lowest ranks first to stay: what fits stays where a longer one goes."""
    known = [(rank, part) for rank, part in parts if part.plain]
    kept, room = [], width + 3
    for rank, place in sorted((rank, place) for place, (rank, _) in enumerate(known)):
        cells = known[place][1].cell_length + 3
        if rank <= ALWAYS or cells <= room:
            kept.append(place)
            room -= cells
    return Content.styled(" · ", MUTED).join(known[place][1] for place in sorted(kept))
