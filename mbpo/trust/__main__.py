"""``python -m mbpo.trust RUN_DIR``: a door, which stands above the floors that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module


def main(arguments: Sequence[str] | None = None) -> int:
    """Say how far a run's model can be trusted."""
    code: int = import_module("mbpo.measure_trust").main(arguments)
    return code


if __name__ == "__main__":
    import_module("mbpo.measure_trust").run_as_program()
