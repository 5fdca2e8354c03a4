"""Read a path as a person types it."""

from __future__ import annotations

import os
from pathlib import Path

from mbpo.errors import ConfigError
from mbpo.settings.setting import shown


def typed_path(text: str) -> Path:
    """Return the path that ``text`` names; a folder that is really called ``~`` is ``./~``.

    Raises:
        ConfigError: as :func:`expanded`.
    """
    path = Path(expanded(text))
    return path.absolute() if str(path).startswith("~") else path  # shown and read again it stays that folder


def expanded(text: str) -> str:
    """Return ``text`` with the home folder for ``~`` or ``~user``, which a shell leaves alone in ``--flag=~/x``.

    Raises:
        ConfigError: there is no such user.
    """
    found = os.path.expanduser(text)  # noqa: PTH111  Path would take ./~ for the home folder
    if found.startswith("~"):
        user = text[1:].split("/")[0]
        raise ConfigError(
            f"{shown(text)} begins with the home folder of user {shown(user)}, which is unknown; "
            "give ./~ for a folder whose name begins so"
        )
    return found


def path_at_step(text: str) -> tuple[Path, int | None]:
    """Return the absolute path and the env step that ``PATH@STEP`` names; the path of what is there may have an @.

    Raises:
        ConfigError: as :func:`expanded`.
    """
    path, _, step = text.rpartition("@")
    if path and step.isdecimal() and len(step) < 19 and not typed_path(text).exists():
        return typed_path(path).absolute(), int(step)
    return typed_path(text).absolute(), None
