"""Read back what a tracker holds with the tracker's own library."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from following import Curves
from other_ends import needs

from mbpo.outside.trackers.wandb_files import records_in
from mbpo.runs.metrics import METRICS


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

    def facts(self, into: Path, run: str) -> dict[str, Any]:
        """Return group, kind, parent, note, tags and some settings that it tells of a run, in its own terms."""


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

    def facts(self, into: Path, run: str) -> dict[str, Any]:
        from tensorboard.plugins.hparams import plugin_data_pb2

        found = self.accumulated(into, run)
        data = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        start = plugin_data_pb2.HParamsPluginData.FromString(data).session_start_info
        said = self._table(found, "about")
        return {
            "group": start.group_name,
            "kind": said["kind"],
            "parent": start.hparams["fork of"].string_value if "fork of" in start.hparams else said.get("parent", ""),
            "rollout_length": start.hparams["rollout_length"].number_value,
            "seed": int(self._table(found, "settings")["seed"]),
            "note": said.get("note", ""),
            "tags": said.get("tags", ""),
        }

    def _table(self, found: Any, tag: str) -> dict[str, str]:
        _, _, *lines = found.Tensors(tag)[0].tensor_proto.string_val[0].decode().splitlines()
        cells = ([html.unescape(cell).strip() for cell in line.split("|")[1:3]] for line in lines)
        return dict(cells)


class WandbReader:
    """Read W&B's offline files by its own records; of a run that began again its newest edition."""

    name = module = "wandb"

    def records(self, into: Path, run: str) -> list[Any]:
        """Return the records of the newest edition of a run, of all its files in order."""
        from wandb.proto.wandb_internal_pb2 import Record

        files = sorted(into.glob("wandb/offline-run-*/run-*.wandb"))
        read = {path: [Record.FromString(data) for data in records_in(path)] for path in files}
        ours = {}
        for path, records in read.items():
            begun = next((record.run for record in records if record.HasField("run")), None)
            if begun is not None and begun.display_name == run:
                ours[path] = begun.run_id
        newest = max(ours.values(), key=lambda run_id: (len(run_id), run_id))
        return [record for path, run_id in ours.items() if run_id == newest for record in read[path]]

    def curves(self, into: Path, run: str) -> Curves:
        curves: Curves = {}
        steps = []
        for record in self.records(into, run):
            if record.HasField("history"):
                row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                steps.append(record.history.step.num)
                for key in row.keys() & METRICS.keys():
                    curves.setdefault(key, []).append((row["env_steps"], row[key]))
        assert steps == sorted(set(steps))
        return curves

    def texts(self, into: Path, run: str) -> list[str]:
        return self.summary(into, run)["events"].splitlines()

    def summary(self, into: Path, run: str) -> dict[str, Any]:
        """Return the newest value of each key."""
        updates = [item for record in self.records(into, run) for item in record.summary.update]
        return {item.key: json.loads(item.value_json) for item in updates if item.key}

    def facts(self, into: Path, run: str) -> dict[str, Any]:
        record = next(record.run for record in self.records(into, run) if record.HasField("run"))
        config = {item.key: json.loads(item.value_json) for item in record.config.update}
        return {
            "group": record.run_group,
            "kind": record.job_type,
            "parent": config.get("parent", ""),
            "rollout_length": config["rollout_length"],
            "seed": config["seed"],
            "note": html.unescape(record.notes),
            "tags": " ".join(record.tags),
        }

    def as_held(self, curves: Curves) -> Curves:
        return curves


class TrackioReader:
    """Read Trackio's database by its own interface, in another process: its folder is fixed when it is imported."""

    name = module = "trackio"

    def asked(self, into: Path, run: str, question: str) -> Any:
        """Return what a call of its storage answers, of one run."""
        code = (
            "import json, sys; from trackio.sqlite_storage import SQLiteStorage; "
            f"print(json.dumps(SQLiteStorage.{question}('mbpo', sys.argv[1])))"
        )
        command = [sys.executable, "-c", code, run]
        env = {**os.environ, "TRACKIO_DIR": str(into)}
        return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)

    def curves(self, into: Path, run: str) -> Curves:
        curves: Curves = {}
        logs = self.asked(into, run, "get_logs")
        for log in logs:
            for key in log.keys() & METRICS.keys():
                curves.setdefault(key, []).append((log["step"], log[key]))
        assert [log["seq"] for log in logs] == sorted({log["seq"] for log in logs})
        return curves

    def texts(self, into: Path, run: str) -> list[str]:
        return [alert["text"] for alert in reversed(self.asked(into, run, "get_alerts"))]

    def facts(self, into: Path, run: str) -> dict[str, Any]:
        config = self.asked(into, run, "get_run_config")
        said = {"group": config["_Group"], "parent": config.get("parent", ""), "note": config.get("note", "")}
        same = {key: config[key] for key in ("kind", "rollout_length", "seed")}
        return {**said, **same, "tags": config.get("tags", "").replace(",", "")}

    def as_held(self, curves: Curves) -> Curves:
        return curves


READERS: tuple[Reader, ...] = (TensorBoardReader(), WandbReader(), TrackioReader())


def ready(reader: Reader) -> Reader:
    """Return the reader, or skip where its library is missing."""
    needs(reader.module)
    return reader
