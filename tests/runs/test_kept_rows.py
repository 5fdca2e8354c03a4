"""Read the rows that count from the file, holding none: the same ones as with all rows in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbpo.runs.kept_rows import KeptRows, read_kept
from mbpo.runs.layout import RunPaths
from mbpo.runs.overlap import Overlap
from mbpo.runs.reader import RunReader
from mbpo.runs.rows import MAX_LINE_BYTES, JsonLines, whole

Row = dict[str, Any]

ODD = st.sampled_from([None, "1", -1, True, 1.0, 2**70])
SEQS = st.integers(0, 9) | ODD
ROWS = st.fixed_dictionaries(
    {"seq": SEQS, "env_steps": st.integers(0, 99) | ODD, "attempt": st.integers(1, 3) | ODD},
    optional={"sac/alpha": st.floats(allow_nan=False), "toy/gone": st.none()},
)
LINES = st.lists(
    ROWS.map(json.dumps) | st.sampled_from(["garbage", "[1]", '{"seq": 1', "", '{"seq": NaN}']), max_size=30
)


def line(seq: int, **metrics: Any) -> bytes:
    return json.dumps({"seq": seq, "attempt": 1, "env_steps": 10 * seq, "time_s": 0.5, **metrics}).encode() + b"\n"


def in_memory(lines: list[str]) -> list[Row]:
    """Return the rows that count: one takes the place of all from its seq on where it does not rise.

    Not one of a lower attempt: its learner had been overtaken.
    """
    kept: list[Row] = []
    newest, highest = -1, 0
    for text in lines:
        try:
            row = json.loads(text)
        except ValueError:
            continue
        if isinstance(row, dict) and whole(row.get("seq")) is not None and whole(row.get("env_steps")) is not None:
            if (attempt := whole(row["attempt"])) is not None:
                if row["seq"] <= newest and attempt < highest:
                    continue
                newest, highest = row["seq"], max(highest, attempt)
            kept = [*(known for known in kept if known["seq"] < row["seq"]), row]
    return kept


def test_a_row_of_a_learner_that_was_overtaken_counts_nowhere(tmp_path: Path) -> None:
    path = RunPaths(tmp_path).metrics
    late = line(4, attempt=1, **{"sac/alpha": 9.0})
    parts = [line(seq) for seq in range(6)] + [line(seq, attempt=2) for seq in range(3, 7)]
    path.write_bytes(b"".join([*parts, late, line(7, attempt=2)]))
    assert [(row["seq"], row["attempt"]) for row in read_kept(path)[0]] == [
        *((seq, 1) for seq in range(3)),
        *((seq, 2) for seq in range(3, 8)),
    ]
    before, after = read_kept(path, 6)
    assert [row["seq"] for row in after] == [7] and len(before) == 7
    reader = RunReader(tmp_path)
    reader.poll()
    assert "sac/alpha" not in reader.series and reader.env_steps == 70


@given(LINES, st.integers(-1, 10), st.booleans())
@settings(max_examples=300)
def test_they_are_those_that_count_whatever_the_file_holds(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], seq: int, ends: bool
) -> None:
    path = tmp_path_factory.mktemp("kept") / "metrics.jsonl"
    path.write_text("\n".join(lines) + "\n" * ends)
    expected = in_memory(lines if ends else lines[:-1])
    parts = read_kept(path, seq)
    wanted = [row for row in expected if row["seq"] <= seq], [row for row in expected if row["seq"] > seq]
    for part, rows in zip(parts, wanted, strict=True):
        assert list(part) == rows == list(part)
        assert (len(part), part.facts.keys) == (len(rows), set().union(*rows))
        assert part.facts.last == (rows[-1] if rows else None)
        assert part.facts.attempt == max([whole(row["attempt"]) or 0 for row in rows], default=0)
        assert part.facts.reached == max([row["env_steps"] for row in rows], default=0)


@given(LINES, st.integers(0, 99))
def test_a_part_ends_before_a_row_and_leaves_others_out(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], steps: int
) -> None:
    path = tmp_path_factory.mktemp("kept") / "metrics.jsonl"
    path.write_text("\n".join(lines) + "\n")
    expected: list[Row] = []
    for row in in_memory(lines):
        if row["env_steps"] > steps:
            break
        expected += [] if "toy/gone" in row else [row]
    part = read_kept(path)[0].part(until=lambda row: row["env_steps"] > steps, without=lambda row: "toy/gone" in row)
    assert (list(part), len(part)) == (expected, len(expected))
    assert part.facts.keys == set().union(*expected)


def test_what_the_file_grows_by_later_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(line(1) + line(2) + b'{"seq": 3, "env')
    before, after = read_kept(path, 1)
    with path.open("ab") as file:
        file.write(b'_steps": 30}\n' + line(1))
    assert [[row["seq"] for row in part] for part in (before, after)] == [[1], [2]]
    assert [row["seq"] for row in read_kept(path)[0]] == [1]


def test_rows_that_are_read_again_come_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"".join(line(number) for number in range(1, 1001)))
    monkeypatch.setattr("mbpo.runs.rows.STREAM_BYTES", 1000)
    rows, _ = read_kept(path)
    assert max(map(len, rows.chunks())) < 20
    assert [row["seq"] for row in rows] == [*range(1, 1001)]


def test_where_they_can_be_read_no_more_they_do_not_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"".join(line(number) for number in range(1, 101)))
    monkeypatch.setattr("mbpo.runs.rows.STREAM_BYTES", 1000)
    rows, _ = read_kept(path)
    overlap = Overlap(rows, rows.facts.keys)
    assert overlap.repeats(json.loads(line(1)))
    path.write_bytes(b"")
    for number in range(2, 101):
        overlap.repeats(json.loads(line(number)))
    assert (overlap.difference, overlap.open) == ("what stood there cannot be read any more", False)
    assert 1 < overlap.identical < 20


def test_there_may_be_none(tmp_path: Path) -> None:
    for rows in (KeptRows(), *read_kept(tmp_path / "missing")):
        assert (list(rows), len(rows)) == ([], 0)


@pytest.mark.parametrize("chunk", [MAX_LINE_BYTES // 3, MAX_LINE_BYTES + 10, 4 << 20])
def test_a_line_that_is_too_long_is_a_bad_one_however_it_arrives(chunk: int, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    long = line(2, text="x" * MAX_LINE_BYTES)
    path.write_bytes(line(1) + long + line(3))
    lines, found = JsonLines(path), list[tuple[int, int]]()
    while lines.offset < path.stat().st_size:
        found += [(each.at, each.row["seq"]) for each in lines.poll_lines(chunk)]
    assert found == [(0, 1), (len(line(1)) + len(long), 3)]
    assert lines.bad_lines == 1
