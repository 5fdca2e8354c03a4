"""Stand between a worker of Ray's and a learner, so that the learner can save however the worker ends.

``python guard.py PARENT COMMAND…``, with the standard library alone. Ray ends a worker's direct child by SIGKILL, and a
child in a session of its own lives on unseen (2.60). The learner is therefore a grandchild in its own session, and the
kernel tells both of a parent's end by SIGTERM: prctl(2), PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Let the kernel send this process SIGTERM when its parent ends; what it turns into keeps that."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before
        os._exit(128 + signal.SIGTERM)


def main() -> int:
    """Run a command, hand SIGTERM on to it, and return its exit code as a shell names it."""
    parent, me = int(sys.argv[1]), os.getpid()
    end_with(parent)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))  # until there is somebody to hand it on to

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # Ray blocks SIGINT in what tasks start
        end_with(me)

    learner = subprocess.Popen(sys.argv[2:], start_new_session=True, preexec_fn=prepare)
    signal.signal(signal.SIGTERM, lambda *_: learner.send_signal(signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    code = learner.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
