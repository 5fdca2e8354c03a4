"""Set runs side by side: what is drawn of each, and what is said of them."""

from __future__ import annotations

import itertools
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

from fake_run import make_run, metric_rows, status_of
from family import a_family, put_config, put_rows

from workbench.charts.overlay import Overlay
from workbench.charts.picture import Line
from workbench.charts.returns import returns_together
from workbench.charts.scene import Scene
from workbench.charts.table import CHARTS
from workbench.charts.x_axis import AXES, STEPS, XAxis
from workbench.fork_tree import descent, family, in_tree, shared
from workbench.format import number
from workbench.marked_runs import LETTERS, MarkedRuns
from workbench.messages import RunDetail, RunRow
from workbench.side_by_side import Comparison, compare
from workbench.theme import NIGHT_INKS
from workbench.watcher import Watcher
from workbench.widgets.comparison_table import in_full, table
from workbench.widgets.legend import legend
from workbench.widgets.painter import paint

EVIL = "[/x]\x1b]52;c;aGk=\x07\u202e"


def read(root: Path, *names: str, focus: str = "") -> Comparison:
    """Return the runs named side by side, as the app would have them."""
    watcher = Watcher(root, lambda message: None)
    paths = [root / name for name in names]
    watcher.select(root / focus if focus else None)
    watcher.compare(paths)
    reading = watcher.look()
    letters = dict(zip(paths, LETTERS, strict=False))
    return compare(in_tree(reading.rows), letters, reading.compared, watcher._selected, reading.detail)


def overlay(comparison: Comparison, axis: XAxis = STEPS) -> Overlay:
    focus = next((run for run in comparison.runs if run.focused), None)
    detail = focus.detail if focus else RunDetail(Path(), 0)
    return Overlay(Scene(detail).over(axis), comparison)


def line(comparison: Comparison, letter: str) -> Line:
    lines = returns_together(overlay(comparison), 0.0).lines
    return next(line for line in lines if line.letter == letter)


def test_a_letter_stays_with_its_run_and_is_given_anew_when_free() -> None:
    marks, paths = MarkedRuns(), [Path(f"run-{n}") for n in range(55)]
    assert marks.add(paths) == 3
    assert "".join(marks.letters.values()) == LETTERS and len(set(LETTERS)) == 52
    marks.remove(paths[1])
    assert marks.add([paths[0], paths[54]]) == 0 and marks.letters[paths[54]] == "B"
    marks.keep({paths[54], paths[3]})
    assert marks.letters == {paths[54]: "B", paths[3]: "D"}
    marks.clear()
    assert marks.letters == {}


def test_shared_history_is_drawn_once_and_the_branch_joins_it(tmp_path: Path) -> None:
    a_family(tmp_path)
    shown = read(tmp_path, "base", "base-k5", "deeper")
    base, fork, deeper = (line(shown, letter) for letter in "ABC")
    assert base.x[0] < 100 and len(base.x) == 62
    assert (fork.x[0], fork.x[1]) == (600, 620) and fork.y[0] == base.y[base.x == 600]
    assert (deeper.x[0], deeper.x[1]) == (900, 920)
    drawn = returns_together(overlay(shown), None)
    evaluations = [part for part in drawn.lines if part.glyph]
    assert [part.x[0] for part in evaluations] == [100, 700, 1000]


def test_forks_of_one_run_share_its_history_also_where_it_is_not_shown(tmp_path: Path) -> None:
    a_family(tmp_path)
    for gone in (False, True):
        if gone:
            shutil.rmtree(tmp_path / "base")
        shown = read(tmp_path, "base-k5", "base-k9")
        assert line(shown, "A").x[0] < 100 and line(shown, "B").x[1] > 600
    shown = read(tmp_path, "base-k9", "deeper")  # a nephew: their history is one up to 600
    assert sorted(part.x[1] > 600 for part in (line(shown, "A"), line(shown, "B"))) == [False, True]


def test_a_fork_shows_its_history_where_no_other_has_the_rows(tmp_path: Path) -> None:
    a_family(tmp_path)
    assert line(read(tmp_path, "deeper", "other"), "A").x[0] < 100
    put_rows(tmp_path / "base", metric_rows(62, 1240)[:10])  # cut short, at 200
    first = line(read(tmp_path, "base", "base-k5"), "B").x[0]
    assert first == line(read(tmp_path, "base", "base-k5"), "A").x[-1]


def test_the_fair_evaluation_is_at_the_last_step_that_all_have(tmp_path: Path) -> None:
    for name, steps in (("a", (200, 400, 600)), ("b", (100, 200, 400)), ("c", (200, 400, 800))):
        path = make_run(tmp_path, name, status_of())
        rows = [{"seq": s, "env_steps": s, "eval/return_mean": -s, "eval/return_std": 5.0} for s in steps]
        rows.append({"seq": 900, "env_steps": 900, "eval/return_mean": None})
        put_rows(path, rows)
    shown = read(tmp_path, "a", "b", "c")
    assert shown.common_step == 400
    text = table(shown, 90, 6).plain
    assert "at 400" in text and text.count("−400 ± 5") == 3 and "−800 @ 800" in text
    make_run(tmp_path, "empty", status_of())
    shown = read(tmp_path, "a", "empty")
    assert math.isnan(shown.common_step) and "in common" in table(shown, 90, 6).plain
    assert "no env step yet" in in_full(shown).plain


def test_only_settings_that_differ_are_told_what_is_live_before_what_was_configured(tmp_path: Path) -> None:
    live = {"rollout_length": "auto", "real_ratio": 0.1}
    put_config(make_run(tmp_path, "a", status_of(controls=live)), seed=3, critic_lr=3e-4, tau=0.005)
    path = make_run(tmp_path, "b", status_of(controls={**live, "rollout_length": 5}))
    put_config(path, seed=4, critic_lr=1e-3, gamma=0.990, run_id="b", eval_every=500)
    assert read(tmp_path, "a", "b").differences == {
        "k": ("auto", "5"),
        "seed": ("3", "4"),
        "critic_lr": ("0.0003", "0.001"),
    }
    (path / "config.toml").write_text("not [ toml")
    assert read(tmp_path, "a", "b").differences == {"k": ("auto", "5")}


def test_nothing_that_a_run_holds_can_break_the_comparison(tmp_path: Path) -> None:
    a_family(tmp_path)
    make_run(tmp_path, "empty", status_of())
    one_row = make_run(tmp_path, "one-row", status_of(controls={"rollout_length": -5}))
    put_rows(one_row, metric_rows(60, 1240)[59:])
    gaps = make_run(tmp_path, "gaps", status_of(controls={"rollout_length": 10**400}))
    put_rows(
        gaps,
        [{**dict.fromkeys(row), "env_steps": row["env_steps"], "seq": row["seq"]} for row in metric_rows(60, 1240)],
    )
    evil = make_run(tmp_path, EVIL.replace("/", "∕"), status_of(parent=EVIL, controls={"real_ratio": EVIL}))
    put_rows(
        evil,
        [
            {
                "seq": 1,
                "env_steps": 1e299,
                "bound/rho": -1,
                "eval/return_mean": 1e299,
                "bound/k_star": 1e299,
                "mix/real_ratio_measured": -1e299,
            }
        ],
    )
    put_config(evil, seed=EVIL, rollout_schedule=[[[EVIL]]], algo=EVIL, gamma=-3)
    names = ("base", "empty", "one-row", "gaps", evil.name, "deeper")
    for some in (names, names[1:2] * 1 + names[3:4], names[2:]):
        shown = read(tmp_path, *some, focus=some[-1])
        for axis, chart in itertools.product(AXES, CHARTS.values()):
            drawn = overlay(shown, axis)
            for plot, view in itertools.product(chart.plots, chart.toggle.views if chart.toggle else (False,)):
                picture = drawn.labelled(plot.together(drawn, view))
                assert len(paint(picture, 40, 10, "#000000")) == len(paint(picture.turned(), 40, 10, "#000000")) == 10
        for width, height in ((30, 3), (76, 5), (120, 9)):
            assert len(table(shown, width, height).plain.splitlines()) <= height
        assert not {"\x1b", "\x07", "\u202e"} & set(table(shown, 99, 9).plain + in_full(shown).plain)


def test_a_run_in_focus_is_told_of_even_where_not_all_fit(tmp_path: Path) -> None:
    a_family(tmp_path)
    shown = read(tmp_path, "base", "base-k5", "base-k9", "deeper", focus="deeper")
    lines = table(shown, 76, 3).plain.splitlines()
    assert [row[:2] for row in lines[1:]] == [" A", "▸D"]


def test_the_legend_has_what_fits_the_run_in_focus_and_how_many_more(tmp_path: Path) -> None:
    names = [f"run-{index:02}" for index in range(30)]
    for name in names:
        make_run(tmp_path, name, status_of(), rows=20)
    shown = read(tmp_path, *names, focus="run-25")
    picture = returns_together(overlay(shown), 0.0).inked(NIGHT_INKS)
    assert {line.letter: line.lead for line in picture.lines}["Z"]
    for width, at in itertools.product((12, 40, 76, 200), (None, 620.0)):
        text = legend(picture, width, at).text
        assert len(text) == width
        if width >= 40:
            values, more = text.split("+")
            told = re.findall(r"(\w) −", values)
            assert told[0] == "A" and told[-1] == "Z" and int(more.split()[0]) == 30 - len(told) > 0
    assert legend(picture, 400).text.count("−") == 30


def test_at_a_cursor_the_legend_has_a_runs_evaluation_too(tmp_path: Path) -> None:
    a_family(tmp_path)
    shown = read(tmp_path, "base", "base-k5")
    picture = returns_together(overlay(shown), 0.0).inked(NIGHT_INKS)
    assert "●" not in legend(picture, 100).text
    for run, at in itertools.product(shown.by_letter, (700.0, 1100.0)):
        told = legend(picture, 100, at).text.split(f"{run.letter} ")[1].split("  ")[0]
        returns, evaluations = (run.points(key) for key in ("episode/return", "eval/return_mean"))
        nearest = evaluations.y[abs(evaluations.x - at).argmin()]
        assert told == f"{number(returns.y[returns.x <= at][-1])} ● {number(nearest)}"
    assert "+1 more" in legend(picture, 22, 700.0).text
    without = replace(picture, lines=picture.lines[1:])  # of a run without a training episode
    assert legend(without, 100, 700.0).text.removeprefix("return  ").startswith("A ●")


def test_letters_stand_along_lines_where_colours_are_shared(tmp_path: Path) -> None:
    for index in range(9):
        make_run(tmp_path, f"run-{index}", status_of(), rows=60)
    for count in (8, 9):
        picture = returns_together(overlay(read(tmp_path, *(f"run-{n}" for n in range(count)))), 0.0)
        lines = tuple(part for part in picture.lines if part.letter)
        text = "".join(strip.text for strip in paint(replace(picture, lines=lines), 90, 20, "#000000")[1:])
        assert (text.count("A") > 3) is (count > 8)


def test_curves_of_the_compared_hold_only_what_is_drawn_and_follow_the_run(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(), rows=60)
    watcher = Watcher(tmp_path, lambda message: None)
    watcher.compare([path])
    before = watcher.look().compared[path]
    assert "bound/eps_pi" not in before.series and len(before.series["episode/return"].x) == 60
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"seq": 61, "env_steps": 1300, "episode/return": 7, "x/y": 1}\n')
    after = watcher.look().compared[path]
    assert after.version > before.version and after.last("episode/return") == 7
    assert watcher.look().compared[path].version == after.version
    watcher.compare([])
    assert watcher.look().compared == {}


def test_a_backlog_of_one_run_lets_the_others_wait_a_look_at_most(tmp_path: Path) -> None:
    paths = [make_run(tmp_path, name, status_of()) for name in "abc"]
    for path in paths:
        put_rows(path, [{"seq": n, "env_steps": n, "episode/return": 1.0} for n in range(1500)])
    watcher = Watcher(tmp_path, lambda message: None)
    watcher.compare(paths)
    assert [len(watcher.look().compared) for _ in range(3)] == [1, 2, 3]


def test_rows_know_their_family_also_where_the_founder_is_gone() -> None:
    def run(name: str, parent: str = "") -> RunRow:
        return RunRow(Path(name), "finished", parent=parent)

    rows = (
        run("a"),
        run("b", "a@5"),
        run("c", "b@7"),
        run("x", "gone@1"),
        run("y", "gone@2"),
        run("p", "q@1"),
        run("q", "p@1"),
    )
    names = {path: [kin.run_id for kin in family(rows, Path(path))] for path in "abcxypq"}
    assert names["a"] == names["b"] == names["c"] == ["a", "b", "c"]
    assert names["x"] == names["y"] == ["x", "y"] and names["p"] == names["q"] == ["p", "q"]
    assert family(rows, Path("none")) == ()


def test_a_fork_of_a_forks_history_shares_with_the_first_run_only_what_both_share() -> None:
    parents = {"a": "", "b": "a@600", "c": "b@400", "d": "b@900"}
    rows = {name: RunRow(Path(name), "finished", parent=at) for name, at in parents.items()}
    told = {name: descent(row, rows) for name, row in rows.items()}
    assert told["c"] == {"c": math.inf, "b": 400, "a": 400}
    assert told["d"] == {"d": math.inf, "b": 900, "a": 600}
    assert shared(told["a"], told["d"]) == 600 and shared(told["c"], told["d"]) == 400
    assert shared(told["a"], {"x": math.inf}) == -math.inf
