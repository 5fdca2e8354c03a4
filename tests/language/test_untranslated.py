"""No text of the app goes past its catalogue."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mbpo.runs.metrics import METRICS
from mbpo.settings.config import SETTINGS
from mbpo.settings.presets import PRESETS

HERE = Path(__file__).resolve().parent
WORD = re.compile(r"[A-Za-z][A-Za-z_]{2,}")
KEYS = ["esc", "tab", "enter", "space", "ctrl", "shift", "home", "end", "pgup", "pgdn", "backspace", "escape", "delete"]
NAMES = ["MBPO", "SAC", "Workbench", "python", "train", "command", "mbpo", "workbench"]  # of things, in every language
DATA = ["pendulum", "hopper", "ant", "Pendulum", "Hopper", "Ant", "ended", "debug", "done", "auto"]  # of the runs


def _parts(texts: Iterator[str]) -> set[str]:
    return {part for text in texts for part in WORD.findall(text)}


def known() -> set[str]:
    """Return the words that are no text: names of settings and metrics, of keys and things, and the runs' own data."""
    declared = [*SETTINGS, *METRICS, *PRESETS]
    flags = [setting.flag for setting in SETTINGS.values()]
    choices = [choice for setting in SETTINGS.values() for choice in setting.choices]
    sources = [preset.source for preset in PRESETS.values()]
    return _parts(iter([*declared, *flags, *choices, *sources, *KEYS, *NAMES, *DATA]))


def test_every_word_on_every_screen_passed_the_catalogue(tmp_path: Path) -> None:
    path = os.pathsep.join(map(str, (HERE.parents[1], HERE, HERE.parent / "workbench", HERE.parent)))
    done = subprocess.run(
        [sys.executable, str(HERE / "pseudo_screens.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "XDG_STATE_HOME": str(tmp_path / "state")},
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    words = known()
    left = {
        name: sorted(found)
        for name, screen in json.loads(done.stdout).items()
        if (found := {word for word in WORD.findall(screen) if word not in words})
    }
    assert not left
