"""Name the screens of the app that the test of languages goes through, and the runs that they show."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from asked_run import TOLD, UNTOLD, put_answer
from fake_run import add_checkpoint, make_run, status_of
from seed_runs import two_groups
from test_screens import some_runs

from mbpo.runs.about import change_about
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.queue import Queue
from mbpo.runs.records.order import Order, OrderedRun
from mbpo.runs.trash import move_to_trash

WIDE = (130, 50)


@dataclass(frozen=True)
class Shown:
    """Name what opens a screen, what leaves it, and the terminal that it is shown in."""

    enter: str = ""  # keys with blanks between them; one that begins with @ is an action
    leave: str = "escape"
    size: tuple[int, int] = WIDE


VIEWS = {
    "charts": Shown("", ""),
    "table": Shown("0", "0"),
    "other axis": Shown("X y", "X X X y"),
    "edit": Shown("e"),
    "stop": Shown("s", "n"),
    "log": Shown("l"),
    "log filter": Shown("l slash z", "escape escape"),
    "trust": Shown("t"),
    "metrics": Shown("M p slash", "escape"),
    "save a layout": Shown("S", "a enter"),
    "layouts": Shown("L", "escape escape"),
    "launch": Shown("n"),
    "fork": Shown("f"),
    "what if": Shown("w"),
    "tour": Shown("T", "T"),
    "palette": Shown("ctrl+p"),
    "queue": Shown("Q", ""),
    "cancel all": Shown("X", "n escape"),
    "columns": Shown("O"),
    "about": Shown("N"),
    "delete": Shown("D", "n"),
    "trash": Shown("@trash", ""),
    "remove": Shown("x", "n escape"),
    "all compared": Shown("* comma", "escape *"),
    "compared": Shown("c down down down c", ""),
    "differences": Shown("d", "escape c up up up c"),
    "groups": Shown("G", ""),
    "groups compared": Shown("down down down c down c", ""),
    "groups differ": Shown("d", "escape c up c G"),
    "notices": Shown("c d C", "C"),
    "help": Shown("question_mark", "escape", (120, 110)),
    "info": Shown("i", "escape", (120, 110)),
    "small": Shown("", "", (70, 24)),
    "columns, small": Shown("O", "escape", (70, 24)),
    "smallest": Shown("", "", (60, 18)),
    "filter": Shown("slash k > a", "escape", (120, 34)),
}
DATA = (UNTOLD, TOLD, "expected revision 0, it is stale", "before it began", "refit")  # what the runs say themselves


def prepare(root: Path) -> None:
    """Make the runs that the screens show: some, groups of seeds, a queue, and one in the trash."""
    some_runs(root)
    add_checkpoint(root / "pendulum-3", 600)
    put_answer(root / "pendulum-3")
    write_json(root / "pendulum-3" / "manifest.json", {"versions": {"python": "3.11"}, "machine": {"python": 1}})
    change_about(RunPaths(root / "pendulum-3"), {"title": "done", "note": "done", "tags": ["done"]})
    make_run(root, "ended", status_of("finished", started=1.4e9), rows=30)
    make_run(root, "ended-2", status_of("finished", started=1.4e9))
    move_to_trash(root, root / "ended-2")
    two_groups(root, seeds=2)
    runs = [OrderedRun(run_id=f"ant-s{n}", label=str(n), flags=[f"--seed={n}"]) for n in range(3)]
    queue = Queue(root)
    queue.add(Order(name="ant", issued_at=time.time(), env_id="Ant-v5", total_steps=400, runs=runs))
    queue.cancel(["ant-s2"])
