"""Hold which part of the x axes is in view, and where the cursor is: charts with the same axis share both."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakSet

from workbench.charts.x_axis import AXES, STEPS

Range = tuple[float, float]
CLOSEST = 1e-6  # of the whole axis
FINEST = 1000  # numbers that a computer tells apart, at least in view
NEAR = 1e-9  # of a width: rounding


class Viewer(Protocol):
    """Be a chart: what the view needs to know of it, and tells it."""

    @property
    def in_sight(self) -> bool:
        """Return whether the chart is on the screen."""

    @property
    def place(self) -> object:
        """Return the screen that it is on."""

    @property
    def axis(self) -> str:
        """Return the name of its x axis."""

    @property
    def whole(self) -> Range:
        """Return all of its x axis."""

    @property
    def with_room(self) -> Range:
        """Return all of its x axis as it is drawn, with room for what comes."""

    @property
    def dots(self) -> int:
        """Return how many dot columns it has."""

    def look(self) -> None:
        """Show the view as it is now."""


@dataclass(frozen=True)
class Window:
    """Be a part of an axis; one that ``follows`` keeps its width and stays at the axis's end."""

    low: float
    high: float
    follows: bool = False

    def on(self, whole: Range) -> Range:
        """Return the part of ``whole`` that is in view: all of it where the window lies beside it."""
        low, high = self.low, self.high
        if self.follows:
            low, high = whole[1] - (high - low), whole[1]
        low, high = max(low, whole[0]), min(high, whole[1])
        return (low, high) if low < high else whole


def zoomed(shown: Range, whole: Range, at: float, factor: float) -> Range:
    """Return ``shown`` times ``factor`` as wide, with ``at`` where it was, inside ``whole``."""
    before = shown[1] - shown[0]
    told_apart = FINEST * math.ulp(max(map(abs, whole)))
    width = max(before * factor, (whole[1] - whole[0]) * CLOSEST, min(before, told_apart))
    low = at - (at - shown[0]) / before * width
    return inside((low, low + width), whole)


def inside(wanted: Range, whole: Range) -> Range:
    """Return a range of the same width moved into ``whole``, or ``whole`` where it is no wider."""
    low, high = wanted
    if high - low >= (whole[1] - whole[0]) * (1 - NEAR):
        return whole
    by = max(whole[0] - low, 0.0) + min(whole[1] - high, 0.0)
    return max(low + by, whole[0]), min(high + by, whole[1])


class View:
    """Move cursor and window for all charts that share an axis; each axis has its own."""

    def __init__(self) -> None:
        self.x = STEPS  # the axis of charts over a run
        self._viewers: WeakSet[Viewer] = WeakSet()
        self._windows: dict[str, Window] = {}
        self._kept: dict[str, float] = {}  # where keys left the cursor
        self._pointed: tuple[str, float] | None = None  # where the mouse is

    def turn_axis(self) -> None:
        """Go on to the next axis for charts over a run; they are to be drawn anew."""
        self.x = AXES[(AXES.index(self.x) + 1) % len(AXES)]

    def add(self, viewer: Viewer) -> None:
        """Let a chart share this view."""
        self._viewers.add(viewer)

    def cursor(self, axis: str) -> float | None:
        """Return where the cursor is on an axis, if anywhere: where the mouse points, else where keys left it."""
        if self._pointed is not None and self._pointed[0] == axis:
            return self._pointed[1]
        return self._kept.get(axis)

    def shown(self, viewer: Viewer) -> Range:
        """Return the part of its axis that a chart shows: where that is not zoomed, all of it."""
        window = self._windows.get(viewer.axis)
        return viewer.with_room if window is None else window.on(self.whole(viewer))

    def _known(self, viewer: Viewer) -> Range:
        """Return what is in view without the room at its end."""
        low, high = self.shown(viewer)
        return low, min(high, self.whole(viewer)[1])

    def is_zoomed(self, axis: str) -> bool:
        """Return whether only a part of an axis is in view."""
        return axis in self._windows

    def whole(self, viewer: Viewer) -> Range:
        """Return all of an axis, as far as any chart beside this one has it."""
        beside = (other for other in self._seen(viewer.axis) if other.place is viewer.place)
        ranges = [viewer.whole, *(other.whole for other in beside)]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def point(self, viewer: Viewer, x: float | None) -> None:
        """Put the cursor where the mouse is; with None the mouse has left."""
        before, self._pointed = self._pointed, None if x is None else (viewer.axis, x)
        if before != self._pointed:
            self._tell({part[0] for part in (before, self._pointed) if part is not None})

    def keep(self, viewer: Viewer, x: float) -> None:
        """Leave the cursor at ``x``."""
        self._kept[viewer.axis] = x
        self._tell([viewer.axis])

    def turn(self, viewer: Viewer, x: float | None) -> None:
        """Leave the cursor at ``x``, or take the one that was left there off."""
        dot = (self.shown(viewer)[1] - self.shown(viewer)[0]) / max(viewer.dots - 1, 1)
        left = self._kept.get(viewer.axis)
        if x is None or (left is not None and abs(left - x) <= dot):
            self.off()
        else:
            self.keep(viewer, x)

    def step(self, viewer: Viewer, columns: int) -> None:
        """Move the cursor by dot columns of a chart; the first press puts it at the end. What is in view goes along."""
        axis, whole = viewer.axis, self.whole(viewer)
        low, high = self.shown(viewer)
        at, self._pointed = self.cursor(axis), None
        if at is None or not whole[0] <= at <= whole[1]:
            at = min(high, whole[1])
        else:
            at = min(max(at + columns * (high - low) / max(viewer.dots - 1, 1), whole[0]), whole[1])
        self._kept[axis] = at
        beyond = min(at - low, 0.0) + max(at - high, 0.0)
        if beyond and axis in self._windows:
            self._put(viewer, (low + beyond, high + beyond))
        self._tell([axis])

    def off(self) -> bool:
        """Take the cursor off every chart; return whether keys had left one."""
        kept = bool(self._kept)
        axes = {*self._kept, *([self._pointed[0]] if self._pointed else [])}
        self._kept.clear()
        self._pointed = None
        self._tell(axes)
        return kept

    def zoom(self, viewer: Viewer, factor: float, at: float | None = None) -> None:
        """Show a part of the axis ``factor`` times as wide, around ``at``, the cursor, or the end."""
        shown = self._known(viewer)
        at = self.cursor(viewer.axis) if at is None else at
        centre = at if at is not None and shown[0] <= at <= shown[1] else shown[1]
        self._put(viewer, zoomed(shown, self.whole(viewer), centre, factor))
        self._tell([viewer.axis])

    def pan(self, viewer: Viewer, share: float) -> None:
        """Move what is in view by a share of its width."""
        low, high = self._known(viewer)
        self.pan_to(viewer, low + share * (high - low))

    def pan_to(self, viewer: Viewer, low: float) -> None:
        """Let what is in view begin at ``low``, as far as there is anything."""
        shown = self._known(viewer)
        self._put(viewer, (low, low + shown[1] - shown[0]))
        self._tell([viewer.axis])

    def reset(self) -> None:
        """Show all of every axis again."""
        axes = set(self._windows)
        self._windows.clear()
        self._tell(axes)

    def _put(self, viewer: Viewer, wanted: Range) -> None:
        axis, whole = viewer.axis, self.whole(viewer)
        low, high = inside(wanted, whole)
        if (low, high) == whole:
            self._windows.pop(axis, None)
        else:
            self._windows[axis] = Window(low, high, whole[1] - high <= NEAR * (high - low))

    def _seen(self, axis: str) -> list[Viewer]:
        return [viewer for viewer in self._viewers if viewer.axis == axis and viewer.in_sight]

    def _tell(self, axes: Iterable[str]) -> None:
        for axis in axes:
            for viewer in self._seen(axis):
                viewer.look()
