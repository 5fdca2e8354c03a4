"""Title, note and tags of a run: kept beside what others say at the same time, whatever is in the file."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_run import make_run, metric_rows, status_of
from family import put_config, put_rows

from mbpo import compare
from mbpo.errors import ConfigError, NewerRecordError, StorageError
from mbpo.runs.about import MOST_NOTE, MOST_TAGS, MOST_TITLE, About, change_about, read_about, tags_in
from mbpo.runs.layout import RunPaths


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    (tmp_path / "run").mkdir()
    return RunPaths(tmp_path / "run")


def test_what_is_not_changed_stays_unknown_keys_too(paths: RunPaths) -> None:
    assert read_about(paths) == About()
    change_about(paths, {"title": " k 5 解 ", "tags": ["paper"]})
    content = json.loads(paths.about.read_text())
    paths.about.write_text(json.dumps({**content, "of_a_later_version": [1], "odd": "\ud800"}))
    about = change_about(paths, {"note": "the figure", "archived": True})
    assert (about.title, about.note, about.tags, about.archived) == ("k 5 解", "the figure", ("paper",), True)
    assert json.loads(paths.about.read_text())["of_a_later_version"] == [1]
    assert paths.about.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in paths.root.iterdir()] == ["about.json"]


def test_of_two_who_change_two_parts_at_once_neither_is_lost(paths: RunPaths) -> None:
    def say(**changes: object) -> Callable[[], None]:
        return lambda: [change_about(paths, changes) for _ in range(15)] and None

    threads = [threading.Thread(target=say(**change)) for change in ({"title": "a"}, {"note": "b"}, {"tags": ["c"]})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (read_about(paths).title, read_about(paths).note, read_about(paths).tags) == ("a", "b", ("c",))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"schema": 2, "title": "newer"}',
        b'{"title": 3, "note": null, "tags": "no list", "archived": "yes"}',
        b'{"tags": [3, {}]}',
        b'{"title": "' + b"x" * 100_000 + b'"}',
    ],
)
def test_a_broken_file_says_nothing(paths: RunPaths, content: bytes) -> None:
    paths.about.write_bytes(content)
    assert read_about(paths) == About()


def test_what_others_wrote_is_no_longer_than_ours(paths: RunPaths) -> None:
    tags = [f"t{number}" for number in range(100)]
    paths.about.write_text(
        json.dumps({"title": "t" * 900, "note": "n" * 9000, "tags": ["two words", "\x1b[31m", *tags]})
    )
    about = read_about(paths)
    assert (len(about.title), len(about.note), len(about.tags)) == (MOST_TITLE, MOST_NOTE, MOST_TAGS)
    assert about.tags[0] == "t0"


def test_refusals_are_a_line_and_change_nothing(paths: RunPaths) -> None:
    with pytest.raises(ConfigError, match="at most 80 characters, got 81"):
        change_about(paths, {"title": "x" * 81})
    with pytest.raises(ConfigError, match=r"a tag must be a word .* got a=b"):
        tags_in("good a=b")
    with pytest.raises(ConfigError, match="at most 20 tags, got 21"):
        change_about(paths, {"tags": tags_in(" ".join(f"t{n}" for n in range(21)))})
    assert not paths.about.exists()
    paths.about.write_text('{"schema": 9}')
    with pytest.raises(NewerRecordError, match="use the mbpo that wrote it"):
        change_about(paths, {"title": "x"})
    with pytest.raises(StorageError, match="cannot write"):
        change_about(RunPaths(paths.root / "gone"), {"title": "x"})
    assert tags_in(" #paper, fig-2 paper ,, 论文") == ("paper", "fig-2", "论文")


def test_compare_knows_titles_tags_and_what_is_put_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(4):
        path = make_run(tmp_path, f"run-{seed}", status_of("running", seed=seed, interactive=False))
        put_config(path, seed=seed)
        put_rows(path, metric_rows(10, 1000))
        change_about(
            RunPaths(path), {"title": f"no {seed}", "tags": ["paper"] if seed < 3 else [], "archived": seed == 2}
        )
    assert compare.main([str(tmp_path), "--tag", "paper", "--json"]) == 0
    told = capsys.readouterr()
    runs = json.loads(told.out)["environments"][0]["groups"][0]["runs"]
    assert [(run["seed"], run["title"], run["tags"]) for run in runs] == [
        (0, "no 0", ["paper"]),
        (1, "no 1", ["paper"]),
    ]
    assert "1 archived run left out; --archived counts them" in told.err and "no 0 (run-0) is " in told.err
    assert compare.main([str(tmp_path), "--archived", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["environments"][0]["groups"][0]["runs"]) == 4
    assert compare.main([str(tmp_path), "--tag", "none"]) == 2
    assert capsys.readouterr().err == "error: expected at least one run, but of 4 runs found none has the tag none\n"
