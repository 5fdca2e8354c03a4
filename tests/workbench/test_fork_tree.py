from __future__ import annotations

from pathlib import Path

import pytest

from workbench.fork_tree import in_tree, origin
from workbench.format import safe_text
from workbench.messages import RunRow
from workbench.widgets.runs_table import label


def run(name: str, parent: str = "") -> RunRow:
    return RunRow(Path("/runs") / name, "finished", parent=parent)


def drawn(*rows: RunRow) -> list[str]:
    return [f"{row.lines}{row.run_id}" for row in in_tree(rows)]


def test_forks_stand_below_their_parent_by_step_then_name() -> None:
    rows = (
        run("z", "base@900"),
        run("late", "base@1000"),
        run("other"),
        run("a", "base@900"),
        run("base"),
        run("grandchild", "a@950"),
    )
    assert drawn(*rows) == ["other", "base", "├a", "│└grandchild", "├z", "└late"]


def test_a_parent_that_is_not_here_leaves_the_fork_at_the_top_with_its_origin() -> None:
    (row,) = in_tree([run("b", "gone@600")])
    assert row.lines == "" and label(row, 30).plain == "b ⑂ gone@600"
    assert label(run("pendulum-s3-1123", "pendulum-s0-1122@600"), 13).plain == "…-1123 ⑂…@600"


def test_a_label_keeps_the_step_and_the_end_of_the_name_in_any_width() -> None:
    _, row = in_tree([run("base"), run("pendulum-s0-1123-004224", "base@600")])
    assert label(row, 40).plain == "└@600 pendulum-s0-1123-004224"
    assert label(row, 13).plain == "└@600 …004224"
    for width in range(1, 60):
        shown = label(row, width).plain
        assert len(shown) <= width and ("@600" in shown or width < 8)


def test_a_circle_and_a_run_that_is_its_own_parent_are_shown_once() -> None:
    rows = (run("a", "b@1"), run("b", "a@2"), run("own", "own@3"), run("top"))
    assert drawn(*rows) == ["top", "a", "└b", "own"]


@pytest.mark.parametrize(
    "parent",
    [
        "@",
        "@5",
        "base",
        "base@",
        "base@x",
        "base@-5",
        "base@" + "9" * 300,
        "base@٣",
        "\x1b[2J@5",
        "[/x]@5",
        "a\n@5",
        "x" * 300 + "@5",
        "@" * 300,
        "../base@5",
    ],
)
def test_hostile_parents_are_harmless(parent: str) -> None:
    _, row = in_tree([run("base"), run("fork", parent)])
    shown = label(row, 30).plain
    assert row.lines == "" and len(shown) <= 30 and shown == safe_text(shown)
    assert shown.startswith("fork ⑂")


def test_a_chain_of_any_length_is_drawn() -> None:
    rows = [run("0"), *(run(str(n + 1), f"{n}@5") for n in range(3000))]
    placed = in_tree(reversed(rows))
    assert [row.run_id for row in placed] == [str(n) for n in range(3001)]
    assert all(len(label(row, 13).plain) <= 13 for row in placed)


def test_an_origin_is_a_run_and_a_step() -> None:
    assert origin("a@b@600") == ("a@b", 600)
    assert origin("") == ("", -1)
