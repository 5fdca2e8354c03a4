"""Read back what a tracker holds with the tracker's own library."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from following import Curves
from other_ends import needs


class Reader(Protocol):
    """Read one tracker."""

    name: str
    module: str

    def curves(self, into: Path, run: str) -> Curves:
        """Return what it has of a run."""

    def texts(self, into: Path, run: str) -> list[str]:
        """Return the events that it tells of a run, in order."""

    def as_held(self, curves: Curves) -> Curves:
        """Return the curves as it holds their numbers."""


class TensorBoardReader:
    """Read event files as TensorBoard's own server does."""

    name = module = "tensorboard"

    def accumulated(self, into: Path, run: str) -> Any:
        """Return what TensorBoard took in of a run."""
        from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

        found = EventAccumulator(
            str(into / run), size_guidance={"tensors": 0}, tensor_size_guidance={"scalars": 0, "text": 0}
        )
        return found.Reload()

    def curves(self, into: Path, run: str) -> Curves:
        found = self.accumulated(into, run)
        tags = [tag for tag in found.PluginTagToContent("scalars") if tag != "time_s"]
        return {tag: [(at.step, float(at.tensor_proto.float_val[0])) for at in found.Tensors(tag)] for tag in tags}

    def texts(self, into: Path, run: str) -> list[str]:
        found = self.accumulated(into, run)
        tags = [tag for tag in found.PluginTagToContent("text") if tag.startswith("events/")]
        said = [
            (at.wall_time, at.step, at.tensor_proto.string_val[0].decode()) for tag in tags for at in found.Tensors(tag)
        ]
        return [text for *_, text in sorted(said)]

    def as_held(self, curves: Curves) -> Curves:
        return {tag: [(at, float(np.float32(value))) for at, value in points] for tag, points in curves.items()}


READERS: tuple[Reader, ...] = (TensorBoardReader(),)


def ready(reader: Reader) -> Reader:
    """Return the reader, or skip where its library is missing."""
    needs(reader.module)
    return reader
