"""Draw the app in five sizes, and a report: ``make pictures``, or ``python docs/pictures.py [--size 160x45]``.

A Pendulum run learns in a temporary folder, a command turns its k, two forks branch off, one more is at work.
What the app then shows is drawn cell by cell; nothing is retouched.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report_picture import draw_report
from terminal_picture import draw

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status
from workbench.app import Workbench

IMAGES = Path(__file__).parent / "images"
HERE = Path(__file__).resolve().parent.parent
NAMES = {"160x45": "workbench.png"}  # the README's
SIZES = ("60x18", "80x24", "120x30", "160x45", "200x55")
LIMIT_S = 60.0


def main() -> int:
    """Let the runs learn, then draw each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--keys", nargs="*", default=[], help="pressed before the picture is taken")
    parser.add_argument("--runs-root", type=Path, help="show these runs instead; --run, the one in focus")
    parser.add_argument("--run", default="pendulum-3")
    parser.add_argument("--into", type=Path, default=IMAGES, help=f"(default: {IMAGES})")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.runs_root or Path(folder) / "runs"
        at_work = None if given.runs_root else learn(root)
        try:
            for size in given.size:
                width, height = map(int, size.split("x"))
                file = given.into / NAMES.get(size, f"workbench-{size}.png")
                asyncio.run(picture(root, given.run, (width, height), given.keys, file))
                print(file)
            if given.runs_root is None and given.size == SIZES:
                print(draw_report(root / given.run, given.into / "report.png"))
        finally:
            if at_work is not None:
                at_work.kill()
                at_work.wait()
    return 0


def learn(root: Path) -> subprocess.Popen[bytes]:
    """Train the runs; return the learner that is left at work."""
    first = _train("--preset", "pendulum", "--seed", "3", "--run-id", "pendulum-3", root=root)
    _until_learning(root / "pendulum-3", 400)
    set_k = [sys.executable, "-m", "mbpo.control", str(root / "pendulum-3"), "set", "rollout_length=10"]
    subprocess.run(set_k, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    assert first.wait() == 0
    for k in (1, 5):
        fork = ("--fork", f"{root / 'pendulum-3'}@500", "--rollout-length", str(k), "--run-id", f"pendulum-3-k{k}")
        assert _train(*fork, root=root).wait() == 0
    last = _train("--preset", "pendulum", "--seed", "4", "--total-steps", "50000", "--run-id", "pendulum-4", root=root)
    _until_learning(root / "pendulum-4", 300)
    return last


async def picture(root: Path, run: str, size: tuple[int, int], keys: list[str], file: Path) -> None:
    """Draw what the app shows of a run, once it rests."""
    app = Workbench(root)
    async with app.run_test(size=size) as pilot:
        app.select(root.absolute() / run)
        await pilot.pause(2.0)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.5)
        await pilot.pause(1.0)
        draw(app.screen._compositor.render_strips(), file)


def _train(*arguments: str, root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mbpo.train", *arguments, "--runs-root", str(root)]
    return subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL)


def _until_learning(path: Path, steps: int) -> None:
    """Wait until a run has made so many env steps."""
    deadline = time.monotonic() + LIMIT_S
    while (status := read_status(RunPaths(path))) is None or status.env_steps < steps:
        assert time.monotonic() < deadline, f"{path.name} does not learn"
        time.sleep(0.1)


if __name__ == "__main__":
    raise SystemExit(main())
