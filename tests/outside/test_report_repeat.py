"""The commands of a report make its runs again, under the names that its other commands use."""

from __future__ import annotations

import importlib
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from fake_run import add_event, metric_rows, put_status, status_of
from family import put_rows
from learners import DEBUG, Outcome
from other_ends import needs
from page_parts import parts_of

from mbpo import train
from mbpo.comparison.runs import Run, read_run
from mbpo.lifecycle.command_line import Launch, parse_launch
from mbpo.outside.report import page as pages
from mbpo.outside.report.page import Lines, Section
from mbpo.outside.report.repeat_several import again_section
from mbpo.report import main
from mbpo.runs.layout import RunPaths
from mbpo.settings.config import resolve

Call = Callable[..., Outcome]
KEY = "eval/return_mean"


def test_typed_in_an_empty_folder_they_make_the_runs_and_the_page(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("bokeh")
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    monkeypatch.chdir(old)
    short = ("--total-steps", "200", "--checkpoint-every", "100", "--runs-root", "duel")
    for seed, name in enumerate(("one", "two")):
        assert call(train.main, *DEBUG, *short, "--seed", seed, "--run-id", name).code == 0
    forked = ("--fork", "duel/one@150", "--rollout-length", "2", "--runs-root", "duel", "--run-id", "fork")
    assert call(train.main, *forked).code == 0
    written = lines_of(call, "duel")
    monkeypatch.chdir(new)
    for line in written:
        assert typed(call, line).code == 0, line
    assert lines_of(call, "duel") == written
    for name in ("one", "two", "fork"):
        assert returns(old / "duel" / name) == returns(new / "duel" / name)


def lines_of(call: Call, folder: str) -> list[str]:
    """Return the commands of the page of the runs in a folder."""
    found: list[str] = []
    whole = pages.html
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mbpo.report.html", lambda page: found.extend(commands_in(page.sections)) or whole(page))
        assert call(main, folder).code == 0
    text = parts_of(Path("report.html")).text
    assert all(line in text for line in found)
    return found


def commands_in(sections: list[Section]) -> Iterator[str]:
    (section,) = (section for section in sections if section.title == "To repeat it")
    (block,) = section.blocks
    assert isinstance(block, Lines)
    return iter(block.lines)


def typed(call: Call, line: str) -> Outcome:
    python, m, module, *arguments = shlex.split(line)
    assert (python, m) == ("python", "-m")
    return call(importlib.import_module(module).main, *arguments)


def returns(run: Path) -> list[tuple[int, Any]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(row["env_steps"], row[KEY]) for row in rows if KEY in row]


# What no command brings back -----------------------------------------------------------------------------------------


def made(root: Path, name: str, state: str = "finished", by_hand: bool = False, **settings: Any) -> RunPaths:
    """Return a run of its own."""
    path = root / name
    path.mkdir(parents=True)
    config = resolve({"seed": 0, **settings}, None if "env_id" in settings else "pendulum")
    (path / "config.toml").write_text(tomli_w.dumps(config.to_dict()))
    put_rows(path, metric_rows(20, 1000))
    put_status(path, status_of(state, interactive=by_hand, env_steps=1000))
    (path / "events.jsonl").write_text("")
    return RunPaths(path)


def forked(root: Path, name: str, parent: RunPaths, at: int = 600, **changes: Any) -> RunPaths:
    """Return a fork of a run."""
    paths = made(root, name, **{k: v for k, v in changes.items() if k in ("seed", "rollout_length")})
    put_status(paths.root, status_of("finished", interactive=False, parent=f"{parent.run_id}@{at}"))
    left = {"parent": parent.run_id, "parent_dir": str(parent.root), "fork_env_steps": at, "fork_changes": changes}
    paths.manifest.write_text(json.dumps(left))
    return paths


def again(*runs: RunPaths) -> tuple[str, list[str]]:
    """Return what is said beside the commands, and these but for the last two."""
    read: list[Run] = [read_run(paths, KEY) for paths in runs]
    section = again_section(read)
    lines = list(commands_in([section]))
    named = [shlex.split(line)[3:] for line in lines[-2:]]
    assert named[0] == named[1] and len(named[0]) == len(runs)
    return " ".join(section.says[1:]), lines[:-2]


def launched(line: str) -> Launch:
    return parse_launch(shlex.split(line)[3:])


def test_a_run_that_was_turned_is_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turned, plain = made(tmp_path / "runs", "turned", by_hand=True), made(tmp_path / "runs", "plain", seed=1)
    add_event(turned.root, event="control", status="applied", at_env_steps=9, new={"rollout_length": 3})
    said, (first, second) = again(turned, plain)
    assert said.startswith("Changed by hand, which only the run's own folder tells") and "runs/turned." in said
    monkeypatch.chdir(tmp_path)
    assert launched(first).replay == turned.root
    assert (launched(second).run_id, launched(second).runs_root) == ("plain", tmp_path / "runs")
    shutil.rmtree(plain.root)
    assert launched(second).config.seed == 1


def test_parents_come_first_also_those_that_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = made(tmp_path / "runs", "base")
    middle = forked(tmp_path / "runs", "middle", base, 500, rollout_length=5)
    last = forked(tmp_path / "runs" / "more", "last", middle, 700, real_ratio=0.5)
    said, lines = again(last, made(tmp_path / "runs", "other"))
    assert said == "Made as well, as forks branch off it: runs/base, runs/middle."
    monkeypatch.chdir(tmp_path)
    launches = [launched(line) for line in lines]
    assert [launch.run_id for launch in launches] == ["base", "middle", "last", "other"]
    assert launches[2].runs_root == tmp_path / "runs" / "more"
    fork = launches[2].fork
    assert fork is not None and (fork.parent, fork.at, fork.changes) == (middle.root, 700, {"real_ratio": 0.5})
    assert len(again(base, middle, last)[1]) == 3


def test_what_lacks_is_said(tmp_path: Path) -> None:
    base = made(tmp_path / "runs", "base")
    orphan, plain = forked(tmp_path / "runs", "orphan", base), made(tmp_path / "runs", "plain", state="stopped")
    untold = forked(tmp_path / "runs", "untold", base)
    untold.manifest.unlink()
    shutil.rmtree(base.root)
    custom = made(tmp_path / "runs", "custom", env_id="toy_envs:Toy-v0", wrappers=["m:W(key=1)"])
    said, lines = again(orphan, plain, untold, custom)
    for words in (
        "so that no command makes it; copy its folder there: runs/untold.",
        "not to be found any more; the fork's command needs it there: base.",
        "Ended before its total_steps, to which its command goes on: runs/plain.",
        "Modules that must lie there too, or where --module-path says: m, toy_envs.",
    ):
        assert words in said
    assert "--fork runs/base@600" in lines[0] and len(lines) == 3


def test_a_circle_of_forks_ends(tmp_path: Path) -> None:
    a = forked(tmp_path / "runs", "a", RunPaths(tmp_path / "runs" / "b"))
    b = forked(tmp_path / "runs", "b", a)
    assert len(again(a, b)[1]) == 2


@pytest.mark.parametrize("place", ["\0", "no/where", "/"])
def test_a_parent_at_no_place_is_gone(place: str, tmp_path: Path) -> None:
    fork = forked(tmp_path / "runs", "fork", RunPaths(tmp_path / "x"))
    fork.manifest.write_text(json.dumps({**json.loads(fork.manifest.read_text()), "parent_dir": place}))
    said, lines = again(fork, made(tmp_path / "runs", "other"))
    assert "not to be found any more" in said and len(lines) == 2


def test_runs_of_several_folders_keep_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = made(tmp_path / "x" / "runs", "same"), made(tmp_path / "y" / "runs", "same", seed=1)
    monkeypatch.chdir(tmp_path.parent)
    places = [launched(line).runs_root / str(launched(line).run_id) for line in again(*runs)[1]]
    assert places == [paths.root for paths in runs]
