"""Leave a report beside what a run wrote, from a process of its own: nothing in it can fail the run."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import mbpo
from mbpo.errors import one_line
from mbpo.runs.layout import RunPaths
from mbpo.runs.what_ifs import FOLDER

NEEDS = ("bokeh", "matplotlib")
LIMIT_S = 60.0  # it takes two on an idle machine
MOST_BYTES = 32 << 20  # of rows of metrics; more take longer than a person waits at the end
PAGE, PICTURE = "report.html", "returns.png"


def leave_report(paths: RunPaths) -> list[str]:
    """Write ``report.html`` and ``returns.png`` into a run that has ended; return what is to be said of them.

    Nothing where a package for it is not installed, and none for the forks of a what-if, whose answer has a picture.
    """
    if FOLDER in paths.root.parts or not _has_rows(paths) or not _installed():
        return []
    page, picture = paths.root / PAGE, paths.root / PICTURE
    fault = _written([str(paths.root), "-o", str(page), "--png", str(picture)])
    if fault:
        return [f"no report: {fault}"]
    return [f"picture: {shlex.quote(str(picture))}", f"report: {shlex.quote(str(page))}"]


def leave_comparison(runs: Sequence[RunPaths], page: Path) -> list[str]:
    """Write a comparison of several runs that have ended; return what is to be said of it."""
    known = [str(paths.root) for paths in runs if _has_rows(paths)]
    if len(known) < 2 or not _installed():
        return []
    fault = _written([*known, "-o", str(page)])
    return [f"no report: {fault}" if fault else f"compared in a report: {shlex.quote(str(page))}"]


def _has_rows(paths: RunPaths) -> bool:
    """Return whether there is something to draw, and not so much that the end of the run would wait for it."""
    try:
        size: int = paths.metrics.stat().st_size
    except OSError:
        return False
    return 0 < size < MOST_BYTES


def _installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in NEEDS)


def _written(arguments: Sequence[str]) -> str:
    """Write a report; return why that was not possible, or nothing. Whoever interrupts has none."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mbpo.report", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(),
            umask=0o077,  # as all files of a run
            start_new_session=True,
            timeout=LIMIT_S,
            check=False,
        )
    except OSError as error:
        return one_line(str(error)).removeprefix("error: ")
    except subprocess.TimeoutExpired:
        return f"it took longer than {LIMIT_S:.0f} s; python -m mbpo.report has no limit"
    except KeyboardInterrupt:
        return "interrupted"
    if done.returncode == 0:
        return ""
    last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return one_line(last.removeprefix("error: ")).removeprefix("error: ")


def _environment() -> dict[str, str]:
    """Return this process's environment; the one started must find the same ``mbpo``."""
    source = str(Path(mbpo.__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": source + (os.pathsep + known if known else "")}
