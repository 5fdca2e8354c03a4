"""Export metrics as CSV and Parquet, and read them back equal."""

from __future__ import annotations

import csv
import io
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from other_ends import needs
from test_dataframe import make_run, rows_of

from mbpo.errors import printable
from mbpo.export import main
from mbpo.outside.datasets.tables import write_csv
from mbpo.runs import load_runs
from mbpo.runs.dataframe import load_columns
from mbpo.settings.packages import install_command

AWKWARD = [0.1 + 0.2, -1e-300, 1.7976931348623157e308, 2.0**-1074, None, 3.0]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make_run(tmp_path / "runs" / "b", rows_of(*AWKWARD), seed=4, interactive=True, parent="a@10")
    rewritten = [*rows_of(-1.0, -2.0), *rows_of(-3.0, attempt=2, first=2)]
    make_run(tmp_path / "runs" / "a", [*rewritten, {**rows_of(0, first=3)[0], "sac/alpha": 0.5}], seed=3)
    return tmp_path / "runs"


def read_csv(source: Any) -> Any:
    """Read as docs/outside.md says."""
    pandas = needs("pandas")
    return pandas.read_csv(source, keep_default_na=False, na_values=["nan"])


def test_csv_reads_back_equal(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pandas = needs("pandas")
    file = tmp_path / "rows.csv"
    assert main([str(runs), "--csv", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: 9 rows of metrics in 13 columns\n"
    pandas.testing.assert_frame_equal(read_csv(file), load_runs(str(runs)), check_exact=True, check_dtype=False)


def test_a_long_export_says_how_far_it_is(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbpo.outside.progress.EVERY_S", 0.0)
    assert main([str(runs), "--csv", str(tmp_path / "rows.csv")]) == 0
    assert capsys.readouterr().err == "reading runs: 0 of 2\nreading runs: 1 of 2\n"


def test_parquet_reads_back_equal_with_units(runs: Path, tmp_path: Path) -> None:
    pandas, parquet = needs("pandas"), needs("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    assert main([str(runs / "a"), str(runs / "b"), "--parquet", str(file)]) == 0
    expected = load_runs(str(runs))
    found = pandas.read_parquet(file)
    pandas.testing.assert_frame_equal(found, expected, check_exact=True)
    schema = parquet.read_schema(file)
    assert schema.field("sac/alpha").metadata[b"meaning"]
    assert schema.field("episode/return").metadata[b"unit"] == b"return"
    values = parquet.read_table(file).column("sac/alpha")
    assert values.null_count == 0 and math.isnan(values[0].as_py()), "NaN became null"
    types = {str(schema.field(name).type) for name in ("seed", "seq", "attempt", "env_steps")}
    assert (
        types == {"int64"}
        and str(schema.field("run").type) == "string"
        and str(schema.field("time_s").type) == "double"
    )


def test_a_run_without_rows_keeps_its_types(tmp_path: Path) -> None:
    parquet = needs("pyarrow.parquet")
    make_run(tmp_path / "run", [])
    file = tmp_path / "rows.parquet"
    assert main([str(tmp_path / "run"), "--parquet", str(file), "--csv", str(tmp_path / "rows.csv")]) == 0
    assert [str(parquet.read_schema(file).field(n).type) for n in ("run", "interactive", "seq")] == [
        "string",
        "bool",
        "int64",
    ]
    assert (tmp_path / "rows.csv").read_text().count("\n") == 1


def test_csv_needs_no_pandas(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert main([str(runs), "--csv", str(tmp_path / "rows.csv")]) == 0


def test_parquet_without_pyarrow_is_one_line(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main([str(runs), "--csv", str(tmp_path / "a.csv"), "--parquet", str(tmp_path / "rows.parquet")]) == 2
    assert capsys.readouterr().err == f"error: --parquet needs pyarrow: {install_command('pyarrow')}\n"
    assert not (tmp_path / "a.csv").exists(), "half of what was asked for"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RUNS"], "expected what to export, one or more of --csv --parquet"),
        (["RUNS/nothing", "--csv", "x.csv"], "does not exist"),
        (
            ["RUNS", "--csv", "missing/x.csv"],
            "cannot write missing/x.csv: No such file or directory; give a file in a folder",
        ),
        (["RUNS", "--csv", "."], "cannot write .: Is a directory"),
        (["RUNS", "--csv", "n" * 300], "File name too long"),
        (["--csv", "x.csv"], "the following arguments are required: RUN"),
        (["RUNS", "--cvs", "x.csv"], "unknown argument --cvs"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([a.replace("RUNS", "runs") for a in arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]


def test_what_breaks_half_way_leaves_the_file_before(tmp_path: Path, runs: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("before")
    columns = load_columns(str(runs))
    with pytest.raises(ValueError, match="shorter"):
        write_csv(file, {**columns, "time_s": columns["time_s"][:1]})
    assert file.read_text() == "before" and {p.name for p in tmp_path.iterdir()} == {"rows.csv", "runs"}


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    """No text of a config becomes a formula, another column or another row; all others read back as they were."""
    draws = np.random.default_rng(0)
    parts = [
        "=",
        "+1",
        "-2",
        "@SUM(A1)",
        "\t",
        "\r",
        "\n",
        '"',
        ",",
        "'",
        "\x00",
        "é",
        "\u202e",
        "<script>",
        "\udcff",
        "a",
    ]
    texts = ["".join(draws.choice(parts, draws.integers(0, 6))) for _ in range(3000)]
    columns = {"run": np.array(texts, object), "seq": np.arange(len(texts))}
    write_csv(tmp_path / "rows.csv", columns)
    content = (tmp_path / "rows.csv").read_bytes().decode()
    header, *lines = csv.reader(io.StringIO(content, newline=""))
    assert header == ["run", "seq"] and [int(line[1]) for line in lines] == list(range(3000))
    for text, (found, _) in zip(texts, lines, strict=True):
        assert found.isprintable() and not found.startswith(("=", "+", "-", "@"))
        assert found.removeprefix("'") == printable(text)
