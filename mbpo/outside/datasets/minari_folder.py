"""Know where a Minari dataset of a name lies, and put a new one there: whole, and over none that is not to go."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from mbpo.errors import ConfigError, is_full, refused
from mbpo.settings.packages import install_command
from mbpo.settings.setting import shown

MORE = r"[A-Za-z0-9_-]{0,62}[A-Za-z0-9]"
NAME = re.compile(rf"(?:[A-Za-z0-9]{MORE}/){{0,4}}[A-Za-z0-9](?:{MORE})?-v(?:0|[1-9][0-9]{{0,5}})", re.ASCII)
METADATA = Path("data") / "metadata.json"  # of a dataset
NAMESPACE = "namespace_metadata.json"  # of a folder of datasets
DATASETS_PATH = "MINARI_DATASETS_PATH"


def needs_minari() -> ModuleType:
    """Return Minari with what it writes by.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        for module in ("h5py", "PIL"):
            importlib.import_module(module)
        return importlib.import_module("minari")
    except ImportError as error:
        missing = install_command("minari[hdf5] pillow").replace("'minari[hdf5] pillow'", "'minari[hdf5]' pillow")
        raise ConfigError(f"--minari needs Minari, h5py and Pillow ({error.name} is missing): {missing}") from None


def datasets_root() -> Path:
    """Return the folder in which Minari looks for datasets."""
    given = os.environ.get(DATASETS_PATH)
    return Path(given).absolute() if given else Path.home() / ".minari" / "datasets"


def folder_of(root: Path, name: str, force: bool) -> Path:
    """Return where the dataset ``name`` is to lie below ``root``.

    Raises:
        ConfigError: the name is none for a dataset, or what lies there must stay.
    """
    parts = name.split("/")
    if not NAME.fullmatch(name) or "data" in parts:
        raise ConfigError(
            f"--minari must be NAME-vN or GROUP/NAME-vN of letters, digits, - and _, such as pendulum/mbpo-v0, with a "
            f"group of two or more that is not data; got {shown(name)}"
        )
    folder = root / name
    if not folder.resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"dataset {shown(name)} would lie outside {shown(str(root))}, by a link; choose another name")
    for above in list(folder.parents)[: len(parts) - 1]:
        if (above / METADATA).exists():
            raise ConfigError(f"{shown(name)} would lie inside dataset {shown(above.name)}; choose another name")
    if folder.exists() or folder.is_symlink():
        if not (folder / METADATA).exists():
            raise ConfigError(f"{shown(str(folder))} is there and no Minari dataset; choose another name")
        if not force:
            raise ConfigError(f"dataset {shown(name)} exists; give another version, or --force to replace it")
    return folder


@contextlib.contextmanager
def new_dataset(root: Path, name: str, force: bool) -> Iterator[None]:
    """Let Minari write the dataset ``name`` into a hidden folder; move it to its place once the block is done.

    Raises:
        ConfigError: as :func:`folder_of`, or the folder cannot be written.
        StorageError: the disk is full.
    """
    folder_of(root, name, force)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".mbpo-", dir=root) as building:
            with _looking_in(building):
                yield
            _move(Path(building), root, name, force)
    except OSError as error:
        if is_full(error):
            raise refused(f"cannot write dataset {name}", error) from None
        reason = error.strerror or error
        raise ConfigError(
            f"cannot write below {shown(str(root))}: {reason}; give a folder that is yours by {DATASETS_PATH}"
        ) from None


@contextlib.contextmanager
def _looking_in(folder: str) -> Iterator[None]:
    """Let Minari look for datasets in ``folder``."""
    before = os.environ.get(DATASETS_PATH)
    os.environ[DATASETS_PATH] = folder
    try:
        yield
    finally:
        del os.environ[DATASETS_PATH]
        if before is not None:
            os.environ[DATASETS_PATH] = before


def _move(building: Path, root: Path, name: str, force: bool) -> None:
    for above in list(Path(name).parents)[-2::-1]:
        (root / above).mkdir(exist_ok=True)
        if not (root / above / NAMESPACE).exists():
            shutil.copyfile(building / above / NAMESPACE, root / above / NAMESPACE)
    folder = folder_of(root, name, force)  # another may have come meanwhile
    if folder.exists():
        folder.rename(building / "former")
    (building / name).rename(folder)
