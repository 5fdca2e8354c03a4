"""Bring runs into trackers, live, each row once: TensorBoard, Weights & Biases, Trackio."""

from __future__ import annotations

from collections.abc import Mapping

from mbpo.outside.trackers.to_tensorboard import open_tensorboard
from mbpo.outside.trackers.tracker import Opener

TRACKERS: Mapping[str, Opener] = {"tensorboard": open_tensorboard}
INTO: Mapping[str, str] = {"tensorboard": "tb"}
