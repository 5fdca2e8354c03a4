"""Check a run directory: what is missing, damaged or left over in it. Nothing is written or run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.run.liveness import at_work, check_status
from mbpo.checks.run.plain_files import (
    check_config,
    check_disk,
    check_files,
    check_leftovers,
    check_log,
    check_modes,
    is_plain_file,
)
from mbpo.checks.run.records import check_events, check_inbox, check_metrics
from mbpo.checks.run.saved import check_checkpoints
from mbpo.checks.run.words import problem
from mbpo.errors import ConfigError, NewerRecordError, RecordError
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import load_status
from mbpo.settings.setting import shown


def check_run(run_dir: Path) -> Iterator[Diagnostic]:
    """Yield what there is to say about a run, be its learner at work or long gone.

    Raises:
        ConfigError: the folder is no run.
    """
    paths = RunPaths(run_dir.absolute())
    if not (paths.metrics.exists() or paths.status.exists()):
        what = "is no run: it has no metrics.jsonl" if run_dir.is_dir() else "is no folder"
        raise ConfigError(f"{shown(str(run_dir))} {what}; give one that python -m mbpo.train printed")
    return _findings(paths)


def _findings(paths: RunPaths) -> Iterator[Diagnostic]:
    status, newer = None, ""
    try:
        status = load_status(paths) if is_plain_file(paths.status) else None
    except NewerRecordError as error:
        newer = str(error)
    except RecordError:
        pass
    live = status is not None and at_work(status)
    answered: set[str] = set()
    for topic, findings in {
        "files": check_files(paths),
        "modes": check_modes(paths),
        "config": check_config(paths),
        "status": check_status(status, newer),
        "metrics": check_metrics(paths, live),
        "events": check_events(paths, live, answered),
        "control": check_inbox(paths, live, answered),
        "checkpoints": check_checkpoints(paths, status, live),
        "leftovers": check_leftovers(paths, live),
        "disk": check_disk(paths, live),
        "log": check_log(paths),
    }.items():
        try:
            yield from findings
        except OSError as error:
            yield problem(topic, f"cannot be checked: {error.strerror}")
