"""Read the settings of a run, and of any file like its config.toml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mbpo.errors import ConfigError
from mbpo.runs.files import read_file
from mbpo.runs.layout import RunPaths
from mbpo.settings.config import SETTINGS
from mbpo.settings.setting import shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_CONFIG_BYTES = 1 << 20


def read_config(path: Path, pipe: bool = False) -> dict[str, object]:
    """Return the settings of a TOML file, or of a pipe where that is to be waited for.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes")
        return tomllib.loads((path.read_bytes() if pipe else read_file(path)).decode())
    except ConfigError:
        raise
    except OSError as error:
        if isinstance(error, FileNotFoundError) and any(path.parent.glob(f"*/{path.name}")):
            raise ConfigError(f"{path.parent} is a folder of runs; name one of them") from None
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {str(error)[:100]}") from None


def read_settings(paths: RunPaths) -> dict[str, Any]:
    """Return every setting of a run; those that an older one did not know have their default.

    Raises:
        ConfigError: its config.toml cannot be used.
    """
    try:
        given = read_config(paths.config)
        if missing := sorted({"env_id", "preset", "seed"} - set(given)):
            raise ConfigError(
                f"config.toml must name env_id, preset and seed, but has no {missing[0]}; "
                "give a folder that python -m mbpo.train made"
            )
        defaults = {name: setting.default for name, setting in SETTINGS.items()}
        return {
            name: SETTINGS[name].check(value) if name in SETTINGS else value
            for name, value in {**defaults, **given}.items()
        }
    except ConfigError as error:
        raise ConfigError(f"run {shown(paths.run_id)}: {error}") from None
