from __future__ import annotations

import math
from pathlib import Path

import pytest

from mbpo.settings.config import SETTINGS
from workbench.changes import change_of, changes_in, described
from workbench.dials import turned
from workbench.messages import RunRow
from workbench.promises import DEBOUNCE_S, Promises

RUNNING = RunRow(Path("r"), "running")
ANSWER = {
    "event": "control",
    "id": "x",
    "status": "applied",
    "at_env_steps": 1210,
    "old": {"rollout_length": 1},
    "new": {"rollout_length": 3},
    "by": "workbench",
}


def test_presses_in_quick_succession_become_one_command() -> None:
    promises = Promises()
    for value in (2, 3, 4):
        promises.draft("rollout_length", value, now=0.0)
    promises.draft("real_ratio", 0.1, now=0.1)
    assert promises.due(0.1 + DEBOUNCE_S / 2) is None
    assert promises.asked("rollout_length") == 4
    promise = promises.due(0.1 + DEBOUNCE_S)
    assert promise is not None and promise.settings == {"rollout_length": 4, "real_ratio": 0.1}
    assert promises.due(9.0) is None
    assert promises.asked("rollout_length") == 4  # still on its way
    assert promises.pending({"rollout_length": 1}) == ["k 1 → 4, real_ratio → 0.1"]


def test_an_answer_settles_its_promise_in_either_order() -> None:
    promises = Promises()
    promise = promises.promise({"rollout_length": 3})
    changes = {c.command_id: c for c in changes_in([ANSWER])}
    assert promises.settle(changes, RUNNING, 0.0) == []  # the id is not known yet
    promises.sent(promise.token, "x", "")
    (settled,) = promises.settle(changes, RUNNING, 0.0)
    assert settled.text == "k 1 → 3 applied @ 1,210"
    assert promises.pending({}) == []


def test_a_rejection_says_what_was_asked_and_why() -> None:
    promises = Promises()
    promise = promises.promise({"rollout_length": 3})
    promises.sent(promise.token, "x", "")
    answer = {
        "event": "control",
        "id": "x",
        "status": "rejected",
        "at_env_steps": 5,
        "reason": "stale: expected revision 1, it is 2",
    }
    (settled,) = promises.settle({"x": change_of(answer)}, RUNNING, 0.0)
    assert settled.text == "k → 3 rejected: stale: expected revision 1, it is 2"


@pytest.mark.parametrize(("state", "words"), [("lost", "was lost"), ("finished", "had finished")])
def test_a_run_that_is_gone_answers_nothing(state: str, words: str) -> None:
    promises = Promises()
    promises.promise({"rollout_length": 3}, now=0.0)
    gone = RunRow(Path("r"), state)
    assert promises.settle({}, gone, 0.5) == []  # its last answers may still be read
    (failed,) = promises.settle({}, gone, 2.0)
    assert failed.text == f"k → 3 unanswered: the run {words} before it answered"
    assert promises.settle({}, gone, 3.0) == []


def test_what_cannot_be_sent_is_no_promise() -> None:
    promises = Promises()
    promise = promises.promise(action="pause")
    promises.sent(promise.token, "", "cannot write: disk full")
    assert promises.waiting == []
    assert promises.failures[0].text == "pause unanswered: cannot write: disk full"


def test_changes_by_others_name_them() -> None:
    change = change_of({**ANSWER, "by": "mbpo.control"})
    assert change.text == "k 1 → 3 applied @ 1,210 by mbpo.control"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"old": 3, "new": [1]},
        {"at_env_steps": "x"},
        {"at_env_steps": 1e308},
        {"reason": {"a": "\x1b"}},
        {"new": {"\x1b[": "\u202e"}},
        {"id": None, "by": 3},
    ],
)
def test_malformed_answers_are_read_all_the_same(event: dict[str, object]) -> None:
    change = change_of({"event": "control", "status": "applied", **event})
    assert "\x1b" not in change.text and "\u202e" not in change.text
    assert math.isnan(change.at) or change.at >= 0


def test_turns() -> None:
    assert turned(SETTINGS["rollout_length"], 3, 1) == 4
    assert turned(SETTINGS["rollout_length"], 0, -1) == 0
    assert turned(SETTINGS["rollout_length"], 1000, 1) == 1000
    assert turned(SETTINGS["real_ratio"], 0.05, 1) == 0.1
    assert turned(SETTINGS["real_ratio"], 0.12, -1) == 0.1
    assert turned(SETTINGS["real_ratio"], 1.0, 1) == 1.0
    assert described({"real_ratio": 0.1}, {"real_ratio": 0.05}) == "real_ratio 0.05 → 0.1"
