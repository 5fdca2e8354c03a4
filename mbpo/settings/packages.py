"""Say which optional package is lacking, and the command that installs it where the user stands."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

# Gymnasium's environments on MuJoCo, and ours that differ from them in what they observe.
_ON_MUJOCO = re.compile(
    r"((Ant|HalfCheetah|Hopper|Humanoid|HumanoidStandup|InvertedPendulum|InvertedDoublePendulum|Pusher|Reacher"
    r"|Swimmer|Walker2d)-v[45]|mbpo/(Ant|Humanoid)Truncated-v5)"
)


def install_command(requirement: str) -> str:
    """Return the command that installs ``requirement`` for this Python, as typed in the current folder."""
    return f"{_this_python()} -m pip install {shlex.quote(requirement)}"


def lacking(env_id: str) -> str:
    """Say what an environment needs and this Python does not have, with the command that mends it; else nothing.

    Imports nothing: neither Gymnasium nor MuJoCo.
    """
    if not _ON_MUJOCO.fullmatch(env_id) or importlib.util.find_spec("mujoco") is not None:
        return ""
    return f"{env_id} needs MuJoCo: {install_command('gymnasium[mujoco]')}"


def _this_python() -> str:
    """Return the shortest way to call this Python: by name, from the current folder, or by its full path."""
    own = Path(sys.executable)
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found is not None and Path(found).absolute().parent == own.parent:
            return name
    ways = [str(own)]
    if Path.cwd() != own.parent:
        ways.append(os.path.relpath(own))
    return shlex.quote(min(ways, key=len))
