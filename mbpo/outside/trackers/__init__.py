"""Bring runs into trackers, live, each row once: TensorBoard, Weights & Biases, Trackio."""

from __future__ import annotations

from collections.abc import Mapping

from mbpo.outside.trackers.to_tensorboard import open_tensorboard
from mbpo.outside.trackers.to_trackio import open_trackio, trackio_folder
from mbpo.outside.trackers.to_wandb import open_wandb
from mbpo.outside.trackers.tracker import Opener

TRACKERS: Mapping[str, Opener] = {"tensorboard": open_tensorboard, "wandb": open_wandb, "trackio": open_trackio}
INTO: Mapping[str, str] = {"tensorboard": "tb", "wandb": ".", "trackio": trackio_folder()}
