"""A line at the bottom of a terminal stays below all that is printed, and is never left half."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from terminal_screen import TerminalScreen

from mbpo.settings.terminal import BottomLine, write_above


@pytest.fixture
def screen() -> Iterator[TerminalScreen]:
    screen = TerminalScreen(40)
    yield screen
    screen.close()


@pytest.fixture
def line(screen: TerminalScreen) -> Iterator[BottomLine]:
    line = BottomLine(screen.file)
    line.begin()
    yield line
    line.end()


def show(line: BottomLine, text: str) -> None:
    line.show(text, len(text))


def test_what_is_printed_scrolls_above_the_line(screen: TerminalScreen, line: BottomLine) -> None:
    write_above(screen.file, b"before\n")
    show(line, "10 %")
    write_above(screen.file, b"one\ntwo\n")
    show(line, "20 %")
    assert screen.text() == "before\none\ntwo\n20 %"
    line.end()
    write_above(screen.file, b"after\n")
    assert screen.text() == "before\none\ntwo\nafter"
    assert "\x1b[?25" not in screen.raw  # no cursor is hidden that a kill would leave so


def test_a_line_that_is_printed_in_parts_is_one_line(screen: TerminalScreen, line: BottomLine) -> None:
    show(line, "10 %")
    for part in (b"load", b"", b"ing", b" ", b"done", b"\n", b"next\n"):
        write_above(screen.file, part)
        assert screen.text().endswith("\n10 %")
    assert screen.text() == "loading done\nnext\n10 %"


@pytest.mark.parametrize("parts", [(b"\r 5%", b"\r50%", b"\r99%", b"\n"), (b" 5%\r", b"50%\r", b"99%\r", b"\n")])
def test_a_stranger_s_own_bar_is_drawn_in_place(
    parts: tuple[bytes, ...], screen: TerminalScreen, line: BottomLine
) -> None:
    show(line, "ours")
    for part in parts:
        write_above(screen.file, part)
    assert screen.text() == "99%\nours"


@pytest.mark.parametrize("printed", [b"x" * 100, b"\x1b[31mred", b"\xff\xfe", "汉".encode() * 25])
def test_what_cannot_be_written_again_ends_where_the_line_begins(
    printed: bytes, screen: TerminalScreen, line: BottomLine
) -> None:
    show(line, "10 %")
    write_above(screen.file, printed)
    write_above(screen.file, b"more\n")
    *_, before, last = screen.text().splitlines()
    assert (before, last) == ("more", "10 %")


def test_a_terminal_that_becomes_narrower_or_wider_has_one_line_still(screen: TerminalScreen, line: BottomLine) -> None:
    write_above(screen.file, b"above\n")
    show(line, "10 % " + "=" * 34)
    for width in (12, 25, 40):
        screen.text()
        screen.resize(width)
        show(line, f"{width} % " + "=" * (width - 6))
        assert screen.text().splitlines() == ["above", f"{width} % " + "=" * (width - 6)]


def test_other_files_are_written_past_the_line(screen: TerminalScreen, line: BottomLine) -> None:
    show(line, "10 %")
    reader, writer = os.pipe()
    write_above(writer, b"to a pipe\n")
    assert os.read(reader, 100) == b"to a pipe\n"
    assert screen.text() == "10 %"


def test_what_did_not_change_is_not_drawn_again(screen: TerminalScreen, line: BottomLine) -> None:
    show(line, "10 %")
    screen.text()
    before = screen.raw
    show(line, "10 %")
    assert screen.text() == "10 %"
    assert screen.raw == before


def test_behind_a_shell_s_prompt_nothing_is_drawn(
    screen: TerminalScreen, line: BottomLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(line, "10 %")
    monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
    write_above(screen.file, b"$ ")  # the shell's
    show(line, "20 %")
    write_above(screen.file, b"an event\n")
    assert screen.text() == "10 %\n$ an event"
    monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp())
    show(line, "30 %")
    assert screen.text() == "10 %\n$ an event\n30 %"


def test_a_terminal_that_is_gone_is_an_error_for_who_draws_and_none_at_the_end(
    screen: TerminalScreen, line: BottomLine
) -> None:
    show(line, "10 %")
    screen.hang_up()
    with pytest.raises(OSError):
        show(line, "20 %")
    line.end()
