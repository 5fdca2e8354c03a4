"""Make a run directory that is nobody else's."""

from __future__ import annotations

from pathlib import Path

from mbpo.errors import ConfigError, RunInUseError, StorageError
from mbpo.runs.layout import RunPaths, check_run_id, default_run_id, make_durably, sync_directory
from mbpo.runs.status import read_status


def create_run_dir(runs_root: Path, run_id: str | None, *, preset: str, seed: int) -> RunPaths:
    """Make ``runs_root/run_id`` (0700) with its inbox; a default name avoids those taken.

    Raises:
        ConfigError: ``run_id`` is malformed or names an ended run.
        RunInUseError: a learner is at work in it.
        StorageError: it cannot be made.
    """
    name = check_run_id(run_id) if run_id is not None else default_run_id(preset, seed)
    attempt = 1
    while True:
        paths = RunPaths(runs_root / (name if attempt == 1 else f"{name[:58]}-{attempt}"))
        try:
            make_durably(runs_root, parents=True)
            paths.root.mkdir(mode=0o700)
            sync_directory(runs_root)
            paths.inbox.mkdir(mode=0o700)
            return paths
        except FileExistsError:
            if paths.root.is_dir() and run_id is None:
                attempt += 1
                continue
            raise _taken(paths) from None
        except OSError as error:
            raise StorageError(f"cannot make {paths.root}: {error.strerror}; give a writable --runs-root") from None


def _taken(paths: RunPaths) -> Exception:
    if not paths.root.is_dir():
        return StorageError(f"cannot make {paths.root}: not a folder; give another --runs-root")
    status = read_status(paths)
    if status is not None and status.live:
        return RunInUseError(f"{paths.root} is in use by process {status.pid}; give another --run-id")
    return ConfigError(f"--run-id {paths.run_id} names a run that exists; give another")
