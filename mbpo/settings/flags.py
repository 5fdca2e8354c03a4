"""Spell settings as flags of ``python -m mbpo.train``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbpo.settings.config import SETTINGS, defaults_of
from mbpo.settings.setting import Value


def flags_of(values: Mapping[str, Value]) -> list[str]:
    """Return settings as flags."""
    return [f"{SETTINGS[name].flag}={word}" for name, value in values.items() for word in SETTINGS[name].words(value)]


def flags_beside_preset(settings: Mapping[str, Any], always: tuple[str, ...] = ("seed",)) -> list[str]:
    """Return the preset, and what differs from it, as flags; those of ``always`` in any case."""
    preset = defaults_of(settings["preset"])
    own = {name: settings[name] for name in SETTINGS if name != "preset"}
    return [
        f"--preset={settings['preset']}",
        *flags_of({n: v for n, v in own.items() if v != preset.get(n) or n in always}),
    ]
