"""Say things in the reader's language, where a gettext catalogue of it was chosen; else in English, as written.

Only the app chooses one: what the command line prints stays English, so that a line can be searched for.
"""

from __future__ import annotations

import contextlib
import gettext
import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

from mbpo.errors import ConfigError

DOMAIN = "workbench"
ENGLISH = "en"
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # as gettext asks them, the first that is set
_catalogue: list[gettext.NullTranslations] = [gettext.NullTranslations()]
_as_written: ContextVar[bool] = ContextVar("as written", default=False)


def languages(folder: Path) -> tuple[str, ...]:
    """Return the languages there are: English, and those with a catalogue in ``folder``."""
    found = sorted(file.parts[-3] for file in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return (ENGLISH, *found)


def choose(folder: Path, language: str = "", environment: Mapping[str, str] = os.environ) -> None:
    """Say everything in ``language`` from now on, else in that of the environment as far as ``folder`` has it.

    Choose before the modules that hold text are imported: what they say at once they say as of then.

    Raises:
        ConfigError: there is no such language.
    """
    known = languages(folder)
    if language and language not in known:
        raise ConfigError(f"--language must be one of {', '.join(known)}, got {language[:40]!a}")
    wanted = [language] if language else _of(environment)
    found: gettext.NullTranslations = gettext.NullTranslations()
    if not _is_english(wanted):
        found = gettext.translation(DOMAIN, folder, wanted, fallback=True)
    _catalogue[:] = [found]


def tr(text: str, /, **values: object) -> str:
    """Return ``text`` in the language chosen, with ``values`` in place of each ``{name}``."""
    said = text if _as_written.get() else _catalogue[0].gettext(text) if text else ""
    return said.format(**values) if values else said


def tr_n(one: str, many: str, n: float, **values: object) -> str:
    """Return what is said of ``n`` things in the language chosen, with ``n`` and ``values`` in their places."""
    catalogue = gettext.NullTranslations() if _as_written.get() else _catalogue[0]
    return catalogue.ngettext(one, many, round(n)).format(n=n, **values)


@contextlib.contextmanager
def english() -> Iterator[None]:
    """Say everything in English meanwhile, in this thread."""
    token = _as_written.set(True)
    try:
        yield
    finally:
        _as_written.reset(token)


def _of(environment: Mapping[str, str]) -> list[str]:
    value = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return value.split(":")


def _is_english(wanted: list[str]) -> bool:
    return wanted[0].split("_")[0].split(".")[0] in ("", ENGLISH, "C", "POSIX")
