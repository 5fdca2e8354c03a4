"""Every catalogue has every text, with its values in their places, and is compiled as it stands."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from messages import LOCALE, compiled, read, template

from mbpo.settings.language import DOMAIN

CATALOGUES = sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def _places(text: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None}


def test_there_is_a_catalogue() -> None:
    assert [path.parts[-3] for path in CATALOGUES] == ["zh"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_it_has_what_the_app_says_and_nothing_else(path: Path) -> None:
    said, known = template(), read(path)
    assert {message.id for message in said} == {message.id for message in known}, "run make messages"
    assert not [m.id for m in known if m.id and not all([m.string] if isinstance(m.string, str) else m.string)]
    assert not [m.id for m in known if m.fuzzy and m.id]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_values_have_the_same_places(path: Path) -> None:
    for message in read(path):
        ids = (message.id,) if isinstance(message.id, str) else message.id
        strings = (message.string,) if isinstance(message.string, str) else message.string
        for text in strings:
            if message.id and "python-brace-format" in message.flags:
                assert _places(text) == _places(ids[-1]), message.id


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_it_is_compiled_as_it_stands(path: Path) -> None:
    assert path.with_suffix(".mo").read_bytes() == compiled(read(path)), "run make messages"
