"""Keep the app's catalogues in step with its text: ``python tests/language/messages.py`` (``make messages``).

It looks for ``tr()`` and ``tr_n()`` in the sources and for what is declared and said through them, writes both into
``workbench/locale/LANGUAGE/LC_MESSAGES/workbench.po``, keeping the translations that are there, and compiles the .mo
that the app reads.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from mbpo.runs.metrics import METRICS
from mbpo.settings.config import SETTINGS
from mbpo.settings.language import DOMAIN
from mbpo.settings.presets import PRESETS
from workbench.format import GLYPHS

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "workbench" / "locale"
SOURCES = ("workbench", "mbpo/runs", "mbpo/settings", "mbpo/trust")
NEWS = ('"POT-Creation', '"PO-Revision', '"Report-Msgid', '"Last-Trans', '"Language-Team', '"Generated-By')
EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
KEYWORDS = {"tr": None, "tr_n": (1, 2)}


def declared() -> Iterator[str]:
    """Return the texts of declarations that the app says through ``tr``."""
    for setting in SETTINGS.values():
        yield from (setting.doc, setting.unit, setting.dial.down, setting.dial.up)
    for metric in METRICS.values():
        yield from (metric.meaning, metric.unit)
    for preset in PRESETS.values():
        yield preset.doc
    yield from GLYPHS


def template() -> Catalog:
    """Return every text that the app can say."""
    catalog = Catalog(project="MBPO Workbench", charset="utf-8", fuzzy=False)
    catalog.creation_date = EPOCH  # else the compiled one differs each minute
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            place = (path.relative_to(ROOT).as_posix(), 1)
            for _, message, _, _ in extract_from_file("python", path, keywords=KEYWORDS):
                _add(catalog, message, place)
    for text in filter(None, declared()):
        _add(catalog, text, ("declared", 1))
    return catalog


def _add(catalog: Catalog, message: str | tuple[str, ...], place: tuple[str, int]) -> None:
    added = catalog.add(message, locations=[place])
    added.flags.discard("python-format")  # a % is a percentage here


def read(path: Path) -> Catalog:
    """Return a catalogue as it is on disk."""
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.parts[-3])
    catalog.creation_date = EPOCH
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """Return a catalogue as gettext reads it."""
    into = io.BytesIO()
    write_mo(into, catalog)
    return into.getvalue()


def update(path: Path) -> int:
    """Rewrite a catalogue; return how many texts it does not translate yet."""
    catalog = read(path)
    catalog.update(template(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    text = io.BytesIO()
    write_po(text, catalog, width=110, include_lineno=False)
    path.write_text("".join(line for line in text.getvalue().decode().splitlines(True) if not line.startswith(NEWS)))
    path.with_suffix(".mo").write_bytes(compiled(read(path)))
    return sum(not all(_strings(message.string)) for message in catalog if message.id)


def _strings(said: object) -> tuple[str, ...]:
    return tuple(said) if isinstance(said, (tuple, list)) else (str(said or ""),)


def main() -> int:
    """Update every catalogue there is."""
    for path in sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        print(f"{path.relative_to(ROOT)}: {update(path)} texts without a translation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
