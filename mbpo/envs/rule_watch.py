"""Hold the termination rule in use to the ends of real episodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mbpo.data.transitions import Transitions
from mbpo.envs.rules import Rule
from mbpo.envs.termination import judged, rule_text

MISTAKEN_SHARE = 1e-3  # of the steps, up to which a rule may differ at its threshold; one of few steps may, too
MISSED_SHARE = 0.1  # of the ends, which are few where episodes are long
MEND = "imagined episodes do not end where real ones do: mend it, see mbpo/envs/termination.py"


@dataclass
class Counts:
    """Count real rows, and what was said of them; a checkpoint has it."""

    rows: int = 0
    ends: int = 0
    missed: int = 0  # ends of which the rule says that they go on
    invented: int = 0  # the reverse
    warned: tuple[str, ...] = ()  # of "missed", "invented"


class RuleWatch:
    """Warn once where the rule misses ends, and once where it invents them, beyond rounding at an edge."""

    def __init__(self, rule: Rule | None) -> None:
        self._rule = rule
        self._counts = Counts()

    @torch.no_grad()
    def contradictions(self, rows: Transitions) -> Iterator[str]:
        """Take in rows that were not counted before; yield what is to be said for the first time."""
        if self._rule is None or not len(rows):
            return
        ended, counts = rows.terminated > 0, self._counts
        says = judged(self._rule, rows.obs, rows.action, rows.next_obs)
        seen = torch.stack((ended.sum(), (ended & ~says).sum(), (says & ~ended).sum())).tolist()
        counts.rows, counts.ends = counts.rows + len(rows), counts.ends + seen[0]
        counts.missed, counts.invented = counts.missed + seen[1], counts.invented + seen[2]
        most = max(1.0, MISTAKEN_SHARE * counts.rows)
        going = counts.rows - counts.ends
        if counts.missed > min(most, MISSED_SHARE * counts.ends) and self._first("missed"):
            yield self._said(f"goes on at {counts.missed:,} of the {counts.ends:,} real ends")
        if counts.invented > most and self._first("invented"):
            yield self._said(f"ends {counts.invented:,} of the {going:,} real steps that went on")

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for a checkpoint; nothing where no rule is known."""
        return {} if self._rule is None else asdict(self._counts)

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Hold again what :meth:`state_dict` returned; of nothing, begin anew."""
        self._counts = Counts(**{**saved, "warned": tuple(saved.get("warned", ()))})

    def _first(self, kind: str) -> bool:
        if kind in self._counts.warned:
            return False
        self._counts.warned += (kind,)
        return True

    def _said(self, what: str) -> str:
        return f"the termination rule {rule_text(self._rule)} {what}: {MEND}"
