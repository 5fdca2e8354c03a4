"""Keep a study's file beside its runs: what works on the runs reads it there, and the folder explains itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import close
from pathlib import Path

from mbpo.errors import ConfigError, RunInUseError, refused
from mbpo.runs.files import read_file
from mbpo.runs.layout import write_atomic
from mbpo.runs.locks import take
from mbpo.studies.samples import read_samples
from mbpo.studies.study import Study
from mbpo.studies.study_file import read_study

KEPT = "study.toml"
ENGINE = "engine"
STATE = ".study"  # hidden: what looks for runs passes over it


def state_of(folder: Path) -> Path:
    """Return the folder of what engines keep."""
    return folder / STATE


def read_kept(folder: Path) -> Study:
    """Return the study whose runs are in ``folder``.

    Raises:
        ConfigError: there is none.
    """
    if not (folder / KEPT).is_file():
        raise ConfigError(f"{folder} holds no study: no {KEPT}; python -m mbpo.study FILE makes it")
    study = read_study(folder / KEPT)
    return study.of_samples(read_samples(state_of(folder))) if study.search else study


def ray_log(folder: Path, run: str) -> Path:
    """Return what a learner prints to that Ray started."""
    return state_of(folder) / "ray" / f"{run}.txt"


def slurm_folder(folder: Path) -> Path:
    """Return where scripts, jobs and what their tasks print are kept."""
    return state_of(folder) / "slurm"


def slurm_jobs(folder: Path) -> Mapping[str, list[str]]:
    """Return the runs of each job of a study, in the order of its tasks."""
    found = slurm_folder(folder).glob("*.runs")
    return {path.stem: path.read_text().split() for path in found if path.stem.isdecimal()}


def engine_of(folder: Path) -> str:
    """Return the name of the engine that had the study last, or an empty text."""
    try:
        return read_file(state_of(folder) / ENGINE).decode().strip()
    except (OSError, ValueError):
        return ""


def keep(file: Path, folder: Path, engine: str) -> None:
    """Make the folder of a study, and keep its file there and the name of the engine.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        state_of(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(state_of(folder) / ENGINE, engine.encode())
        if file.resolve() != (folder / KEPT).resolve():
            write_atomic(folder / KEPT, read_file(file))
    except OSError as error:
        raise refused(f"cannot write in {folder}", error) from None


@contextmanager
def driven(folder: Path) -> Iterator[None]:
    """Drive a study alone on this machine while inside.

    Raises:
        RunInUseError: another process drives it.
    """
    try:
        lock = take(state_of(folder) / "driver.lock")
    except OSError:  # no locks here: a run that two start is one run all the same
        yield
        return
    if lock is None:
        raise RunInUseError(f"{folder} is driven by another python -m mbpo.study; stop that one with Ctrl-C first")
    try:
        yield
    finally:
        close(lock)
