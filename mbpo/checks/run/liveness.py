"""Check what a run's status says of its learner."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.run.words import note, ok, problem, quoted
from mbpo.runs.status import ENDED, SILENT_AFTER_S, RunStatus

GO_ON = "python -m mbpo.train --resume goes on with it"


def at_work(status: RunStatus) -> bool:
    """Return whether a learner may be writing now, here or on another machine."""
    return status.state not in ENDED and status.derived_state() not in ("lost", "silent")


def check_status(status: RunStatus | None, newer: str = "") -> Iterator[Diagnostic]:
    """Say what the run is doing, or how it ended; ``newer`` says that a newer version wrote the status."""
    if status is None:
        wrong = newer or "status.json cannot be read"
        yield problem("status", f"{wrong}: what the run is doing is unknown")
        return
    state, reason = status.derived_state(), f": {quoted(status.reason)}" if status.reason else ""
    where = f"at env step {status.env_steps:,} of {status.total_steps:,}"
    process = f"process {status.pid} on {quoted(status.host, 60)}"
    if state == "finished":
        yield ok("status", f"finished {where}")
    elif state == "stopped":
        yield ok("status", f"stopped {where}{reason}; {GO_ON}")
    elif state in ENDED:
        yield problem("status", f"{state} {where}, exit code {status.exit_code}{reason}")
    elif state == "lost":
        yield problem("status", f"lost {where}: {process} is gone without a word; {GO_ON}")
    elif state == "silent":
        yield note("status", f"silent {where}: no heartbeat of {process} for {_age(status)}")
    elif time.time() - status.heartbeat > max(SILENT_AFTER_S, 3 * status.cadence_s):
        yield note("status", f"{state} {where}; {process} is there, its heartbeat {_age(status)} old")
    else:
        yield ok("status", f"{state} {where}, {process}, attempt {status.attempt}")


def _age(status: RunStatus) -> str:
    return f"{max(0.0, time.time() - status.heartbeat):,.0f} s"
