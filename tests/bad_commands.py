"""List malformed commands with words of their refusal, and things that are put where a command should lie."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from mbpo.runs.command import MAX_COMMAND_BYTES
from mbpo.settings.config import LIVE_SETTINGS

CHECKS = {name: setting.check for name, setting in LIVE_SETTINGS.items()}

FIRST = {"rollout_length": 1, "real_ratio": 0.2}

BIG = b'{"id": "big", "by": "' + b"x" * MAX_COMMAND_BYTES + b'", "action": "stop"}'

MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "expected JSON"),
    "binary": (bytes(range(256)), "expected JSON"),
    "not json": (b"pause", "expected JSON"),
    "cut short": (b'{"id": "a", "action": "pau', "expected JSON"),
    "two objects": (b'{"id":"a","action":"pause"}{}', "expected JSON"),
    "a list": (b"[]", "expected a JSON object, got list"),
    "null": (b"null", "expected a JSON object"),
    "deep": (b"[" * 60_000, "nested too deep"),
    "oversized": (BIG, "expected at most 65536 bytes"),
    "nan": (b'{"id": "a", "set": {"real_ratio": NaN}}', "NaN is not a finite number"),
    "infinity": (b'{"id": "a", "set": {"real_ratio": -Infinity}}', "-Infinity is not a finite"),
    "overflow": (b'{"id": "a", "set": {"real_ratio": 1e999}}', "real_ratio must lie in [0, 1]"),
    "non-finite date": (b'{"id": "a", "issued_at": 1e999, "action": "pause"}', "issued_at"),
    "deep date": (b'{"id":"a","issued_at":' + b"[" * 90 + b"]" * 90 + b',"action":"pause"}', "iss"),
    "long number": (b'{"id": "a", "set": {"rollout_length": ' + b"9" * 5000 + b"}}", "expected"),
    "no id": (b'{"action": "pause"}', "id must be"),
    "number as id": (b'{"id": 3, "action": "pause"}', "id must be"),
    "path as id": (b'{"id": "../a", "action": "pause"}', "id must be"),
    "long id": (b'{"id": "' + b"a" * 65 + b'", "action": "pause"}', "id must be"),
    "unknown key": (b'{"id": "a", "action": "pause", "sudo": 1}', "unknown key 'sudo'"),
    "neither": (b'{"id": "a"}', 'expected either "set" or "action"'),
    "both": (b'{"id": "a", "set": {"real_ratio": 0}, "action": "stop"}', "expected either"),
    "unknown action": (b'{"id": "a", "action": "explode"}', "action must be one of pause, resume"),
    "action list": (b'{"id": "a", "action": ["stop"]}', "action must be one of"),
    "empty set": (b'{"id": "a", "set": {}}', "at least one setting"),
    "set list": (b'{"id": "a", "set": [1]}', "at least one setting"),
    "not live": (b'{"id": "a", "set": {"gamma": 0.9}}', "cannot change in a running learner"),
    "above range": (b'{"id": "a", "set": {"rollout_length": 1001}}', "in [0, 1000]"),
    "below range": (b'{"id": "a", "set": {"rollout_length": -1}}', "in [0, 1000]"),
    "fraction": (b'{"id": "a", "set": {"rollout_length": 2.5}}', "whole number"),
    "truth": (b'{"id": "a", "set": {"real_ratio": true}}', "real_ratio must lie in [0, 1]"),
    "text": (b'{"id": "a", "set": {"real_ratio": "0.5"}}', "real_ratio must lie in [0, 1]"),
    "auto": (b'{"id": "a", "set": {"real_ratio": "auto"}}', "real_ratio must lie in [0, 1]"),
    "one of two": (b'{"id":"a","set":{"rollout_length":3,"real_ratio":2}}', "real_ratio must"),
    "a key twice": (b'{"id":"a","action":"pause","action":"stop"}', "a key stands twice"),
    "by is a number": (b'{"id": "a", "by": 3, "action": "pause"}', "by must be text"),
    "by is long": (b'{"id":"a","by":"' + b"x" * 201 + b'","action":"stop"}', "by must be text"),
    "revision text": (b'{"id":"a","action":"stop","expect_revision":"0"}', "expect_revision must"),
    "revision truth": (b'{"id":"a","action":"stop","expect_revision":false}', "expect_revision"),
    "revision below": (b'{"id":"a","action":"stop","expect_revision":-1}', "expect_revision must"),
}


def put_fifo(path: Path) -> None:
    os.mkfifo(path)


def put_folder(path: Path) -> None:
    path.mkdir()


def put_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def put_link(path: Path) -> None:
    target = path.absolute().parent.parent / "target.json"
    target.write_text('{"id": "linked", "action": "stop"}')
    path.symlink_to(target)


def put_big(path: Path) -> None:
    path.write_bytes(BIG)


def put_binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))
