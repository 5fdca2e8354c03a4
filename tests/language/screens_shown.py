"""Name the screens of the app that the test of languages goes through, and the runs that they show."""

from __future__ import annotations

from pathlib import Path

from fake_run import add_checkpoint, make_run, status_of
from test_screens import some_runs

VIEWS: dict[str, tuple[list[str], list[str]]] = {  # name: keys that open it, keys that leave it
    "charts": ([], []),
    "table": (["0"], ["0"]),
    "launch": (["n"], ["escape"]),
    "edit": (["e"], ["escape"]),
    "stop": (["s"], ["n"]),
    "log": (["l"], ["escape"]),
    "help": (["question_mark"], ["escape"]),
    "trust": (["t"], ["escape"]),
    "metrics": (["M"], ["escape"]),
    "fork": (["f"], ["escape"]),
    "what if": (["w"], ["escape"]),
    "tour": (["T"], ["T"]),
    "palette": (["ctrl+p"], ["escape"]),
    "compared": (["c", "down", "c"], ["c", "up", "c"]),
    "differences": (["c", "down", "d"], ["escape", "up", "c"]),
}


def prepare(root: Path) -> None:
    """Make the runs that the screens show."""
    some_runs(root)
    add_checkpoint(root / "pendulum-3", 600)
    make_run(root, "ended", status_of("finished", started=1.4e9), rows=30)
