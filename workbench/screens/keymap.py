"""Let a person move keys: check what ``keys.toml`` says, and print such a file to begin with."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from textual.binding import Binding, BindingType
from textual.keys import REPLACED_KEYS, Keys, _character_to_key, key_to_character

from mbpo.settings.language import tr
from workbench.format import safe_text
from workbench.preferences import closest, read_preferences
from workbench.screens.keys import EVERYWHERE, PALETTE, bench_keys

MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
NAMED = frozenset(key.value for key in Keys)
HEAD = """\
# Keys of MBPO Workbench. Save this as ~/.config/mbpo-workbench/keys.toml and keep the lines that you change.
# A key is a character ("N", "?"), a name ("f5", "escape", "space", "comma") or either with ctrl+ or alt+.
# Several keys for one thing have a comma between them: "N,f5".
"""


@dataclass(frozen=True)
class Place:
    """Hold the bindings that are in force together, by id."""

    title: str
    keys: Mapping[str, tuple[str, ...]]
    meanings: Mapping[str, str]
    taken: frozenset[str] = frozenset()  # keys that what has the focus takes first
    typed: bool = False  # whether characters are typed into fields there

    @classmethod
    def of(
        cls, title: str, bindings: Iterable[BindingType], taken: frozenset[str] = frozenset(), typed: bool = False
    ) -> Place:
        """Return the place with these bindings; those without an id stay as they are."""
        own = [binding for binding in bindings if isinstance(binding, Binding) and binding.id]
        keys = {str(binding.id): tuple(map(normal, binding.key.split(","))) for binding in own}
        return cls(title, keys, {str(b.id): b.tooltip or b.description for b in own}, taken, typed)


@dataclass
class Keymap:
    """Hold the keys that a person moved, by id, and what is wrong with the file."""

    keys: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def places() -> tuple[Place, ...]:
    """Return every place of the app that has keys."""
    from textual.widgets import DataTable

    from workbench.screens.about_form import AboutForm
    from workbench.screens.columns_page import ColumnsPage
    from workbench.screens.dialogs import ConfirmStop, EditValues
    from workbench.screens.differences import Differences
    from workbench.screens.fork_form import ForkForm
    from workbench.screens.help_screen import HelpScreen
    from workbench.screens.info_screen import InfoScreen
    from workbench.screens.launch_form import LaunchForm
    from workbench.screens.layouts import ChooseLayout, NameLayout
    from workbench.screens.log_screen import LogScreen
    from workbench.screens.metrics_screen import MetricsScreen
    from workbench.screens.queue_screen import ConfirmCancel, QueueScreen
    from workbench.screens.run_page import RunPage
    from workbench.screens.trash_dialogs import ConfirmTrash
    from workbench.screens.trash_page import TrashPage
    from workbench.screens.trust_screen import TrustScreen
    from workbench.screens.what_if_form import WhatIfForm
    from workbench.widgets.runs_panel import FilterLine

    moves = frozenset(key for b in DataTable.BINDINGS if isinstance(b, Binding) for key in b.key.split(","))
    return (
        Place.of("everywhere", [*EVERYWHERE, PALETTE]),
        Place.of("the workbench", bench_keys(), taken=moves),
        Place.of("the filter of the runs", FilterLine.BINDINGS, typed=True),
        Place.of("every metric", [*RunPage.BINDINGS, *MetricsScreen.BINDINGS]),
        Place.of("save a layout", NameLayout.BINDINGS, typed=True),
        Place.of("layouts", ChooseLayout.BINDINGS),
        Place.of("trust", [*RunPage.BINDINGS, *TrustScreen.BINDINGS]),
        Place.of("all of a run", [*RunPage.BINDINGS, *InfoScreen.BINDINGS]),
        Place.of("queue", QueueScreen.BINDINGS, taken=moves),
        Place.of("columns", ColumnsPage.BINDINGS),
        Place.of("title, note and tags", AboutForm.BINDINGS, typed=True),
        Place.of("trash", TrashPage.BINDINGS),
        Place.of("what differs", Differences.BINDINGS),
        Place.of("log", LogScreen.BINDINGS),
        Place.of("help", HelpScreen.BINDINGS),
        Place.of("new run", LaunchForm.BINDINGS, typed=True),
        Place.of("fork", ForkForm.BINDINGS, typed=True),
        Place.of("what if", WhatIfForm.BINDINGS, typed=True),
        Place.of("exact values", EditValues.BINDINGS, typed=True),
        Place.of("stop a run", ConfirmStop.BINDINGS),
        Place.of("cancel what waits", ConfirmCancel.BINDINGS),
        Place.of("into the trash", ConfirmTrash.BINDINGS),
    )


def read_keymap() -> Keymap:
    """Return what ``keys.toml`` says, as far as it can be followed."""
    found, wrong = read_preferences("keys.toml")
    keymap = checked(dict(_flat(found)), places()) if found else Keymap()
    return Keymap(keymap.keys, [*wrong, *(f"keys.toml: {text}" for text in keymap.wrong)])


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ids and values: ``run.new`` without quotes is a table in a table."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def checked(wanted: Mapping[str, Any], known: Collection[Place]) -> Keymap:
    """Return the keys that can be moved so; of two that want one key, the first has it."""
    keymap = Keymap()
    ids = {name for place in known for name in place.keys}
    for name, value in wanted.items():
        place = next((place for place in known if name in place.keys), None)
        if place is None:
            unknown = tr("no key is called {name}", name=safe_text(name, 60))
            further = tr("mbpo-workbench --keys lists all")
            keymap.wrong.append("; ".join(filter(None, (unknown, closest(name, ids), further))))
            continue
        keys = [normal(key) for key in value.split(",")] if isinstance(value, str) else []
        if fault := _fault(value, keys, place) or _taken(name, keys, place, known, keymap.keys):
            keymap.wrong.append(
                tr("{name}: {fault}; it keeps {keys}", name=name, fault=fault, keys=_all_of(place.keys[name]))
            )
        else:
            keymap.keys[name] = ",".join(keys)
    keymap.wrong += _left_without(keymap.keys, known)
    return keymap


def _fault(value: Any, keys: list[str], place: Place) -> str:
    """Say what is wrong with keys wherever else they stand."""
    if not keys:
        return tr('expected text like "N" or "N,f5", got {value}', value=safe_text(value, 40))
    for key in keys:
        if not is_key(key):
            shown = safe_text(key, 40) or tr("nothing")
            return tr('{key} is no key; give one as "N", "f5" or "ctrl+n"', key=shown)
        if key in place.taken:
            return tr("{key} moves in the table", key=key)
        if place.typed and _character(key):
            return tr("{key} is typed into a field there", key=key)
    return ""


def _taken(name: str, keys: list[str], place: Place, known: Collection[Place], moved: Mapping[str, str]) -> str:
    """Say which other key was moved there before."""
    for other, theirs in moved.items():
        both = set(keys) & set(theirs.split(","))
        if both and any({name, other} <= together.keys() for together in _together(place, known)):
            return tr("{key} is {other}'s now", key=min(both), other=other)
    return ""


def _left_without(moved: Mapping[str, str], known: Collection[Place]) -> Iterator[str]:
    """Say of keys that were not moved which of them lose theirs to one that was."""
    for name, keys in moved.items():
        place = next(place for place in known if name in place.keys)
        for together in _together(place, known):
            for other, theirs in together.items():
                lost = set(keys.split(",")) & set(theirs)
                if lost and other not in moved:
                    rest = [key for key in theirs if key not in lost]
                    yield tr(
                        "{key} is {name}'s now, and was {other}'s, which has {rest}",
                        key=min(lost),
                        name=name,
                        other=other,
                        rest=_all_of(rest) or tr("no key"),
                    )


def _all_of(keys: Iterable[str]) -> str:
    """Return keys as a list in words; nothing where there are none."""
    return functools.reduce(lambda some, one: tr("{some} and {one}", some=some, one=one) if some else one, keys, "")


def _together(place: Place, known: Collection[Place]) -> Iterator[Mapping[str, tuple[str, ...]]]:
    """Yield the keys that are in force with those of a place."""
    everywhere = next((each for each in known if each.title == "everywhere"), place)
    for each in known if place is everywhere else (place,):
        yield {**everywhere.keys, **each.keys}


def normal(key: str) -> str:
    """Return a key as Textual names it: ``question_mark`` for ``?``."""
    key = key.strip()
    return _character_to_key(key) if len(key) == 1 else key


def is_key(key: str) -> bool:
    """Return whether a terminal can send a key of that name."""
    *modifiers, base = key.split("+")
    named = base in NAMED or _character(base)
    only_shift = modifiers == ["shift"] and len(base) == 1  # it sends the large letter instead
    return bool(base and named) and set(modifiers) <= MODIFIERS and not only_shift


def _character(key: str) -> str:
    """Return the character that a key types, or nothing."""
    character = key_to_character(REPLACED_KEYS.get(key, key)) or ""
    return character if character.isprintable() else ""


def keys_toml(keymap: Keymap) -> str:
    """Return every key in force as a file that can be saved and changed."""
    lines, told = [HEAD], set[str]()
    for place in places():
        lines.append(f"# {place.title}")
        for name, keys in place.keys.items():
            if name in told:  # the charts have the same keys on every page
                continue
            told.add(name)
            setting = f'{name} = "{keymap.keys.get(name) or ",".join(keys)}"'
            lines.append(f"{setting:<40} # {place.meanings[name]}")
        lines.append("")
    return "\n".join(lines).rstrip("\n")
