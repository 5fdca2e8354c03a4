"""Choose by what MuJoCo draws where there is no screen."""

from __future__ import annotations

import contextlib
import os

import pytest
from other_ends import needs

from mbpo.envs.box_env import BoxEnv
from mbpo.errors import EnvironmentFault
from mbpo.outside.film import drawing


@pytest.mark.parametrize(
    ("works", "chosen"), [({"egl", "osmesa"}, "egl"), ({"osmesa"}, "osmesa"), (set(), "apt-get install libosmesa6")]
)
def test_without_a_screen_mujoco_draws_by_what_works(
    works: set[str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("mujoco")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(drawing.sys, "platform", "linux")
    monkeypatch.setattr(drawing, "_works", works.__contains__)
    with contextlib.closing(BoxEnv("InvertedPendulum-v5")) as env:
        try:
            drawing.prepare_drawing(env)
            found = os.environ["MUJOCO_GL"]
        except EnvironmentFault as error:
            found = str(error)
        assert chosen in found
        monkeypatch.setattr(drawing, "_works", {"theirs"}.__contains__)
        monkeypatch.setenv("MUJOCO_GL", "theirs")
        drawing.prepare_drawing(env)
        assert os.environ["MUJOCO_GL"] == "theirs"
        monkeypatch.setenv("MUJOCO_GL", "other")
        with pytest.raises(EnvironmentFault, match="cannot draw by MUJOCO_GL=other here: unset MUJOCO_GL"):
            drawing.prepare_drawing(env)
