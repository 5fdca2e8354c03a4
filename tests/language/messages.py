"""Keep the app's catalogues in step with its text: ``python tests/language/messages.py`` (``make messages``).

It looks for ``tr()`` and ``tr_n()`` in the sources and for what is declared and said through them, writes both into
``workbench/locale/LANGUAGE/LC_MESSAGES/workbench.po``, keeping the translations that are there, and compiles the .mo
that the app reads.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from mbpo.runs.command import ACTIONS
from mbpo.runs.metrics import METRICS
from mbpo.runs.records.order import AT_WORK, ENDS, WAITING
from mbpo.settings.config import SETTINGS
from mbpo.settings.language import DOMAIN
from mbpo.settings.presets import PRESETS
from workbench.charts.table import CHARTS
from workbench.charts.x_axis import AXES
from workbench.format import GLYPHS
from workbench.widgets.events import MARKS

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "workbench" / "locale"
SOURCES = ("workbench", "mbpo/runs", "mbpo/settings", "mbpo/trust")
NEWS = ('"POT-Creation', '"PO-Revision', '"Report-Msgid', '"Last-Trans', '"Language-Team', '"Generated-By')
EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
PHASES = ("warm-up", "train", "refit", "rollout", "evaluation", "repeat", "ended")  # of a learner, as its status says
SAYING = {"tr": 1, "tr_n": 2}  # which functions say how many texts


def declared() -> Iterator[str]:
    """Return the texts of declarations that the app says through ``tr``."""
    for setting in SETTINGS.values():
        yield from (setting.doc, setting.unit, setting.group, setting.dial.down, setting.dial.up)
    for metric in METRICS.values():
        yield from (metric.meaning, metric.unit)
    for preset in PRESETS.values():
        yield preset.doc
    yield from (*(axis.name for axis in AXES), *CHARTS, *GLYPHS, *MARKS, *ACTIONS, *PHASES)
    yield from (WAITING, AT_WORK, *ENDS, "applied", "rejected", "unanswered", "palette", "Open the command palette")


def said_in(source: str) -> Iterator[str | tuple[str, ...]]:
    """Return the texts that a module says, in their order: also those inside f-strings, which Babel passes over."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        count = SAYING.get(call.func.id, 0) if isinstance(call.func, ast.Name) else 0
        texts = tuple(arg.value for arg in call.args[:count] if isinstance(arg, ast.Constant))
        if texts and len(texts) == count:
            yield texts if count > 1 else texts[0]


def template() -> Catalog:
    """Return every text that the app can say."""
    catalog = Catalog(project="MBPO Workbench", charset="utf-8", fuzzy=False)
    catalog.creation_date = EPOCH  # else the compiled one differs each minute
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            place = (path.relative_to(ROOT).as_posix(), 1)
            for message in said_in(path.read_text()):
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
