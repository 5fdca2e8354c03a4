"""Refuse every malformed configuration in one line, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bad_configurations import BAD_FILES, BAD_LINES
from figures import Promise
from learners import Outcome

from mbpo.train import main


def test_each_is_refused_in_one_line_and_makes_no_directory(
    call: Callable[..., Outcome], tmp_path: Path, promise: Promise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [("--total-steps", "1", *arguments) for arguments, _ in BAD_LINES.values()]
    for number, (content, _) in enumerate(BAD_FILES.values()):
        Path(f"bad-{number}.toml").write_bytes(content)
        lines.append(("--config", f"bad-{number}.toml"))
    assert len(lines) >= 50
    before = sorted(tmp_path.iterdir())
    with promise.tries("bad configurations: exit 2, one line, no directory") as tries:
        for line in lines:
            with tries.one():
                outcome = call(main, "--runs-root", "runs", *line)
                assert outcome.error.isprintable()  # and one line of at most 200 characters
                assert (outcome.code, sorted(tmp_path.iterdir())) == (2, before), line
