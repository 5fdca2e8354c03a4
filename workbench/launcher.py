"""Start learners as processes that outlive the app, and notice those that fail at once."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mbpo.errors import EnvironmentFault, StorageError
from mbpo.runs.layout import RunPaths, check_run_id, default_run_id
from mbpo.runs.reader import last_words
from mbpo.settings.config import SETTINGS, Config, resolve
from mbpo.settings.language import tr
from mbpo.settings.packages import lacking
from mbpo.settings.setting import Value
from workbench.messages import RunRow
from workbench.spawn import spawn

LEARNER = (sys.executable, "-m", "mbpo.train")
StatusMark = tuple[int, int] | None  # time and inode of a status file


@dataclass
class Launch:
    """Hold one learner that this app started."""

    run_id: str
    path: Path
    argv: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes]
    preset: str = ""
    parent: str = ""  # RUN@STEP that it is a fork of
    found: StatusMark = None  # the status that was there before it
    exit_code: int | None = None

    @property
    def began(self) -> bool:
        """Return whether the learner has written its status."""
        return _status_mark(self.path) != self.found

    @property
    def last_words(self) -> str:
        """Return the error it ended with, or else the last line that was printed."""
        return last_words(self.log)


def flags(preset: str, overrides: Mapping[str, Value]) -> list[str]:
    """Return the command line's flags for what differs from the preset."""
    given = {name: value for name, value in overrides.items() if name != "preset"}
    return ["--preset", preset, *setting_flags(given)]


def setting_flags(values: Mapping[str, Value]) -> list[str]:
    """Return the command line's flags for ``values``."""
    given = [(SETTINGS[name].flag, SETTINGS[name].words(value)) for name, value in values.items()]
    return [text for flag, words in given for word in words for text in (flag, word)]


def fork_flags(parent: Path, at: int, changes: Mapping[str, Value]) -> list[str]:
    """Return the command line's flags for a fork off the checkpoint at env step ``at``."""
    return ["--fork", f"{parent}@{at}", *setting_flags(changes)]


def shown_command(preset: str, overrides: Mapping[str, Value], run_id: str = "", further: Sequence[str] = ()) -> str:
    """Return the command a person would type for the same run, or with ``further`` flags for the same runs."""
    name = ["--run-id", run_id] if run_id else []
    return typed([*flags(preset, overrides), *name, *further])


def typed(arguments: Sequence[str]) -> str:
    """Return a learner's command line as a person would type it."""
    return shlex.join(["python", "-m", "mbpo.train", *arguments])


class Launcher:
    """Start learners under one runs root and keep their process handles."""

    def __init__(self, root: Path, learner: Sequence[str] = LEARNER) -> None:
        self.root = root.absolute()
        self._learner = tuple(learner)
        self.launches: dict[str, Launch] = {}

    def start(self, preset: str, overrides: Mapping[str, Value] | None = None, run_id: str = "") -> Launch:
        """Start a learner; it runs on whatever happens to this app.

        Raises:
            ConfigError: the settings or the name cannot be used.
            EnvironmentFault: the environment needs a package that is not installed.
            StorageError: the runs root cannot be written, or there is no Python to start.
        """
        given = dict(overrides or {})
        config = resolve(given, preset)
        if lack := lacking(config.env_id):
            raise EnvironmentFault(lack)
        name = check_run_id(run_id) if run_id else self._free_name(default_run_id(preset, config.seed))
        return self._launch(name, [*flags(preset, given), *self._place(name)], preset=preset)

    def fork(self, parent: Path, at: int, changes: Mapping[str, Value], config: Config) -> Launch:
        """Start a learner that branches off the checkpoint of ``parent`` at env step ``at``.

        ``config`` is the fork's own, ``changes`` what of it differs from the parent's.

        Raises:
            StorageError: as :meth:`start`.
        """
        name = self._free_name(default_run_id(config.preset, config.seed))
        arguments = [*fork_flags(parent, at, changes), *self._place(name)]
        return self._launch(name, arguments, preset=config.preset, parent=f"{self._name(parent)}@{at}")

    def resume(self, path: Path) -> Launch:
        """Start a learner that goes on with the run at ``path``.

        Raises:
            ConfigError: it has a name that no learner gives.
            StorageError: as :meth:`start`.
        """
        check_run_id(path.name)
        return self._launch(self._name(path), ["--resume", str(path)])

    def _name(self, path: Path) -> str:
        """Return how a run is called here: where it stands below the root."""
        return path.relative_to(self.root).as_posix() if self.root in path.parents else path.name

    def _place(self, name: str) -> tuple[str, ...]:
        return "--runs-root", str(self.root), "--run-id", name

    def _launch(self, name: str, arguments: Sequence[str], preset: str = "", parent: str = "") -> Launch:
        argv, path = (*self._learner, *arguments), self.root / name
        log = self.root / ".launch" / f"{name.replace('/', '-')}.log"
        found = _status_mark(path)
        try:
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            process = spawn(argv, log)
        except OSError as error:
            why = error.strerror or error
            text = tr(
                "cannot start a learner under {root}: {why}; give a writable --runs-root", root=self.root, why=why
            )
            raise StorageError(text) from None
        self.launches[name] = Launch(name, path, argv, log, process, preset, parent, found)
        return self.launches[name]

    def reap(self) -> list[Launch]:
        """Return the learners that ended since the last call; none stays a zombie."""
        ended = []
        for launch in self.launches.values():
            if launch.exit_code is None and (code := launch.process.poll()) is not None:
                launch.exit_code = code
                ended.append(launch)
        return ended

    def waiting(self) -> list[Launch]:
        """Return the learners that run but have written no status yet."""
        return [launch for launch in self.launches.values() if launch.exit_code is None and not launch.began]

    def _free_name(self, name: str) -> str:
        number, free = 1, name
        while free in self.launches or (self.root / free).exists():
            number += 1
            free = f"{name[:58]}-{number}"
        return free


def with_launches(found: Iterable[RunRow], waiting: Iterable[Launch]) -> list[RunRow]:
    """Return the runs found, and those just launched, which are still to write a status of their own."""
    rows, launches = list(found), {launch.path: launch for launch in waiting}
    known = {row.path for row in rows}
    fresh = [
        RunRow(path, "launching", phase="loading", preset=launch.preset, parent=launch.parent)
        for path, launch in launches.items()
        if path not in known
    ]
    return fresh + [replace(row, state="launching", phase="loading") if row.path in launches else row for row in rows]


def _status_mark(path: Path) -> StatusMark:
    try:
        stat = RunPaths(path).status.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
