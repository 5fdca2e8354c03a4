"""What a person chose is there at the next start, and nothing in its place does any harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.charts.metric_layout import layout_in, layouts_in, pinned_in
from workbench.charts.x_axis import STEPS, WALL_TIME
from workbench.memory import load, of_root, place, save


def test_what_is_saved_is_there_again_and_apart_for_each_root(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert load(one, "columns") is None
    assert save(one, "columns", ["env", "k"]) and save(one, "pins", {"a": 1.5})
    assert load(one, "columns") == ["env", "k"] and load(one, "pins") == {"a": 1.5}
    assert load(other, "columns") is None
    assert save(one, "columns", None) and load(one, "columns") is None and load(one, "pins") == {"a": 1.5}


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null", b'{"columns": 1' * 10])
def test_a_damaged_file_is_none_and_is_written_anew(tmp_path: Path, text: bytes) -> None:
    assert save(tmp_path, "columns", [1])
    place(of_root("memory", tmp_path)).write_bytes(text)
    assert load(tmp_path, "columns") is None
    assert save(tmp_path, "columns", [2]) and load(tmp_path, "columns") == [2]


def test_where_nothing_can_be_kept_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    assert not save(tmp_path, "columns", [1]) and load(tmp_path, "columns") is None


def test_layouts_of_any_file_are_layouts_or_nothing() -> None:
    assert pinned_in(["sac/alpha", 3, "no such", "sac/alpha", None]) == ("sac/alpha",)
    assert pinned_in("sac/alpha") == pinned_in({"sac/alpha": 1}) == ()
    layout, axis = layout_in({"pinned": ["sac/alpha"], "smoothing": 0.95, "filter": "a\x1b[31m", "x": "wall time"})
    assert axis is WALL_TIME and "\x1b" not in layout.asked
    assert layout_in(layout.kept(axis)) == (layout, axis)
    nothing = {"pinned": 3, "smoothing": [], "filter": [], "log_y": "yes", "x": {}, "only_pinned": True}
    assert layout_in(nothing) == (layout_in({})[0], STEPS) and not layout_in(nothing)[0].only_pinned
    assert layouts_in(None) == layouts_in([{}]) == layouts_in({"a": 3, " ": {}}) == {}
    assert list(layouts_in({" a ": {}})) == ["a"]
