"""Do what the notebook does."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from learners import ROOT, environment
from other_ends import needs

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def test_it_is_committed_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_every_cell_does_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("nbclient", "ipykernel", "pandas", "matplotlib"):
        needs(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's client
        done = executed(tmp_path, monkeypatch)
    code = [cell for cell in done["cells"] if cell["cell_type"] == "code"]
    text = "".join(output.get("text", "") for cell in code for output in cell["outputs"])
    assert "error: " not in text and "Traceback" not in text
    pictures = [output for cell in code for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    assert "fork=@400" in text  # compare tells the fork from the runs
    assert len(list(tmp_path.iterdir())) == 1  # the folder that it makes
    last = next(cell for cell in code if cell["source"].startswith('frame.groupby(["algo"'))
    assert "mbpo  0" in last["outputs"][0]["data"]["text/plain"]


def executed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import nbclient
    import nbformat

    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", str(folder))
    page = nbformat.read(NOTEBOOK, as_version=4)
    return nbclient.NotebookClient(page, timeout=250, resources={"metadata": {"path": str(folder)}}).execute()
