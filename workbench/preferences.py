"""Read and keep what a person chose for the app: ``keys.toml`` and ``settings.toml`` in the folder of its settings."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import write_atomic
from mbpo.settings.language import tr
from workbench.format import safe_text

THEME_LINE = re.compile(r"^[ \t]*theme[ \t]*=.*$", re.MULTILINE)
SETTINGS = ("theme",)


def settings_folder() -> Path:
    """Return where the app's settings are, whether or not there is such a folder."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path("~/.config").expanduser()) / "mbpo-workbench"


def read_preferences(name: str) -> tuple[Mapping[str, Any], list[str]]:
    """Return what stands in a file of the folder, nothing where there is none; and a line on why it cannot be used."""
    path = settings_folder() / name
    try:
        return (read_config(path), []) if os.path.lexists(path) else ({}, [])
    except ConfigError as error:
        return {}, [tr("{fault}; it is passed over", fault=safe_text(str(error).replace(str(path), name), 200))]


def chosen_theme(themes: Collection[str]) -> tuple[str, list[str]]:
    """Return the theme that ``settings.toml`` names, or nothing, and what is wrong there."""
    found, wrong = read_preferences("settings.toml")
    wrong += [
        tr("settings.toml: no setting is called {name}; there is theme", name=safe_text(key, 40))
        for key in found
        if key not in SETTINGS
    ]
    theme = found.get("theme", "")
    if theme and (not isinstance(theme, str) or theme not in themes):
        there = closest(theme, themes) or tr("there are {names}", names=", ".join(sorted(themes)))
        shown = safe_text(theme, 40)
        return "", [*wrong, tr("settings.toml: no theme is called {name}; {there}", name=shown, there=there)]
    return theme, wrong


def closest(name: object, known: Collection[str]) -> str:
    """Say of a name that is not known which one is near to it, if any."""
    near = near_to(name, known)
    return tr("{name} is close", name=near) if near else ""


def near_to(name: object, known: Collection[str]) -> str:
    """Return the known name that is nearest to one that is not, or nothing where none is near."""
    return next(iter(difflib.get_close_matches(safe_text(name, 40), known, 1)), "")


def keep_theme(theme: str) -> str:
    """Write a theme into ``settings.toml``, and leave all else there as it is; return why it was not kept, if so."""
    path = settings_folder() / "settings.toml"
    try:
        before, faults = read_preferences("settings.toml")
        if faults:
            return faults[0]
        text = path.read_text() if path.exists() else ""
        line = f'theme = "{theme}"'
        text = THEME_LINE.sub(line, text, count=1) if "theme" in before else f"{line}\n{text}"
        if line not in text:
            return tr("the theme is not kept: write {line} into {path} yourself", line=line, path=path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path.resolve(), text.encode(), sync=False)  # a link stays one
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        return tr("the theme is not kept: {why}", why=safe_text(error, 200))
    return ""
