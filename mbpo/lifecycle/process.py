"""Run a learner as a process: its log, its signals, its exit code."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO

import torch

from mbpo.errors import DivergedError, Interrupted, MBPOError, StorageError, one_line, refused, report
from mbpo.lifecycle.signals import handled
from mbpo.runs.files import open_to_append
from mbpo.runs.writer import RunWriter

OUT_OF_MEMORY = 8


def exit_code_of(act: Callable[[], int]) -> int:
    """Return what ``act`` returns; what it raises, before there is a run, becomes one line and its code."""
    try:
        return act()
    except MBPOError as error:
        return report(error)
    except OSError as error:  # from there on the run itself answers for its files
        return report(refused("cannot begin the run", error))
    except KeyboardInterrupt:
        return 130


def fill_standard_streams() -> None:
    """Open the null device where stdin, stdout or stderr is closed, as after ``>&-``.

    Otherwise the run's files would take those numbers, and whatever a library prints would land
    in them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def learner_process(run: RunWriter, train: Callable[[], None]) -> int:
    """Call ``train`` and turn however it ends into a final status and an exit code.

    The first SIGINT, SIGTERM or SIGHUP stops at the next env step, networks saved; a second
    SIGINT stops at once.
    """
    received: list[int] = []
    try:
        log = open_to_append(run.paths.log)
    except OSError as error:
        fault = refused(f"cannot write in {run.paths.root}", error)
        run.end("failed", fault.exit_code, str(fault))
        raise fault from None
    with _logged(log), _signals(run, received):
        state, code, reason = _outcome(train)
        if state == "finished" and received:
            number = received[0]
            state, code, reason = "stopped", 128 + number, signal.Signals(number).name
        elif state == "finished" and run.control.stopping:
            state, reason = "stopped", "stop requested"
        if reason and state != "stopped":
            print(one_line(reason), file=sys.stderr)
        with contextlib.suppress(StorageError, OSError):
            run.end(state, code, reason)
        print(f"{state} at {run.status.env_steps:,} env steps", flush=True)
    return code


def _outcome(train: Callable[[], None]) -> tuple[str, int, str]:
    try:
        train()
    except DivergedError as error:
        return "diverged", error.exit_code, str(error)
    except MBPOError as error:
        return "failed", error.exit_code, str(error)
    except KeyboardInterrupt:
        return "stopped", 130, "SIGINT, twice"
    except OSError as error:
        traceback.print_exc()
        return "failed", StorageError.exit_code, str(error)
    except Exception as error:
        if _is_out_of_memory(error):
            return "failed", OUT_OF_MEMORY, f"out of memory: {str(error)[:120]}"
        traceback.print_exc()
        return "failed", 1, f"{type(error).__name__}: {error}"
    return "finished", 0, ""


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _signals(run: RunWriter, received: list[int]) -> contextlib.AbstractContextManager[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and signal.SIGINT in received:
            raise Interrupted
        received.append(number)
        run.control.request_stop()

    return handled(stop)


@contextlib.contextmanager
def _logged(descriptor: int) -> Iterator[None]:
    """Copy stdout and stderr to a file; a fatal signal's stack goes there too."""
    log = os.fdopen(descriptor, "a", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(log)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Tee(before[0], log), _Tee(before[1], log)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        faulthandler.disable()
        with contextlib.suppress(OSError):  # a full disk refuses the lines that wait, and the run has its outcome
            log.close()


class _Tee:
    """Write text to two places; losing the first, a closed terminal or pipe, is no error."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._first = first
        self._second = second

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._first.write(text)
        with contextlib.suppress(OSError, ValueError):
            self._second.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._first.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._first, name)
