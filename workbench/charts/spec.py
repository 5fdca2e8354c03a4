"""Describe a chart: its name and words, what it draws of one run and of several, and what it needs for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.charts.overlay import Overlay
from workbench.charts.picture import Picture
from workbench.charts.plain_words import Sentences
from workbench.charts.scene import Scene
from workbench.groups_side_by_side import GroupComparison


@dataclass(frozen=True)
class Plot:
    """Draw one picture of a chart. The last argument says whether the chart's toggle is on."""

    name: str
    alone: Callable[[Scene, bool], Picture]
    together: Callable[[Overlay, bool], Picture]
    grouped: Callable[[GroupComparison, bool], Picture] | None = None  # of groups of seeds, where it can be drawn


@dataclass(frozen=True)
class Toggle:
    """Turn a chart's view with a key."""

    name: str
    key: str
    help: str
    on: bool = False  # at first


@dataclass(frozen=True)
class ChartSpec:
    """Describe a chart; everything that the screens know of it stands here."""

    name: str
    title: str
    help: str  # what its key shows
    plots: tuple[Plot, ...]  # from top to bottom
    compared: tuple[str, ...]  # metrics that it needs of every run compared
    explained: tuple[str, ...] = ()  # metrics that the help explains
    essay: tuple[str, str] = ("", "")  # a section of the help: title and text
    toggle: Toggle | None = None
    words: Callable[[Scene, bool, bool], str] = lambda scene, on, several: ""  # on its border, as of now
    said: Callable[[Scene, bool], Sentences] = lambda scene, on: ()  # below it: what it shows, the most telling first
    said_together: Callable[[Overlay, bool], Sentences] = lambda overlay, on: ()  # the same of several runs
