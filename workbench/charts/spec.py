"""Describe a chart: its name and words, what it draws of one run and of several, and what it needs for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.charts.overlay import Overlay
from workbench.charts.picture import Picture
from workbench.charts.plain_words import Sentences
from workbench.charts.scene import Scene
from workbench.groups_side_by_side import GroupComparison


@dataclass(frozen=True)
class Plot:
    """Draw one picture of a chart. The last argument is the view that the chart's toggle has turned to."""

    name: str
    alone: Callable[[Scene, Any], Picture]
    together: Callable[[Overlay, Any], Picture]
    grouped: Callable[[GroupComparison, Any], Picture] | None = None  # of groups of seeds, where it can be drawn


@dataclass(frozen=True)
class Toggle:
    """Turn a chart's view with a key."""

    name: str
    key: str
    help: str
    views: tuple[Any, ...] = (False, True)  # in turn, from the first on


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
    words: Callable[[Scene, Any, bool], str] = lambda scene, on, several: ""  # on its border, as of now
    said: Callable[[Scene, Any], Sentences] = lambda scene, on: ()  # below it: what it shows, the most telling first
    said_together: Callable[[Overlay, Any], Sentences] = lambda overlay, on: ()  # the same of several runs
    said_of_groups: Callable[[GroupComparison], Sentences] = lambda comparison: ()  # and of groups of seeds
