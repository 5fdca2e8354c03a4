"""Save pictures as PNG or SVG. matplotlib is optional and is imported on use only."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mbpo.errors import ConfigError
from mbpo.settings.packages import install_command
from mbpo.settings.setting import shown
from mbpo.settings.stdout import say
from mbpo.settings.typed_path import typed_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("png", "svg")
DOTS_PER_INCH = 120  # of a PNG


def add_picture_flags(parser: argparse.ArgumentParser, what: str) -> None:
    """Let a command draw ``what`` into files."""
    parser.add_argument("--png", metavar="FILE", help=f"draw {what}; needs matplotlib")
    parser.add_argument("--svg", metavar="FILE", help="the same as SVG, for a paper")


def asked_pictures(given: argparse.Namespace) -> dict[str, Path]:
    """Return the files that :func:`add_picture_flags` were given, by their kind.

    Raises:
        ConfigError: one is asked for, and there is nothing to draw with; or its name says that it is of another kind.
    """
    asked = {kind: typed_path(path) for kind in KINDS if (path := getattr(given, kind))}
    for kind, path in asked.items():
        if path.suffix:  # else its name says nothing, as that of a pipe
            check_ending(f"--{kind}", path, [f".{kind}"])
        check_matplotlib(f"--{kind}")
    return asked


def check_ending(flag: str, path: Path, endings: Sequence[str]) -> None:
    """Check that a file's name says what will be in it.

    Raises:
        ConfigError: it ends otherwise.
    """
    if path.suffix.lower() not in endings:
        raise ConfigError(f"{flag} must name a file that ends in {' or '.join(endings)}, got {shown(path.name)}")


def say_written(pictures: Mapping[str, Path]) -> None:
    """Print where the pictures are, a line each."""
    for picture in pictures.values():
        say(picture)


def check_matplotlib(wants: str) -> None:
    """Find out now, before the work, whether there is something to draw with for what ``wants`` it.

    Raises:
        ConfigError: matplotlib is not installed, or refuses MPLBACKEND.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError(f"{wants} needs matplotlib: {install_command('matplotlib')}") from None
    except ValueError:
        backend = shown(os.environ.get("MPLBACKEND", ""))
        raise ConfigError(f"{wants} needs matplotlib, and that knows no MPLBACKEND {backend}; unset it") from None


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, to be saved whatever MPLBACKEND says."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_pictures(figure: Figure, files: Mapping[str, Path], flag: str = "") -> None:
    """Write ``figure`` into a file of each kind; ``flag`` is what was given for it, if not the kind's own.

    Raises:
        ConfigError: a file cannot be written.
    """
    from matplotlib import rc_context

    for kind, path in files.items():
        dated = {"Date": None} if kind == "svg" else {}
        try:
            with rc_context({"svg.hashsalt": "mbpo"}):  # the same figure is the same file
                figure.savefig(path, format=kind, dpi=DOTS_PER_INCH, metadata=dated)
        except OSError as error:
            give = f"give {flag or '--' + kind} a file in a folder that exists"
            raise ConfigError(f"cannot write {path}: {error.strerror}; {give}") from None


def literal(text: str) -> str:
    """Return ``text`` so that matplotlib sees no formula in it."""
    return text.replace("$", r"\$")
