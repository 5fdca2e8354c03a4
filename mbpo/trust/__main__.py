"""``python -m mbpo.trust RUN_DIR``: a door, which stands above the floors that it needs."""

from __future__ import annotations

from importlib import import_module

if __name__ == "__main__":
    import_module("mbpo.measure_trust").run_as_program()
