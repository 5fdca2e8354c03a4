"""Count tries that do not hold: the table shows them, and the test fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TRIED = """
import pytest

def test_counted(promise):
    with promise.tries("counted") as tries:
        tries.note = "3 MiB"
        for number in range(4):
            with tries.one(5):
                assert number != 1

def test_that_ends_early(promise):
    with promise.tries("ends early") as tries:
        with tries.one():
            pass
        raise OSError

def test_that_tries_nothing(promise):
    with promise.tries("never tried"):
        pass

@pytest.mark.promise("marked")
@pytest.mark.parametrize("number", range(4))
def test_marked(number):
    if number == 0:
        pytest.skip("not here")
    assert number != 2
"""
SHOWN = """\
| promise | held | of | seconds | |
|---|---:|---:|---:|---|
| counted | 15 | 20 | 0 | 3 MiB |
| ends early | 1 | 1 | 0 |  |
| marked | 2 | 3 | 0 |  |
| never tried | 0 | 0 | 0 |  |
"""


def test_a_try_that_does_not_hold_is_counted_and_fails_its_test(tmp_path: Path) -> None:
    for name in ("conftest.py", "figures.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    (tmp_path / "test_tried.py").write_text(TRIED)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = promise(name)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    table = {"MBPO_FAULTS_TABLE": str(tmp_path / "table.md"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=table, capture_output=True, text=True)
    assert "4 failed, 2 passed, 1 skipped" in done.stdout
    assert (tmp_path / "table.md").read_text() == SHOWN
