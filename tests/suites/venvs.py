"""Make one virtual environment per suite, whose pins contradict those of the others."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).resolve().parent / "pins"
BUILD = ROOT / "build" / "suites"
# What the learner imports beside gymnasium and numpy, which are a suite's own: once for all suites, as torch is large.
LEARNER = ("torch", "msgspec", "psutil", "rich", "safetensors", "tomli_w", "colorednoise")


def python_of(suite: str) -> Path:
    """Return the Python of a suite's environment, which is made where its pins changed.

    Raises:
        CalledProcessError: pip cannot install them.
    """
    shared, home, pins = BUILD / "learner", BUILD / suite, PINS / f"{suite}.txt"
    constraints = ROOT / "constraints.txt"
    if _stale(shared, constraints):
        _pip(Path(sys.executable), "--target", str(shared), "-c", str(constraints), *LEARNER)
        _made(shared, constraints)
    python = home / "bin" / "python"
    if _stale(home, pins):
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        _pip(python, "-r", str(pins))
        (packages,) = home.glob("lib/python*/site-packages")
        (packages / "learner.pth").write_text(f"{shared}\n")  # comes last: a suite's own versions go first
        _made(home, pins)
    return python


def environment() -> dict[str, str]:
    """Return what a suite's processes find: this checkout, and one thread."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def _stale(home: Path, source: Path) -> bool:
    """Return whether ``home`` was not made from ``source`` as it is now; such a one is removed."""
    stamp = home / ".made_from"
    if stamp.exists() and stamp.read_text() == _hash(source):
        return False
    shutil.rmtree(home, ignore_errors=True)
    return True


def _made(home: Path, source: Path) -> None:
    (home / ".made_from").write_text(_hash(source))


def _hash(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()
