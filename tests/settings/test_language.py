"""Text is said in the language that was chosen, else in that of the environment, else in English."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from mbpo.errors import ConfigError
from mbpo.settings.language import DOMAIN, choose, languages, tr, tr_n


@pytest.fixture(autouse=True)
def _english_afterwards(tmp_path: Path) -> Iterator[None]:
    yield
    choose(tmp_path, "en")


def catalogue(folder: Path, language: str, texts: dict[str, str]) -> None:
    """Write a catalogue as gettext reads it (GNU gettext manual, "The Format of GNU MO Files")."""
    said = {"": "Content-Type: charset=utf-8\n", **texts}
    pairs = [(one.encode(), other.encode()) for one, other in sorted(said.items())]
    start, tables, words = 28 + 16 * len(pairs), [], b""
    for column in (0, 1):
        for pair in pairs:
            tables += [len(pair[column]), start + len(words)]
            words += pair[column] + b"\0"
    head = (0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    place = folder / language / "LC_MESSAGES"
    place.mkdir(parents=True)
    (place / f"{DOMAIN}.mo").write_bytes(struct.pack(f"<{7 + len(tables)}I", *head, *tables) + words)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "run"),
        ({"LANG": "zh_CN.UTF-8"}, "运行"),
        ({"LANG": "zh_TW.UTF-8"}, "运行"),
        ({"LANGUAGE": "zh:en", "LANG": "de_DE.UTF-8"}, "运行"),
        ({"LANG": "de_DE.UTF-8"}, "run"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "run"),
        ({"LANGUAGE": "en_GB:zh"}, "run"),
        ({"LANG": "no such thing"}, "run"),
    ],
)
def test_the_environment_chooses(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    catalogue(tmp_path, "zh", {"run": "运行"})
    choose(tmp_path, environment=environment)
    assert tr("run") == said


def test_a_language_named_is_stronger_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    catalogue(tmp_path, "zh", {"run": "运行"})
    assert languages(tmp_path) == ("en", "zh")
    choose(tmp_path, "en", {"LANG": "zh_CN.UTF-8"})
    assert tr("run") == "run"
    choose(tmp_path, "zh", {})
    assert (tr("run"), tr("unknown"), tr("")) == ("运行", "unknown", "")
    with pytest.raises(ConfigError, match="--language must be one of en, zh, got 'xx'"):
        choose(tmp_path, "xx")


def test_values_take_their_places_and_braces_stay_without_any() -> None:
    assert tr("{name} is {share:.0%}", name="a", share=0.5) == "a is 50%"
    assert tr("{name}") == "{name}"


def test_counts_have_their_own_words() -> None:
    assert [tr_n("{n} run", "{n} runs", n) for n in (1, 2)] == ["1 run", "2 runs"]
