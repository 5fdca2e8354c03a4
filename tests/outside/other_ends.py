"""Name the other end that a test reads back with; `make interop` has them all, and allows no skip."""

from __future__ import annotations

import importlib
import os
import shutil
from types import ModuleType
from typing import NoReturn

import pytest


def needs(module: str) -> ModuleType:
    """Return the module, or skip the test where its extra is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return refuse(f"{module} is not installed")


def browser() -> str:
    """Return the path of Chromium, or skip."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or refuse("chromium is not installed")


def refuse(reason: str) -> NoReturn:
    """Skip the test, or fail it where no skip is allowed."""
    if os.environ.get("MBPO_INTEROP"):
        pytest.fail(f"{reason}, and make interop allows no skip")
    pytest.skip(reason)
