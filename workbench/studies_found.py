"""Define what is known of a study from its own files: frozen, handed from the reader thread to the screens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class StudyFound:
    """Hold a folder with a study's file; text is as found, not yet safe."""

    folder: Path  # its runs lie in it
    title: str = ""  # the folder's place below the runs root
    name: str = ""  # that the file gives it
    words: str = ""  # what it is made of, as 3 k × 8 seeds
    runs: tuple[str, ...] = ()  # the names of those that it asks for
    is_search: bool = False  # whether Tune draws its samples, and decides which go on
    given_up: frozenset[str] = frozenset()  # runs of samples that the search does not go on with
    unbegun: Mapping[str, str] = field(default_factory=dict)  # runs that could not begin, and why
    undrawn: int = 0  # runs of samples that a search may still draw
    engine: str = ""  # that had it last
    fault: str = ""  # why its file cannot be used
