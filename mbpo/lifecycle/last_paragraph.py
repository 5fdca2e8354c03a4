"""Say at a run's end what came of it, where that lies and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from mbpo.runs.layout import RunPaths
from mbpo.runs.solved import solved_words
from mbpo.runs.status import RunStatus


def last_paragraph(paths: RunPaths, status: RunStatus, *, imagines: bool) -> Iterator[str]:
    """Yield the lines: state, result, files and the commands that go on from here."""
    yield f"{status.state} at {status.env_steps:,} env steps"
    run = _typed(paths.root)
    if status.eval_return is not None:
        yield f"  {_result(status)}"
        yield f"  best policy: python -m mbpo.evaluate {run}"
    csv = paths.returns_csv(status.env_id)
    if csv.exists():
        yield f"  returns of every episode: {_typed(csv)}"
        yield f"  picture: python -m mbpo.compare {run} --png {_typed(paths.root / 'returns.png')}"
    if status.state != "finished":
        yield f"  to go on: python -m mbpo.train --resume {run}"
    elif imagines:
        yield f"  how far to trust its model: python -m mbpo.trust {run}"
        yield f"  what another k would have done: python -m mbpo.what_if {run} --set rollout_length=1,5,15"


def _result(status: RunStatus) -> str:
    best = "" if status.best_return is None or status.best_at is None else f"{status.best_return:.1f}"
    parts = [
        f"evaluation {status.eval_return:.1f}",
        f"best {best} at {status.best_at:,}" if best else "",
        solved_words(status.threshold, status.solved_at),
    ]
    return ", ".join(filter(None, parts))


def _typed(path: Path) -> str:
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
