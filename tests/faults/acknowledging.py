"""Train as ``python -m mbpo.train`` does, and note each row of metrics as soon as it returned.

``python acknowledging.py FILE FLAG…``: the number of the newest row stands in FILE, a mapped page
that outlives a kill.
"""

from __future__ import annotations

import mmap
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mbpo.runs.records.row import Kind
from mbpo.runs.writer import RunWriter
from mbpo.train import main


def acknowledge(file: Path) -> None:
    """Make :meth:`RunWriter.log` note in ``file`` what it has written."""
    with file.open("r+b") as page:
        memory = mmap.mmap(page.fileno(), 8)
    whole = RunWriter.log

    def log(run: RunWriter, env_steps: int, metrics: Mapping[str, Any], kind: Kind = "interval") -> None:
        whole(run, env_steps, metrics, kind)
        struct.pack_into("<q", memory, 0, run.position["seq"])

    RunWriter.log = log  # type: ignore[method-assign]


if __name__ == "__main__":
    acknowledge(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
