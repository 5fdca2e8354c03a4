"""Choose by what MuJoCo draws on a machine without a screen."""

from __future__ import annotations

import os
import subprocess
import sys

from mbpo.envs.box_env import BoxEnv
from mbpo.errors import EnvironmentFault
from mbpo.settings.setting import shown

PACKAGES = {"egl": "libegl1", "osmesa": "libosmesa6"}  # of Debian, in the order in which they are tried
PATIENCE_S = 60.0
TRY = """
import mujoco
from mujoco.{name} import GLContext
context = GLContext(16, 16)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), mujoco.mjtFontScale.mjFONTSCALE_150)
"""


def prepare_drawing(env: BoxEnv) -> None:
    """Set what the drawing libraries read from the process's environment, where the user did not.

    Raises:
        EnvironmentFault: MuJoCo has nothing to draw with.
    """
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    if not screen:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame opens no window for a picture
    on_mujoco = any(hasattr(layer, "mujoco_renderer") for layer in env.layers())
    if not on_mujoco or screen or sys.platform != "linux":
        return
    asked = os.environ.get("MUJOCO_GL")
    if asked and not _works(asked):
        raise EnvironmentFault(f"MuJoCo cannot draw by MUJOCO_GL={shown(asked)} here: unset MUJOCO_GL, and it chooses")
    os.environ["MUJOCO_GL"] = asked or _what_draws()


def _what_draws() -> str:
    """Try each in a process of its own: what failed once would stand in the way of the next."""
    for name in PACKAGES:
        if _works(name):
            return name
    raise EnvironmentFault(
        f"MuJoCo can draw by {' or '.join(PACKAGES)} without a screen, and neither works here; "
        f"on Debian: apt-get install {PACKAGES['osmesa']} (or {PACKAGES['egl']})"
    )


def _works(name: str) -> bool:
    environment = {**os.environ, "MUJOCO_GL": name}
    environment.pop("PYOPENGL_PLATFORM", None)
    try:
        tried = subprocess.run(
            [sys.executable, "-c", TRY.format(name=name)], env=environment, capture_output=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0
