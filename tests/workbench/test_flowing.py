"""Lines of Chinese break as in a book, other text as before, and wide characters take two cells everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len
from textual.content import Content

from workbench.charts.picture import Line, Marker, Picture
from workbench.widgets.canvas import Canvas
from workbench.widgets.flowing import CLOSING, OPENING, Flowing, flowing, line_ends, lines_of
from workbench.widgets.painter import paint
from workbench.widgets.side_columns import Column, heading

CHINESE = "按 t 看实测的信任（“误差”），更有用。k 设为 rollout_length 时，任何规则都不起作用；见 docs/study.md。"
ENGLISH = "the worst case names no best k; measured trust, on t, says more"


@pytest.mark.parametrize("width", range(20, 60))
def test_lines_fit_and_punctuation_stays_where_it_belongs(width: int) -> None:
    lines = lines_of(CHINESE, width)
    assert max(map(cell_len, lines)) <= width
    assert "".join(lines).replace(" ", "") == CHINESE.replace(" ", "")
    assert not any(line[0] in CLOSING or line[-1] in OPENING for line in lines)
    assert any("rollout_length" in line for line in lines) and any("docs/study.md" in line for line in lines)
    assert all(cell_len(line) > width - 18 for line in lines[:-1])  # no line is left early but for the longest word


def test_a_word_longer_than_the_line_stays_whole_and_english_is_as_it_was() -> None:
    assert lines_of("见 /a/very/long/path 。", 6) == ["见", "/a/very/long/path", "。"]
    assert line_ends(ENGLISH, 20) == [] and flowing(Content(ENGLISH)) is not None
    assert isinstance(flowing(Content(ENGLISH)), Content)


def test_styles_and_paragraphs_stay() -> None:
    text = flowing(Content.assemble(("信任模型", "bold"), "\n\n", CHINESE))
    assert isinstance(text, Flowing)
    assert text.get_height({}, 30) == 2 + len(lines_of(CHINESE, 30))
    assert text.get_optimal_width({}, 80) == cell_len(CHINESE)


def test_a_wide_label_takes_its_cells_on_a_chart() -> None:
    x = np.linspace(0.0, 10.0, 20)
    line = Line("e", "回合", "1", "#ffffff", x, x)
    marks = (Marker(9.8, "⑂ 分支"), Marker(3.0, "⑂ 分支"))
    picture = Picture("回报", x_label="环境步", lines=(line,), markers=marks, x_range=(0.0, 10.0))
    strips = paint(picture, 40, 8, "#000000")
    assert {cell_len(strip.text) for strip in strips} == {40}
    assert strips[-1].text.endswith(" 环境步")
    assert sum(strip.text.count("⑂ 分支") for strip in strips) == 2


def test_half_a_wide_character_is_never_left() -> None:
    canvas = Canvas(6, 1, "#ffffff")
    canvas.put(0, 0, "分支", "#ffffff")
    canvas.put(1, 0, "x", "#ffffff")
    canvas.put(4, 0, "点点", "#ffffff")
    assert cell_len("".join(canvas.chars[0])) == 6


def test_wide_heads_stand_above_their_columns() -> None:
    columns = [Column("评估", ("−151", "−1,203")), Column("种子", ("3", "10"))]
    head = heading("还有 2 项：d", 14, columns)
    assert head.cell_length == 3 + 14 + sum(column.width for column in columns)
    assert all(cell_len(column.text(0)) == column.width for column in columns)
