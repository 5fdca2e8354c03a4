"""Keep a notebook's plots out of a process that has no notebook."""

from __future__ import annotations

import importlib.util
import os

NOTEBOOKS = frozenset({"matplotlib_inline", "ipykernel", "ipympl"})
FILES = frozenset({"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"})
WINDOWS = frozenset({"macosx", "webagg"}) | {
    f"{kit}{drawn}" for kit in ("gtk3", "gtk4", "qt", "qt5", "tk", "wx") for drawn in ("agg", "cairo", "")
}


def leave_notebook() -> None:
    """Draw into files where MPLBACKEND names a notebook's backend, or none at all.

    A shell in a notebook hands MPLBACKEND on, and importing matplotlib, as an environment may do, would fail there.
    """
    name = os.environ.get("MPLBACKEND", "")
    if name and not (name.lower() in FILES | WINDOWS or _is_module_of_its_own(name)):
        os.environ["MPLBACKEND"] = "agg"


def _is_module_of_its_own(name: str) -> bool:
    package = name.removeprefix("module://").split(".")[0]
    if not name.startswith("module://") or package in NOTEBOOKS:
        return False
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
