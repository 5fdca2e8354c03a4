"""Say at a run's end what came of it, where that lies and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from mbpo.runs.layout import RunPaths
from mbpo.runs.solved import solved_words
from mbpo.runs.status import RunStatus


def last_paragraph(paths: RunPaths, status: RunStatus, algo: str, left: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines: state, result, files and the commands that go on from here, which work in any folder.

    ``left`` says what lies beside the run's own files; without it the commands that make it are said.
    """
    yield f"{status.state} at {status.env_steps:,} env steps"
    run = shlex.quote(str(paths.root))
    if status.eval_return is not None:
        yield f"  {_result(status)}"
    if status.eval_return is not None and algo != "pets":  # which has none
        yield f"  best policy: python -m mbpo.evaluate {run}"
    csv = paths.returns_csv(status.env_id)
    if csv.exists():
        yield f"  returns of every episode: {shlex.quote(str(csv))}"
        yield from (f"  {line}" for line in left or _commands(paths))
    if status.state != "finished":
        yield f"  to go on: python -m mbpo.train --resume {run}"
    elif algo == "mbpo":
        yield f"  how far to trust its model: python -m mbpo.trust {run}"
        yield f"  what another k would do from here: python -m mbpo.what_if {run} --set rollout_length=1,5,15"


def _commands(paths: RunPaths) -> Iterator[str]:
    """Yield what draws the run where nothing was drawn."""
    run, picture = (shlex.quote(str(path)) for path in (paths.root, paths.root / "returns.png"))
    yield f"picture: python -m mbpo.compare {run} --png {picture}"
    yield f"report: python -m mbpo.report {run}"


def _result(status: RunStatus) -> str:
    best = "" if status.best_return is None or status.best_at is None else f"{status.best_return:.1f}"
    parts = [
        f"evaluation {status.eval_return:.1f}",
        f"best {best} at {status.best_at:,}" if best else "",
        solved_words(status.threshold, status.solved_at),
    ]
    return ", ".join(filter(None, parts))
