"""Say how far a long reading has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

EVERY_S = 2.0

T = TypeVar("T")


def told(things: Sequence[T], doing: str) -> Iterator[T]:
    """Yield ``things``, and say on stderr every two seconds how many are done."""
    said = time.monotonic()
    for done, thing in enumerate(things):
        if time.monotonic() - said > EVERY_S:
            said = time.monotonic()
            print(f"{doing}: {done} of {len(things)}", file=sys.stderr, flush=True)
        yield thing
