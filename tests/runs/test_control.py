"""Steer learners: each command gets exactly one answer, and the loop does what the answer says."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_commands import CHECKS, FIRST, MALFORMED, put_big, put_binary, put_fifo, put_folder, put_link, put_socket
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import DEBUG, LearnerProcess, Outcome, answers_in, python_m, rows, wait_for

from mbpo import train as loop
from mbpo.control import main as control
from mbpo.errors import CommandError, StorageError
from mbpo.lifecycle.training import Training
from mbpo.runs.command import parse_command, send, wait_for_answer
from mbpo.runs.inbox import Inbox
from mbpo.runs.layout import RunPaths
from mbpo.runs.live_control import InForce, LiveControl
from mbpo.runs.writer import RunWriter
from mbpo.train import main as train

Call = Callable[..., Outcome]


class Desk:
    """Answer commands as a learner does, and keep the answers."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.control = LiveControl(CHECKS, FIRST, self.answers.append)

    def handle(self, command: object, fallback_id: str = "fallback") -> dict[str, Any]:
        """Return the one new answer to ``command``."""
        data = command if isinstance(command, bytes) else json.dumps(command).encode()
        before = len(self.answers)
        self.control.handle(data, fallback_id)
        (answer,) = self.answers[before:]
        assert json.dumps(answer, allow_nan=False)
        return answer

    def boundary(self, env_steps: int) -> InForce:
        return self.control.at_boundary(env_steps, lambda paused: None)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_applied_change_says_what_was_and_what_is(desk: Desk) -> None:
    desk.boundary(100)
    answer = desk.handle({"id": "a", "by": "me", "set": {"rollout_length": 3, "real_ratio": 0.5}})
    assert answer == {
        "event": "control",
        "id": "a",
        "status": "applied",
        "at_env_steps": 101,
        "by": "me",
        "old": FIRST,
        "new": {"rollout_length": 3, "real_ratio": 0.5},
        "revision": 1,
    }
    assert desk.boundary(101).settings == {"rollout_length": 3, "real_ratio": 0.5}


def test_auto_gives_k_back(desk: Desk) -> None:
    answer = desk.handle({"id": "a", "set": {"rollout_length": "auto"}})
    assert (answer["status"], answer["old"]) == ("applied", {"rollout_length": 1})
    assert desk.boundary(0).settings["rollout_length"] == "auto"


def test_a_stale_command_changes_nothing(desk: Desk) -> None:
    fresh = {"id": "a", "set": {"real_ratio": 0.5}, "expect_revision": 0}
    assert desk.handle(fresh)["revision"] == 1
    answer = desk.handle({"id": "b", "set": {"real_ratio": 0.9}, "expect_revision": 0})
    assert (answer["status"], answer["revision"]) == ("rejected", 1)
    assert answer["reason"] == "stale: expected revision 0, it is 1"
    assert desk.boundary(0).settings["real_ratio"] == 0.5


def test_an_id_is_answered_once(desk: Desk) -> None:
    command = {"id": "a", "set": {"real_ratio": 0.5}}
    desk.handle(command)
    desk.control.handle(json.dumps(command).encode(), "other")
    desk.control.handle(b'{"id": "a", "action": "stop"}', "other")
    desk.control.handle(b'{"id": "a", "broken', "other")
    assert len(desk.answers) == 1
    assert not desk.boundary(0).stop


def test_pause_and_resume_say_the_state(desk: Desk) -> None:
    answers = [
        desk.handle({"id": str(i), "action": action})
        for i, action in enumerate(["resume", "pause", "pause", "resume", "stop", "pause"])
    ]
    assert [a["status"] for a in answers] == ["rejected", "applied", "rejected", "applied", "applied", "rejected"]
    assert [a.get("new") for a in answers] == [
        None,
        {"state": "paused"},
        None,
        {"state": "running"},
        {"state": "stopping"},
        None,
    ]
    assert [a.get("reason") for a in answers] == [
        "the run is not paused",
        None,
        "the run is already paused",
        None,
        None,
        "the run is stopping",
    ]
    assert desk.boundary(0).stop


def test_a_checkpoint_is_asked_for_once(desk: Desk) -> None:
    desk.handle({"id": "a", "action": "checkpoint"})
    assert desk.boundary(5).checkpoint
    assert not desk.boundary(5).checkpoint


def test_after_a_checkpoint_the_loop_asks_again_at_the_same_boundary(desk: Desk) -> None:
    desk.handle({"id": "a", "action": "checkpoint"})
    assert desk.boundary(5).checkpoint
    # An answer given while the networks are saved names that boundary, not the next.
    assert desk.handle({"id": "b", "set": {"real_ratio": 0.5}})["at_env_steps"] == 5


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_command_is_rejected_with_a_reason_and_changes_nothing(name: str, desk: Desk) -> None:
    data, reason = MALFORMED[name]
    answer = desk.handle(data)
    assert answer["status"] == "rejected"
    assert reason in answer["reason"]
    assert answer["reason"].isprintable()
    assert len(answer["reason"]) <= 200
    assert answer["revision"] == 0
    assert desk.control.settings == FIRST
    assert desk.boundary(0) == InForce(FIRST)


@pytest.mark.parametrize(
    ("data", "answered"),
    [
        (b'{"id": "mine", "action": "explode"}', "mine"),
        (b'{"id": "mine", "action": "stop', "mine"),
        (b'{"by": {"id": "theirs"}, "id": "mine", "action": "stop"}', "mine"),
        (b'{"\\u0069d": "mine", "action": 3}', "mine"),
        (b'{"id": "../x", "action": "stop"}', "file-name"),
        (b"\x00\xff", "file-name"),
    ],
)
def test_a_rejection_names_the_id_that_its_sender_waits_for(data: bytes, answered: str, desk: Desk) -> None:
    assert desk.handle(data, "file-name")["id"] == answered


def test_nesting_of_any_depth_is_rejected(desk: Desk) -> None:
    for depth in (*range(1, 1100), 5_000, 30_000):
        value = b"[" * depth + b"]" * depth
        answer = desk.handle(b'{"id": "d%d", "set": {"real_ratio": %s}}' % (depth, value))
        assert answer["status"] == "rejected"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
NEAR = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", "c"]) | st.text(max_size=70) | JSON,
        "issued_at": st.floats() | JSON,
        "by": st.text(max_size=210) | JSON,
        "set": st.dictionaries(
            st.sampled_from(["rollout_length", "real_ratio", "gamma"]),
            st.integers(-2, 5) | st.floats(-1, 2) | st.just("auto") | JSON,
        ),
        "action": st.sampled_from(["pause", "resume", "checkpoint", "stop", "explode"]) | JSON,
        "expect_revision": st.integers(-1, 3) | JSON,
        "sudo": JSON,
    },
)
MESSAGE = st.binary(max_size=200) | JSON.map(json.dumps) | NEAR.map(json.dumps)


@given(st.lists(MESSAGE, min_size=1, max_size=30))
@settings(max_examples=250)
def test_whatever_comes_is_answered_once_and_never_raises(messages: list[bytes | str]) -> None:
    desk = Desk()
    for number, message in enumerate(messages):
        data = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
        before = {a["id"] for a in desk.answers}
        count = len(desk.answers)
        desk.control.handle(data, f"file-{number}")
        new = desk.answers[count:]
        try:
            spelled = parse_command(data, CHECKS).id
        except CommandError as error:
            assert str(error).isprintable() or len(str(error)) <= 200
        else:
            assert (not new) == (spelled in before)
            assert [a["id"] for a in new] in ([], [spelled])
        assert len(new) <= 1
        for answer in new:
            assert answer["status"] == "applied" or answer["reason"]
            assert len(json.dumps(answer, allow_nan=False)) < 4000
    assert max(Counter(a["id"] for a in desk.answers).values(), default=1) == 1
    applied = [a for a in desk.answers if a["status"] == "applied" and "state" not in a["new"]]
    assert [a["revision"] for a in applied] == list(range(1, len(applied) + 1))
    held = desk.control.settings
    assert held["rollout_length"] == "auto" or 0 <= held["rollout_length"] <= 1000
    assert 0 <= held["real_ratio"] <= 1


@given(st.lists(st.floats(0, 1) | st.none(), min_size=1, max_size=60))
def test_a_change_holds_from_the_boundary_that_its_answer_names(acts: list[float | None]) -> None:
    """``None`` is an env-step boundary, a number a command that comes in between."""
    desk, env_steps, in_force, promised = Desk(), 0, dict[int, float](), dict[int, float]()
    for number, act in enumerate(acts):
        if act is None:
            in_force[env_steps] = desk.boundary(env_steps).settings["real_ratio"]
            env_steps += 1
        else:
            answer = desk.handle({"id": str(number), "set": {"real_ratio": act}})
            assert answer["at_env_steps"] >= env_steps  # never a boundary that has passed
            promised[answer["at_env_steps"]] = act
    value = FIRST["real_ratio"]
    for step in range(env_steps):
        value = promised.get(step, value)
        assert in_force[step] == value


def test_a_pause_waits_and_a_change_meanwhile_holds_from_that_boundary(desk: Desk) -> None:
    seen: list[bool] = []
    desk.boundary(41)
    desk.handle({"id": "p", "action": "pause"})
    orders: list[InForce] = []
    loop = threading.Thread(target=lambda: orders.append(desk.control.at_boundary(42, seen.append)))
    loop.start()
    wait_for(lambda: seen == [True], "the pause")
    answer = desk.handle({"id": "s", "set": {"real_ratio": 0.9}})
    assert answer["at_env_steps"] == 42
    assert loop.is_alive()
    assert desk.handle({"id": "r", "action": "resume"})["at_env_steps"] == 42
    loop.join(5)
    assert seen == [True, False]
    assert orders == [InForce({**FIRST, "real_ratio": 0.9})]


@pytest.mark.parametrize("how", ["stop", "signal"])
def test_a_paused_run_can_be_stopped(how: str, desk: Desk) -> None:
    desk.handle({"id": "p", "action": "pause"})
    orders: list[InForce] = []
    loop = threading.Thread(target=lambda: orders.append(desk.boundary(3)))
    loop.start()
    if how == "stop":
        desk.handle({"id": "s", "action": "stop"})
    else:
        desk.control.request_stop()
    loop.join(5)
    assert orders[0].stop


# The inbox


@pytest.fixture
def inbox(tmp_path: Path, desk: Desk) -> tuple[RunPaths, Inbox]:
    paths = RunPaths(tmp_path)
    paths.inbox.mkdir()
    return paths, Inbox(paths, desk.control)


PLANTED = [put_fifo, put_folder, put_socket, put_link, put_big, put_binary]


@pytest.mark.parametrize("put", PLANTED, ids=lambda put: put.__name__.removeprefix("put_"))
def test_a_thing_that_is_no_command_is_answered_once_and_leaves(
    put: Callable[[Path], None], inbox: tuple[RunPaths, Inbox], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, reader = inbox
    monkeypatch.chdir(paths.root)  # a socket's path must be short
    put(Path("control") / "big.json")
    for _ in range(3):
        reader.poll()
    (answer,) = desk.answers
    assert (answer["id"], answer["status"]) == ("big", "rejected")
    assert list(paths.inbox.iterdir()) == []
    assert not desk.boundary(0).stop


def test_a_folder_that_holds_something_is_answered_once_and_kept(inbox: tuple[RunPaths, Inbox], desk: Desk) -> None:
    paths, reader = inbox
    (paths.inbox / "kept").mkdir()
    (paths.inbox / "kept" / "thesis.tex").write_text("years")
    for _ in range(3):
        reader.poll()
    assert [a["id"] for a in desk.answers] == ["kept"]
    assert (paths.inbox / "kept" / "thesis.tex").read_text() == "years"


def test_commands_are_answered_oldest_first(inbox: tuple[RunPaths, Inbox], desk: Desk) -> None:
    paths, reader = inbox
    ids = [send(paths, settings={"real_ratio": i / 10}) for i in range(10)]
    for age, command_id in enumerate(ids):
        os.utime(paths.inbox / f"{command_id}.json", ns=(age, age))
    reader.poll()
    assert [a["id"] for a in desk.answers] == ids
    assert desk.control.settings["real_ratio"] == 0.9


def test_a_file_that_is_still_being_written_waits(inbox: tuple[RunPaths, Inbox], desk: Desk) -> None:
    paths, reader = inbox
    (paths.inbox / ".half.json.77.tmp").write_text('{"id": "half"')
    reader.poll()
    assert desk.answers == []
    assert len(list(paths.inbox.iterdir())) == 1


def test_a_command_whose_answer_cannot_be_written_waits_for_space(tmp_path: Path) -> None:
    paths, full, written = RunPaths(tmp_path), [True], list[dict[str, Any]]()
    paths.inbox.mkdir()

    def answer(row: dict[str, Any]) -> None:
        if full[0]:
            raise StorageError("no space left")
        written.append(row)

    live = LiveControl(CHECKS, FIRST, answer)
    reader = Inbox(paths, live)
    command_id = send(paths, settings={"real_ratio": 0.7})
    with pytest.raises(StorageError):
        reader.poll()
    assert live.settings == FIRST  # what has no answer is not in force
    full[0] = False
    reader.poll()
    assert [a["id"] for a in written] == [command_id]
    assert live.settings["real_ratio"] == 0.7
    assert list(paths.inbox.iterdir()) == []


def test_two_controllers_of_500_commands_lose_and_double_none(inbox: tuple[RunPaths, Inbox], desk: Desk) -> None:
    paths, reader = inbox
    sent: list[list[str]] = [[], []]

    def controller(number: int) -> None:
        for turn in range(500):
            sent[number].append(send(paths, settings={"real_ratio": turn / 1000}))

    threads = [threading.Thread(target=controller, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        reader.poll()
    reader.poll()
    assert Counter(a["id"] for a in desk.answers) == Counter(itertools.chain(*sent))
    assert [a["revision"] for a in desk.answers] == list(range(1, 1001))
    assert list(paths.inbox.iterdir()) == []


def test_the_sender_is_told_when_the_inbox_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        send(RunPaths(tmp_path / "gone"), action="pause")


# In the loop


class Script:
    """Give commands at chosen moments of a learner in this process, and watch the loop obey."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ratios: dict[int, float] = {}  # in force in the step from this boundary
        self.during_refit: dict[int, list[dict[str, Any]]] = {}
        self.during_save: list[dict[str, Any]] = []
        self.at: dict[int, list[dict[str, Any]]] = {}
        self._patch(monkeypatch)

    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refit, update, boundary = loop.refit_and_imagine, loop.update_policy, RunWriter.at_boundary

        def spied_refit(training: Training, env_steps: int, order: Any) -> None:
            self._give(training.reports.writer, self.during_refit.pop(env_steps, []))
            refit(training, env_steps, order)

        def spied_update(training: Training, env_steps: int, settings: Any) -> None:
            self.ratios[env_steps - 1] = settings["real_ratio"]
            update(training, env_steps, settings)

        def spied_boundary(run: RunWriter, env_steps: int) -> InForce:
            self._give(run, self.at.pop(env_steps, []))
            order = boundary(run, env_steps)
            if order.checkpoint:
                self._give(run, self.during_save)
            return order

        monkeypatch.setattr(loop, "refit_and_imagine", spied_refit)
        monkeypatch.setattr(loop, "update_policy", spied_update)
        monkeypatch.setattr(RunWriter, "at_boundary", spied_boundary)

    def _give(self, run: RunWriter, commands: list[dict[str, Any]]) -> None:
        for command in commands:
            run.control.handle(json.dumps({"id": str(uuid.uuid4()), **command}).encode(), "x")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    return Script(monkeypatch)


def test_the_loop_obeys_from_the_boundary_that_the_answer_names(script: Script, call: Call, tmp_path: Path) -> None:
    script.at[120] = [{"set": {"real_ratio": 0.5}}]
    script.during_refit[150] = [{"set": {"real_ratio": 0.75, "rollout_length": 3}}]
    script.at[180] = [{"action": "checkpoint"}]
    script.during_save = [{"set": {"real_ratio": 1.0}}]
    script.at[210] = [{"action": "stop"}]
    outcome = call(train, *DEBUG, "--runs-root", tmp_path, "--run-id", "r")
    assert outcome.code == 0
    paths = RunPaths(tmp_path / "r")
    changes = {0: 0.2} | {
        a["at_env_steps"]: a["new"]["real_ratio"] for a in answers_in(paths) if "real_ratio" in a["new"]
    }
    assert list(changes) == [0, 120, 151, 180]
    assert sorted(script.ratios) == list(range(100, 210))
    for step, ratio in script.ratios.items():
        assert ratio == changes[max(at for at in changes if at <= step)], step
    assert json.loads((paths.checkpoints / "index.json").read_text())["requested"] == ("step-000000180")
    refits = {
        row["env_steps"]: row["rollout/length_measured"]
        for row in rows(paths.metrics)
        if "rollout/length_measured" in row
    }
    assert refits == {100: 1, 150: 1}  # at 200 the mix is all real: nothing is imagined


def test_the_loop_obeys_new_intervals_updates_and_schedule(script: Script, call: Call, tmp_path: Path) -> None:
    script.at[110] = [
        {"set": {"model_train_freq": 20, "updates_per_step": 4}},
        {"set": {"rollout_length": "auto", "rollout_schedule": [0, 0, 3, 3]}},
    ]
    flags = ("--total-steps", "200", "--log-every", "10", "--updates-per-step", "1")
    assert call(train, *DEBUG, *flags, "--runs-root", tmp_path, "--run-id", "r").code == 0
    paths = RunPaths(tmp_path / "r")
    assert [a["old"] for a in answers_in(paths)] == [
        {"model_train_freq": 50, "updates_per_step": 1},
        {"rollout_length": 1, "rollout_schedule": [20.0, 150.0, 1.0, 1.0]},
    ]
    metrics = rows(paths.metrics)
    refits = {r["env_steps"]: r["rollout/length_measured"] for r in metrics if "model/epochs" in r}
    assert refits == {100: 1, 120: 3, 140: 3, 160: 3, 180: 3}
    updates = {r["env_steps"]: r["sac/updates"] for r in metrics if "sac/updates" in r}
    assert updates == {at: 10 + 4 * (at - 110) for at in range(110, 201, 10)}


def test_a_schedule_that_goes_back_in_time_is_refused(desk: Desk) -> None:
    answer = desk.handle({"id": "a", "set": {"rollout_schedule": [5, 3, 1, 2]}})
    assert (answer["status"], answer["reason"]) == (
        "rejected",
        "rollout_schedule must have e0 ≤ e1, got 5 > 3: give e0,e1,k0,k1",
    )


def test_a_paused_run_saves_a_checkpoint_and_stands_still(script: Script, call: Call, tmp_path: Path) -> None:
    script.at[130] = [{"action": "pause"}, {"action": "checkpoint"}]
    script.during_save = [{"action": "stop"}]
    outcome = call(train, *DEBUG, "--runs-root", tmp_path, "--run-id", "r")
    assert outcome.code == 0
    assert "stopped at 130 env steps" in outcome.out
    (requested, stop) = answers_in(RunPaths(tmp_path / "r"))[1:]
    assert (requested["at_env_steps"], stop["at_env_steps"]) == (130, 130)


# A learner in a process of its own


def newest_answer(outcome: Outcome) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(outcome.out)
    return answer


def test_a_running_learner_answers_within_a_second_and_follows(live_learner: LearnerProcess, call: Call) -> None:
    run = live_learner.paths.root
    for k, ratio, measured in ((3, 0.5, 0.5), (2, 0.2, 6 / 32)):
        start = time.monotonic()
        outcome = call(control, run, "set", f"rollout_length={k}", f"real_ratio={ratio}")
        assert time.monotonic() - start < 1.0
        assert outcome.code == 0
        answer = newest_answer(outcome)
        assert answer["new"] == {"rollout_length": k, "real_ratio": ratio}
        wait_for(lambda k=k: live_learner.newest("rollout/length_measured") == k, f"k {k}")
        wait_for(lambda m=measured: live_learner.newest("mix/real_ratio_measured") == m, f"measured ratio {measured}")
        for row in rows(live_learner.paths.metrics):
            if row.get("rollout/length_measured") == k:
                assert row["rollout/length"] == k
    status = wait_for(lambda: live_learner.status if live_learner.status.revision >= 2 else None, "the status")
    assert status.interactive
    assert {**status.controls, "rollout_length": 2, "real_ratio": 0.2} == status.controls


def test_a_running_learner_pauses_answers_and_resumes(live_learner: LearnerProcess, call: Call) -> None:
    run = live_learner.paths.root
    assert call(control, run, "pause").code == 0
    try:
        wait_for(lambda: live_learner.status.state == "paused", "the pause")
        stood = live_learner.status.env_steps
        start = time.monotonic()
        outcome = call(control, run, "set", "rollout_length=auto")
        assert time.monotonic() - start < 1.0
        answer = newest_answer(outcome)
        assert (answer["status"], answer["at_env_steps"]) == ("applied", stood)
        assert call(control, run, "pause").code == 1
        checkpoint = call(control, run, "checkpoint")
        assert newest_answer(checkpoint)["at_env_steps"] == stood
        saved = live_learner.paths.checkpoints / f"step-{stood:09d}"
        wait_for((saved / "manifest.json").exists, "the checkpoint")
        beat = live_learner.status.heartbeat
        wait_for(lambda: live_learner.status.heartbeat > beat, "a heartbeat")
        assert (live_learner.status.state, live_learner.status.env_steps) == ("paused", stood)
    finally:
        resumed = call(control, run, "resume")
    assert resumed.code == 0
    live_learner.wait_for_env_steps(stood + 20)
    assert live_learner.status.state == "running"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["set", "rollout_length=1001"], "rollout_length must be a whole number in [0, 1000]"),
        (["set", "real_ratio=1.5"], "real_ratio must lie in [0, 1], got 1.5"),
        (["set", "real_ratio=nan"], "real_ratio must lie in [0, 1], got nan"),
        (["set", "real_ratio=NaN"], "real_ratio must lie in [0, 1], got NaN"),
        (["set", "real_ratio=1e999"], "real_ratio must lie in [0, 1]"),
        (["set", "gamma=0.9"], "'gamma' cannot change in a running learner"),
        (["set", "real_ratio=0.1", "--expect-revision", "999"], "stale: expected revision 999"),
        (["resume"], "the run is not paused"),
    ],
)
def test_a_running_learner_rejects_with_a_reason(
    arguments: list[str], reason: str, live_learner: LearnerProcess, call: Call
) -> None:
    before = live_learner.status.controls
    outcome = call(control, live_learner.paths.root, *arguments)
    assert outcome.code == 1
    assert newest_answer(outcome)["status"] == "rejected"
    assert reason in newest_answer(outcome)["reason"]
    assert live_learner.status.controls == before


def test_a_running_learner_survives_what_is_planted_in_its_inbox(live_learner: LearnerProcess, call: Call) -> None:
    paths = live_learner.paths
    names = []
    for put in (put_fifo, put_folder, put_link, put_big, put_binary):
        path = paths.inbox / f"{put.__name__}-{uuid.uuid4()}"
        names.append("big" if put is put_big else path.name)
        put(path)
    deep = f"deep-{uuid.uuid4()}"
    (paths.inbox / deep).write_bytes(b'{"set": ' + b"[" * 985 + b"]" * 985 + b"}")
    same = {"id": str(uuid.uuid4()), "set": {"real_ratio": 0.3}}
    for copy in range(3):
        temporary = paths.inbox / f".{copy}"
        temporary.write_text(json.dumps(same))
        temporary.rename(paths.inbox / f"same-{copy}.json")
    names += [deep, str(same["id"])]
    wait_for(lambda: not list(paths.inbox.iterdir()), "an empty inbox")
    assert call(control, paths.root, "set", "real_ratio=0.2").code == 0  # after all of them
    counted = Counter(a["id"] for a in answers_in(paths))
    assert {name: counted[name[:64]] for name in names} == dict.fromkeys(names, 1)


def test_two_controllers_of_a_running_learner_lose_and_double_none(live_learner: LearnerProcess) -> None:
    paths = live_learner.paths
    sent: list[list[str]] = [[], []]

    def controller(number: int) -> None:
        for turn in range(40):
            sent[number].append(send(paths, settings={"real_ratio": 0.2}, by=f"{number} {turn}"))
        assert wait_for_answer(paths, sent[number][-1]) is not None

    threads = [threading.Thread(target=controller, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {*itertools.chain(*sent)}
    assert len(ids) == 80

    def answered() -> list[dict[str, Any]]:
        return [a for a in answers_in(paths) if a["id"] in ids]

    wait_for(lambda: len(answered()) >= 80, "80 answers")
    assert Counter(a["id"] for a in answered()) == Counter(ids)
    assert {a["status"] for a in answered()} == {"applied"}
    revisions = [a["revision"] for a in answered()]
    assert revisions == list(range(revisions[0], revisions[0] + 80))


def test_the_name_of_a_running_learner_cannot_be_taken(live_learner: LearnerProcess, call: Call) -> None:
    root, before = live_learner.paths.root, rows(live_learner.paths.metrics)
    outcome = call(train, *DEBUG, "--runs-root", root.parent, "--run-id", root.name)
    assert outcome.code == 7
    assert f"in use by process {live_learner.process.pid}" in outcome.error
    assert rows(live_learner.paths.metrics)[: len(before)] == before


def test_stop_ends_a_learner_well(start_learner: Callable[..., LearnerProcess]) -> None:
    learner = start_learner("--total-steps", "1000000")
    learner.wait_for_env_steps(50)
    command = python_m("mbpo.control", str(learner.paths.root), "stop", cwd=learner.stdout.parent)
    out, err = command.communicate(timeout=60)
    assert (command.returncode, err) == (0, "")
    assert json.loads(out)["new"] == {"state": "stopping"}
    assert learner.exit_code() == 0
    status = learner.status
    assert (status.state, status.exit_code, status.reason) == ("stopped", 0, "stop requested")
    assert learner.stderr.read_text() == ""


# The command itself


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set"], "set needs NAME=VALUE"),
        (["set", "rollout_length"], "expected NAME=VALUE, got 'rollout_length'"),
        (["pause", "now"], "pause takes no value, got 'now'"),
        (["explode"], "choose from"),
        (["pause", "--timeout", "soon"], "--timeout"),
        (["pause", "--timeout", "nan"], "--timeout"),
        (["pause", "--expect-revision", "x"], "--expect-revision"),
        (["pause", "--force"], "unknown argument --force"),
    ],
)
def test_a_malformed_control_line_is_refused(
    arguments: list[str], words: str, call: Call, finished_run: RunPaths
) -> None:
    outcome = call(control, finished_run.root, *arguments)
    assert outcome.code == 2
    assert words in outcome.error
    assert list(finished_run.inbox.iterdir()) == []


def test_an_ended_run_rejects_at_once(call: Call, finished_run: RunPaths) -> None:
    outcome = call(control, finished_run.root, "pause")
    assert (outcome.code, outcome.out) == (1, "rejected: the run is finished\n")
    assert list(finished_run.inbox.iterdir()) == []


def test_a_folder_that_is_no_run_is_named(call: Call, tmp_path: Path) -> None:
    outcome = call(control, tmp_path, "pause")
    assert outcome.code == 5
    assert "is not a run directory" in outcome.error


def test_a_user_without_a_name_can_steer(
    live_learner: LearnerProcess, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.setattr("getpass.getuser", nameless)
    outcome = call(control, live_learner.paths.root, "set", "real_ratio=0.2")
    assert outcome.code == 0
    assert newest_answer(outcome)["by"].endswith("(command line)")


def test_the_command_line_of_control_starts_without_torch() -> None:
    code = "import sys, mbpo.control; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
