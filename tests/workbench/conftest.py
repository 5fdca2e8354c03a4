from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.app import Workbench


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(Workbench, "NOTIFICATION_TIMEOUT", 600)  # a notice stays until a slow machine looks
    yield
