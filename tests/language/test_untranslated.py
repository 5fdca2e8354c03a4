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
from workbench.run_fields import ALIASES, FIELDS

HERE = Path(__file__).resolve().parent
WORD = re.compile(r"(?<![…\w])[A-Za-z][A-Za-z_]{2,}(?![…\w])")  # in full
KEYS = ["esc", "tab", "enter", "space", "ctrl", "shift", "home", "end", "pgup", "pgdn", "backspace", "escape", "delete"]
COMMAND = re.compile(r"--[\w-]+|\S*/\S*/\S*|\w+(?:\.\w+)+|\.[\w-]+/\S*")  # flags, paths, modules: as they are typed
NAMES = ["MBPO", "SAC", "MSE", "IQM", "Workbench", "python", "mbpo", "workbench"]
"""Of things, in every language."""
DATA = ["pendulum", "hopper", "ant", "Pendulum", "Hopper", "Ant", "ended", "debug", "done", "auto"]  # of the runs
HEADS = ["run", "band"]  # of columns, beside the fields


def _parts(texts: Iterator[str]) -> set[str]:
    return {part for text in texts for part in WORD.findall(text)}


def known() -> set[str]:
    """Return the words that are no text: names of settings and metrics, of keys and things, and the runs' own data."""
    declared = [*SETTINGS, *METRICS, *PRESETS]
    flags = [setting.flag for setting in SETTINGS.values()]
    choices = [choice for setting in SETTINGS.values() for choice in setting.choices]
    sources = [preset.source for preset in PRESETS.values()]
    fields = [*FIELDS, *ALIASES, *HEADS]  # typed into the filter, as the heads of columns say them
    return _parts(iter([*declared, *flags, *choices, *sources, *fields, *KEYS, *NAMES, *DATA]))


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
    screens = json.loads(done.stdout)
    words = known() | _parts(iter([screens.pop("")]))
    left = {
        name: sorted(found)
        for name, screen in screens.items()
        if (found := {word for word in WORD.findall(COMMAND.sub(" ", screen)) if word not in words})
    }
    assert not left
