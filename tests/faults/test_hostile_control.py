"""Throw anything at a learner's inbox: it lives, and each thing has exactly one answer."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bad_commands import CHECKS, FIRST, MALFORMED, put_fifo, put_folder, put_link
from figures import Promise, figure
from learners import ENDLESS, LearnerProcess, answers_in, wait_for

from mbpo.runs.command import MAX_COMMAND_BYTES, send, wait_for_answer
from mbpo.runs.inbox import Inbox
from mbpo.runs.layout import RunPaths
from mbpo.runs.live_control import LiveControl

MESSAGES = figure(fast=1000, full=10_000)
TO_A_PROCESS = figure(fast=100, full=2000)  # of messages
AT_ONCE = 20  # of them lie in the inbox
COMMANDS = figure(fast=15, full=500)  # of each of two controllers
ASKED = figure(fast=8, full=60)  # how often in each phase


def valid(rng: random.Random) -> dict[str, Any]:
    """Return a command that steers, but neither stops nor pauses."""
    settings = {"rollout_length": rng.randint(0, 3), "real_ratio": rng.random()}
    return {"id": str(uuid.UUID(int=rng.getrandbits(128))), "by": "x", "set": settings}


def mutated(rng: random.Random) -> bytes:
    """Return a command with something done to it."""
    data = bytearray(json.dumps(valid(rng)).encode())
    how = rng.randrange(9)
    if how == 0:
        return rng.choice(list(MALFORMED.values()))[0]
    if how == 1:
        return rng.randbytes(rng.randrange(300))
    if how == 2:
        del data[rng.randrange(len(data)) :]
    elif how == 3:
        depth = rng.randint(1, 30_000)
        return b'{"id": "a", "set": ' + b"[" * depth + b"]" * depth + b"}"
    elif how == 4:
        return bytes(data[:-1]) + b', "by": "' + b"x" * rng.randint(1, 2 * MAX_COMMAND_BYTES) + b'"}'
    elif how == 5:
        at = rng.randrange(len(data))
        data[at:at] = rng.choice([b"\xff", b"\0", b"NaN", b'"', b"{", b"1e999", b"\xed\xa0\x80"])
    elif how == 6:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == 7:
        return bytes(data).replace(b'"by"', b'"set"')  # a key twice
    return bytes(data)


def put(path: Path, rng: random.Random) -> None:
    """Put a mutated command, or something else, into the inbox, whole at once."""
    temporary = path.with_name(f".{path.name}")
    how = rng.randrange(40)
    if how == 0:
        put_fifo(temporary)
    elif how == 1:
        put_folder(temporary)
    elif how == 2 and not (path.parent.parent / "target.json").exists():
        put_link(temporary)
    elif how == 3:
        temporary.symlink_to("/dev/zero")
    else:
        temporary.write_bytes(mutated(rng))
    temporary.rename(path)


def test_whatever_lies_in_the_inbox_is_answered_once(tmp_path: Path, promise: Promise) -> None:
    rng, paths, found = random.Random(1), RunPaths(tmp_path), list[dict[str, Any]]()
    paths.inbox.mkdir()
    control = LiveControl(CHECKS, FIRST, found.append)
    inbox = Inbox(paths, control)
    with promise.tries("fuzzed messages: 0 crashes, one answer each") as tries:
        for number in range(MESSAGES):
            path, before = paths.inbox / f"m{number}.json", len(found)
            put(path, rng)
            with tries.one():
                inbox.poll()
                new = found[before:]
                assert not os.path.lexists(path)
                assert len(new) == 1 or (not new and before)  # none: the id has its answer
                assert all(json.dumps(answer, allow_nan=False) for answer in new)
                assert all(a["status"] == "applied" or a["reason"].isprintable() for a in new)
        assert max(Counter(answer["id"] for answer in found).values()) == 1
        assert {answer["status"] for answer in found} == {"applied", "rejected"}
        assert len(found) > MESSAGES // 2


# A learner in a process of its own


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LearnerProcess]:
    """Share a learner that is nearly always in a long refit or a long evaluation."""
    started = LearnerProcess.start(
        tmp_path_factory.mktemp("slow"),
        *ENDLESS,
        "--log-every",
        "1",
        "--eval-every",
        "2",
        "--eval-episodes",
        "10",
        "--warmup-steps",
        "60",
        "--model-train-freq",
        "1",
        "--model-max-epochs",
        "800",
        "--model-patience",
        "800",
    )
    wait_for(started.paths.status.exists, "the status")
    yield started
    started.kill()


def answer_to(paths: RunPaths, command_id: str) -> dict[str, Any]:
    answer = wait_for_answer(paths, command_id)
    assert answer is not None
    return answer


def test_a_learner_lives_through_them(learner: LearnerProcess, promise: Promise) -> None:
    rng, paths, ids = random.Random(2), learner.paths, list[str]()
    with promise.tries("fuzzed messages to a process: it lives") as tries:
        for first in range(0, TO_A_PROCESS, AT_ONCE):
            for number in range(first, first + AT_ONCE):
                put(paths.inbox / f"m{number}.json", rng)
            with tries.one(AT_ONCE):
                ids.append(send(paths, settings={"real_ratio": 0.5}))  # one in between is as good as ever
                assert answer_to(paths, ids[-1])["status"] == "applied"
                wait_for(lambda: learner.process.poll() is not None or not any(paths.inbox.iterdir()), "an empty inbox")
                assert learner.process.poll() is None
        counted = Counter(answer["id"] for answer in answers_in(paths))
        assert max(counted.values()) == 1
        assert all(counted[command_id] == 1 for command_id in ids)
        learner.wait_for_env_steps(int(learner.newest("env_steps")) + 1)
        assert "Traceback" not in learner.stderr.read_text()


def test_two_controllers_that_expect_a_revision_lose_and_double_nothing(
    learner: LearnerProcess, promise: Promise
) -> None:
    """Each sends on the revision that its newest answer named, so that one of two is stale."""
    paths, sent = learner.paths, list[str]()
    begun = answer_to(paths, send(paths, settings={"real_ratio": 0.5}))["revision"]

    def controller(number: int) -> None:
        revision = begun
        for turn in range(COMMANDS):
            ratio = round((number * COMMANDS + turn) / (2 * COMMANDS), 6)
            command = send(paths, settings={"real_ratio": ratio}, expect_revision=revision)
            sent.append(command)
            answer = answer_to(paths, command)
            if answer["status"] == "applied":
                assert answer["revision"] == revision + 1
            else:
                assert f"stale: expected revision {revision}, it is" in answer["reason"]
            revision = answer["revision"]

    with promise.tries("commands of two controllers: 0 lost, 0 doubled") as tries:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(controller, range(2)))
        answers = [answer for answer in answers_in(paths) if answer["id"] in set(sent)]
        counted = Counter(answer["id"] for answer in answers)
        for command in sent:
            with tries.one():
                assert counted[command] == 1
        assert len(sent) == 2 * COMMANDS
    applied = [answer for answer in answers if answer["status"] == "applied"]
    revisions = [answer["revision"] for answer in applied]
    assert revisions == list(range(begun + 1, begun + 1 + len(applied)))
    olds = [answer["old"] for answer in applied][1:]
    assert olds == [answer["new"] for answer in applied][:-1]  # each on the one before
    status = wait_for(lambda: learner.status if learner.status.revision == revisions[-1] else None, "the status")
    assert status.controls["real_ratio"] == applied[-1]["new"]["real_ratio"]


@pytest.mark.parametrize("phase", ["refit", "evaluation", "paused"])
def test_an_answer_comes_within_a_second(phase: str, learner: LearnerProcess, promise: Promise) -> None:
    paths, waited = learner.paths, list[float]()
    if phase == "paused":
        answer_to(paths, send(paths, action="pause"))
    try:
        while len(waited) < ASKED:
            wait_for(lambda: phase in (learner.status.phase, learner.status.state), phase)
            start = time.monotonic()
            answer = answer_to(paths, send(paths, settings={"real_ratio": 0.5}))
            waited.append(time.monotonic() - start)
            assert answer["status"] == "applied"
    finally:
        within = sum(seconds <= 1.0 for seconds in waited)
        p95 = statistics.quantiles(waited, n=20)[-1] if len(waited) > 1 else math.inf
        promise.seen(f"answers within 1 s, {phase}", within, ASKED, f"p95 {p95:.2f} s")
        if phase == "paused":
            answer_to(paths, send(paths, action="resume"))
    assert p95 <= 1.0, waited
