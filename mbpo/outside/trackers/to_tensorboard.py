"""Bring a run into TensorBoard: a folder of event files, read by its own package.

A row is one record: its metrics as scalars over env steps, and beside them a value of a plugin that TensorBoard does
not have, so shows nowhere, with the row's seq and digest. Where rows are given up, a session begins again at their env
step: so TensorBoard itself says that what stood from there on no longer counts.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.outside.trackers.event_files import EventFiles, our_files, owner_of
from mbpo.outside.trackers.texts import as_markdown, path_name
from mbpo.outside.trackers.tracker import Facts, Held, Mark, Step
from mbpo.settings.packages import install_command

ROW, MARK = "mbpo_row", "mbpo_mark"  # plugins that are none
ABOUT, END = "about", "_hparams_/session_end_info"  # tags
LARGEST = 3.4e38  # a scalar has 32 bits


def open_tensorboard(facts: Facts, into: Path, project: str) -> TensorBoard:
    """Return the run's place: the folder that has it, else a free one of its name.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    try:
        import tensorboard.compat.proto.event_pb2  # noqa: F401
    except ImportError:
        raise ConfigError(f"TensorBoard is not installed: {install_command('tensorboard')}") from None
    root = into / path_name(project) if project else into
    known = {folder: owner_of(folder) for folder in sorted({path.parent for path in _all_ours(root)})}
    for folder, owner in known.items():
        if owner == facts.identity:
            return TensorBoard(facts, folder)
    name = path_name(facts.name)
    folder, number = root / name, 1
    while known.get(folder) or not {*folder.glob("*tfevents*")} <= {*our_files(folder)}:
        number += 1
        folder = root / f"{name}-{number}"
    return TensorBoard(facts, folder)


class TensorBoard:
    """Hold one run's event files."""

    def __init__(self, facts: Facts, folder: Path) -> None:
        self.where = str(folder)
        self.folder = folder
        self._facts = facts
        self._files = EventFiles(folder, facts.identity)
        self._env_steps = array("q")  # of the rows that it has
        self._marks: dict[int, tuple[str, int]] = {}  # the numbers of the events that it has, with tag and step
        self._begun = self._described = self._ended = False

    def holds(self) -> Held:
        """Read the event files, as TensorBoard understands them."""
        found = list[tuple[int, int, int]]()
        self._marks, self._begun, self._described, self._ended = {}, False, False, False
        for event in self._files.events():
            if event.HasField("session_log"):
                if self._begun:  # again: what stands from its step on no longer counts
                    found = [row for row in found if row[2] < event.step]
                    self._marks = {number: at for number, at in self._marks.items() if at[1] < event.step}
                    self._described &= event.step > 0
                self._begun = True
            for value in event.summary.value:
                numbers, name = value.tensor.int64_val, value.metadata.plugin_data.plugin_name
                if name == ROW and len(numbers) == 2:
                    found.append((*numbers, event.step))
                elif name == MARK and len(numbers) == 1:
                    self._marks[numbers[0]] = value.tag.removeprefix(MARK + "/"), event.step
                self._described |= value.tag == ABOUT
                self._ended |= value.tag == END
        held, self._env_steps = Held(), array("q", (row[2] for row in found))
        for seq, digest, _ in found:
            held.add(seq, digest)
        if not self._begun:
            self._start(0)
        if not self._described:
            self._describe()
        return held

    def add(self, steps: Sequence[Step]) -> None:
        """Write a record for each row."""
        for step in steps:
            values = [_scalar(key, value) for key, value in step.values.items() if abs(value) < LARGEST]
            wall_time = self._facts.begun + float(step.values.get("time_s", 0.0))
            self._write(step.env_steps, [*values, _number(ROW, ROW, step.seq, step.digest)], wall_time)
            self._env_steps.append(step.env_steps)

    def take_back(self, place: int, step: Step) -> None:
        """Begin a session again at the env step of ``step``, which takes out all from there on."""
        self._start(min(step.env_steps, *self._env_steps[place:]))

    def tell(self, marks: Sequence[Mark]) -> None:
        """Write the events that are not there yet as texts, each at a step of its own."""
        last: dict[str, int] = {}
        for tag, at in self._marks.values():
            last[tag] = max(at, last.get(tag, 0))
        for mark in marks:
            if mark.number not in self._marks:
                tag = f"events/{mark.title}"
                last[tag] = at = max(mark.env_steps, last.get(tag, -1) + 1)
                number = _number(f"{MARK}/{tag}", MARK, mark.number)
                self._write(at, [_text(tag, as_markdown(mark.text)), number], mark.at)
                self._marks[mark.number] = tag, at

    def close(self, state: str) -> None:
        """Tell the hparams plugin how the run ended, where it has."""
        if state in ("finished", "failed", "diverged") and not self._ended:
            from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

            how = api_pb2.STATUS_SUCCESS if state == "finished" else api_pb2.STATUS_FAILURE
            end = plugin_data_pb2.SessionEndInfo(status=how, end_time_secs=time.time())
            self._write(0, [_hparams(END, session_end_info=end)], time.time())
            self._ended = True
        self._files.close()

    def _describe(self) -> None:
        """Write what the run is, before its first row."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        facts = self._facts
        settings = {key: value for key, value in facts.settings.items() if key in facts.shared}
        settings |= {"fork of": facts.parent} if facts.kind == "fork" else {}
        hparams = hparams_pb(settings, trial_id=facts.group, start_time_secs=facts.begun).value
        said = {"run": facts.name, "title": facts.title, "note": facts.note, "tags": " ".join(facts.tags)}
        said |= {"group": facts.group, "kind": facts.kind, "parent": facts.parent}
        texts = [_text(ABOUT, _table({key: value for key, value in said.items() if value}))]
        texts.append(_text("settings", _table(facts.settings)))
        self._write(0, [*hparams, *texts], facts.begun)

    def _start(self, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._files.write(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START))

    def _write(self, step: int, values: Sequence[Any], wall_time: float) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._files.write(wall_time=wall_time, step=step, summary=Summary(value=values))


def _all_ours(root: Path) -> list[Path]:
    return list(root.glob("**/events.out.tfevents.*.mbpo.*"))


def _scalar(tag: str, value: float) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary.Value(tag=tag, simple_value=value)


def _number(tag: str, plugin: str, *numbers: int) -> Any:
    from tensorboard.compat.proto import summary_pb2, tensor_pb2, types_pb2

    metadata = summary_pb2.SummaryMetadata(plugin_data={"plugin_name": plugin})
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64, int64_val=numbers)
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def _text(tag: str, markdown: str) -> Any:
    from tensorboard.compat.proto import summary_pb2, tensor_pb2, types_pb2

    metadata = summary_pb2.SummaryMetadata(plugin_data={"plugin_name": "text"})
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[markdown.encode()])
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def _hparams(tag: str, **content: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    data = plugin_data_pb2.HParamsPluginData(**content)
    return Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR)


def _table(content: Any) -> str:
    """Return a table of markdown whose cells show names and values as they are."""
    rows = (f"| {as_markdown(str(key))} | {as_markdown(str(value))} |" for key, value in content.items())
    return "\n".join(["| | |", "|---|---|", *rows])
