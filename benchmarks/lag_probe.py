"""Run the workbench, and on SIGUSR1 note how late its event loop is: ``lag_probe.py FILE SECONDS [APP'S ARGUMENTS]``.

A script, not a module: which tree's workbench it is, PYTHONPATH says.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

STEP_S = 0.01


async def lateness(file: Path, seconds: float) -> None:
    """Write by how much each short sleep of the event loop was too long, in ms, in order."""
    late, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        await asyncio.sleep(STEP_S)
        late.append(1e3 * (time.perf_counter() - start - STEP_S))
    new = file.with_suffix(".new")
    new.write_text(json.dumps(sorted(late)))
    new.replace(file)


def main(file: Path, seconds: float, arguments: list[str]) -> int:
    """Run the app; the probe costs nothing before the signal."""
    from workbench.__main__ import main as run

    def begin(*_: object) -> None:
        asyncio.run_coroutine_threadsafe(lateness(file, seconds), asyncio.get_running_loop())

    signal.signal(signal.SIGUSR1, begin)
    return run(arguments)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
