"""Keep the samples of a search in the study's folder: whoever goes on with one finds its settings there."""

from __future__ import annotations

import contextlib
from pathlib import Path

import tomli_w

from mbpo.errors import ConfigError, refused
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import write_atomic
from mbpo.settings.config import SETTINGS
from mbpo.studies.study import Choice

GIVEN_UP = "given_up"


def keep_sample(state: Path, sample: Choice) -> None:
    """Keep a sample; ``state`` is the folder of what engines keep.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        (state / "samples").mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {**sample.settings, **({GIVEN_UP: True} if sample.given_up else {})}
        write_atomic(state / "samples" / f"{sample.name}.toml", tomli_w.dumps(content).encode())
    except OSError as error:
        raise refused(f"cannot write in {state}", error) from None


def read_samples(state: Path) -> list[Choice]:
    """Return the samples that were kept, by name."""
    found = []
    for path in (state / "samples").glob("*.toml"):
        with contextlib.suppress(ConfigError, OSError):
            content = read_config(path)
            settings = {name: SETTINGS[name].check(value) for name, value in content.items() if name in SETTINGS}
            found.append(Choice(path.stem, settings, content.get(GIVEN_UP) is True))
    return sorted(found, key=lambda sample: sample.name)
