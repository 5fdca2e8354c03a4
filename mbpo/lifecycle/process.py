"""Run a learner as a process: its log, its signals, its exit code."""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

import torch

from mbpo.errors import DivergedError, EnvironmentFault, Interrupted, MBPOError, StorageError, one_line, refused, report
from mbpo.lifecycle.last_paragraph import last_paragraph
from mbpo.lifecycle.left_beside import Leave, nothing_left, what_is_left
from mbpo.lifecycle.log import RunLog, note
from mbpo.lifecycle.signals import ctrl_c_named, handled
from mbpo.runs.writer import RunWriter
from mbpo.settings.stdout import our_stdout, say

OUT_OF_MEMORY = 8


def exit_code_of(act: Callable[[], int], *, is_program: bool) -> int:
    """Return what ``act`` returns; what it raises, before there is a run, becomes one line and its code."""
    try:
        with ctrl_c_named(), our_stdout(of_learner=True, is_program=is_program):
            return act()
    except MBPOError as error:
        return report(error)
    except OSError as error:  # from there on the run itself answers for its files
        return report(refused("cannot begin the run", error))
    except KeyboardInterrupt:
        return 130


def learner_process(run: RunWriter, train: Callable[[], None], algo: str, leave: Leave = nothing_left) -> int:
    """Call ``train`` and turn however it ends into a final status and an exit code.

    The first SIGINT, SIGTERM or SIGHUP stops at the next env step, networks saved; a second
    SIGINT stops at once. Whoever sends SIGTERM, a cluster say, waits for seconds: nothing is evaluated then, so that
    the run goes on elsewhere as if it had not stopped. ``algo`` says what can be asked of the run at its end, and
    ``leave`` puts more beside what it wrote, unless it failed or was stopped at once.
    """
    received: list[int] = []
    try:
        log = RunLog(run.paths.log)
    except OSError as error:
        fault = refused(f"cannot write in {run.paths.root}", error)
        run.end("failed", fault.exit_code, str(fault))
        raise fault from None
    with log.kept(), _signals(run, received):
        state, code, reason = _outcome(train)
        if received and (state == "finished" or code == EnvironmentFault.exit_code):
            name = signal.Signals(received[0]).name  # the terminal's Ctrl-C reaches an environment's workers, too
            state, code, reason = "stopped", 128 + received[0], f"{name}; {reason}" if reason else name
        elif state == "finished" and run.control.stopping:
            state, reason = "stopped", "stop requested"
        if reason and state != "stopped":
            print(one_line(reason), file=sys.stderr)
        with contextlib.suppress(StorageError, OSError):
            run.end(state, code, reason)
        wanted = state in ("finished", "stopped") and received.count(signal.SIGINT) < 2
        left = what_is_left(lambda: leave(run.paths)) if wanted else []
        say("\n".join(last_paragraph(run.paths, run.status, algo, left)))
    return code


def _outcome(train: Callable[[], None]) -> tuple[str, int, str]:
    try:
        train()
    except DivergedError as error:
        return "diverged", error.exit_code, str(error)
    except MBPOError as error:
        if error.__cause__ is not None:
            note(traceback.format_exc())
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
        run.control.request_stop(hurried=number == signal.SIGTERM)

    return handled(stop)
