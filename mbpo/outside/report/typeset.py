"""Set numbers in one way throughout a page: a minus sign before what is below 0, a space before a percent sign."""

from __future__ import annotations

import re

BELOW_ZERO = re.compile(r"(?<![\w=.,@/\-])-(?=\d)")  # not in a name, a date, a range or what is typed: NAME=-1
PERCENT = re.compile(r"(?<=\d)%")


def typeset(text: str) -> str:
    """Return a sentence or a cell with its numbers set; commands, names and logs are left as they are typed.

    >>> typeset("-146.7 [-150, 3], 94% of run-3, threshold=-200")
    '−146.7 [−150, 3], 94 % of run-3, threshold=-200'
    """
    return PERCENT.sub(" %", BELOW_ZERO.sub("−", text))
