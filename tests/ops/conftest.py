from __future__ import annotations

from pathlib import Path

import pytest

COMPILING_S = 1200  # beside many busy processes: any test here may be the one that builds, or wait for it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests that compile C++ more time than others."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(COMPILING_S))
