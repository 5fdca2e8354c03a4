"""Follow a run's what-ifs by their files alone: at work, cut off, answered, damaged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.records.what_if import Answered, ArmAnswer, Unanswered
from mbpo.runs.status import RunStatus, this_process
from mbpo.runs.what_ifs import WhatIfReader, what_if_folder

GONE = {**this_process(), "pid": 0}


def ask(run: Path, step: int, at: int, **changes: Any) -> Path:
    folder = what_if_folder(RunPaths(run), step)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"run": run.name, "step": step, "steps": 100, "forks": ["a-r0-1", "b-r0-1"], "process": this_process()}
    write_json(folder / "asked.json", to_builtins(Unanswered(**{**facts, **changes})))
    os.utime(folder / "asked.json", (at, at))
    return folder


def answer(run: Path, step: int, at: int, **changes: Any) -> Path:
    folder = what_if_folder(RunPaths(run), step)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "what_if.json", {**to_builtins(Answered(step=step, verdict=f"best at {step}")), **changes})
    os.utime(folder / "what_if.json", (at, at))
    return folder


def put_fork(folder: Path, name: str, **status: Any) -> None:
    (folder / name).mkdir(exist_ok=True)
    write_json(folder / name / "status.json", to_builtins(RunStatus(**status)))


def test_a_run_of_which_nothing_was_asked(tmp_path: Path) -> None:
    found = WhatIfReader(tmp_path / "R").poll()
    assert (found.asking, found.answer, found.fault, found.older) == (None, None, "", ())


def test_how_far_one_at_work_has_come(tmp_path: Path) -> None:
    reader = WhatIfReader(tmp_path / "R")
    folder = ask(tmp_path / "R", 600, 10)
    (tmp_path / ".what-if" / "R2@600").mkdir()
    first = reader.poll().asking
    assert first is not None
    assert (first.folder, first.at_work, first.finished, first.learning, first.share) == (folder, True, 0, 0, 0.0)
    put_fork(folder, "a-r0-1", state="finished", env_steps=700)
    put_fork(folder, "b-r0-1", state="running", env_steps=650, **this_process())
    put_fork(folder, "of-another-question", state="running", env_steps=650, **this_process())
    now = reader.poll().asking
    assert now is not None
    assert (now.finished, now.learning, now.share, len(now.asked.forks)) == (1, 1, 0.75, 2)


def test_one_whose_process_is_gone_was_cut_off(tmp_path: Path) -> None:
    reader = WhatIfReader(tmp_path / "R")
    folder = ask(tmp_path / "R", 600, 10, process=GONE)
    put_fork(folder, "a-r0-1", state="diverged", env_steps=620)
    found = reader.poll().asking
    assert found is not None
    assert (found.at_work, found.finished) == (False, 1)
    put_fork(folder, "b-r0-1", state="running", env_steps=620, **this_process())  # its learners outlive it
    found = reader.poll().asking
    assert found is not None and found.at_work


def test_the_newest_answer_counts_and_others_are_named(tmp_path: Path) -> None:
    run = tmp_path / "R"
    middle, newest, oldest = answer(run, 300, 20), answer(run, 100, 30), answer(run, 900, 10)
    reader = WhatIfReader(run)
    found = reader.poll()
    assert found.answer is not None
    assert (found.answer.verdict, found.folder, found.older) == ("best at 100", newest, (middle, oldest))
    assert reader.poll().answer is found.answer  # not parsed again
    ask(run, 300, 25, process=GONE)  # cut off, and something else was asked since
    assert reader.poll().asking is None
    ask(run, 300, 25)
    assert reader.poll().asking is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "R@600/what_if.json cannot be read."),
        ("[1]", "R@600/what_if.json cannot be read."),
        ("{}", "R@600/what_if.json cannot be read."),
        ('{"schema": 2, "verdict": "x"}', "must have schema 1 at most, got 2: use the mbpo that wrote it"),
    ],
)
def test_an_answer_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    folder = answer(tmp_path / "R", 600, 10)
    (folder / "what_if.json").write_text(text)
    found = WhatIfReader(tmp_path / "R").poll()
    assert found.answer is None
    assert words in found.fault and "\n" not in found.fault


def test_a_damaged_question_does_not_hide_the_answer(tmp_path: Path) -> None:
    folder = answer(tmp_path / "R", 600, 10)
    (folder / "asked.json").write_text("{")
    found = WhatIfReader(tmp_path / "R").poll()
    assert found.answer is not None
    assert (found.asking, found.fault) == (None, "R@600/asked.json cannot be read.")


def test_names_of_forks_lead_nowhere_else(tmp_path: Path) -> None:
    put_fork(tmp_path, "other", state="finished")
    ask(tmp_path / "R", 600, 10, forks=["../../other", "/etc", "\0", "a-r0-1"])
    found = WhatIfReader(tmp_path / "R").poll().asking
    assert found is not None and found.finished == 0


def test_figures_of_another_type_are_passed_over(tmp_path: Path) -> None:
    arms = [{"arm": "as it is", "later": 1}, {"arm": "k"}]
    answer(tmp_path / "R", 600, 10, arms=arms, steps="many", later={"x": 1})
    found = WhatIfReader(tmp_path / "R").poll().answer
    assert found is not None
    assert (found.steps, found.arms[1]) == (0, ArmAnswer(arm="k"))
    json.dumps(to_builtins(found))
