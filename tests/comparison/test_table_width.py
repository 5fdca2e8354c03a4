"""A table keeps every figure whole, whatever the width."""

from __future__ import annotations

import pytest
from rich.console import Console

from mbpo.comparison.table import FigureTable, figures_console
from mbpo.comparison.trust_report import TrustReport, print_report

TITLES = ["until", "X", "Y", "seeds", "P(X sooner) [95 %]", "steps saved by seed [95 %]"]
ROWS = [
    ["first ≥ -200", "real_ratio=0.5", "real_ratio=1", "5, 5", "1.00 [1.00, 1.00]", "520.0 [340.0, 720.0]"],
    ["solved: stays ≥ -200", "real_ratio=0.5", "real_ratio=1", "5, 5", "0.94 [0.76, 1.00]", "500.0 [300.0, 680.0]"],
]


@pytest.mark.parametrize("width", range(60, 140))
def test_no_figure_and_no_title_is_cut(width: int) -> None:
    console = Console(width=width, force_terminal=False)
    with console.capture() as seen:
        console.print(FigureTable(TITLES, ROWS, names=(0, 1, 2)))
    text = seen.get()
    assert all(len(line) <= width for line in text.splitlines())
    for figure in [*TITLES[3:], *(cell for row in ROWS for cell in row[1:])]:
        assert figure in text


@pytest.mark.parametrize(("columns", "terminal", "width"), [(80, True, 80), (160, True, 120), (160, False, 100)])
def test_a_terminal_is_used_up_to_its_width(
    columns: int, terminal: bool, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(Console, "is_terminal", terminal)
    monkeypatch.setattr(Console, "width", columns)
    assert figures_console().width == width


def test_sentences_are_broken_between_words_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    words = ["model" * 3] * 9
    report = TrustReport("run", 1, 2, 3, [], [], {}, [" ".join(words)], "", {})
    for terminal, lines in ((True, 3), (False, 1)):
        monkeypatch.setattr(Console, "is_terminal", terminal)
        print_report(report)
        told = [line for line in capsys.readouterr().out.splitlines() if "model" in line]
        assert (len(told), " ".join(told).split()) == (lines, words)
