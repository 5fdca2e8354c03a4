"""Hold what was measured over whole episodes, so that no number tells the phase of an episode."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

LEAST_ROWS = 2000
LEAST_EPISODES = 5


class EpisodeWindow:
    """Hold sums over the newest whole episodes: at least 5, and of 2,000 rows together.

    Rows come in *pieces*, the parts of episodes that lie between two refits. Each has its sums of C quantities, the
    first of which is its number of rows. Where no episode is whole yet, those begun stand in.
    """

    def __init__(self, columns: int, device: torch.device | str = "cpu") -> None:
        self._sums = torch.zeros(0, columns, device=device)
        self._begins = torch.zeros(0, dtype=torch.bool, device=device)  # whether a piece begins an episode
        self._ended = False  # whether the newest piece ends its episode

    def add(self, sums: Tensor, begins: Tensor, ended: bool) -> None:  # [P, C], [P] bool
        """Append pieces in the order of time, and let go of episodes that are no longer needed."""
        self._sums = torch.cat((self._sums, sums))
        self._begins = torch.cat((self._begins, begins))
        self._ended = ended
        self._let_go()

    def episodes(self) -> Tensor:  # [M, C]
        """Return the sums of each whole episode, oldest first; those begun where none is whole."""
        sums, whole = self._by_episode()
        return sums[whole] if bool(whole.any()) else sums

    @property
    def whole(self) -> int:
        """Return how many whole episodes there are."""
        return int(self._by_episode()[1].sum())

    def state_dict(self) -> dict[str, Tensor]:
        """Return the pieces, to be saved; the next ones tell whether the newest ended its episode."""
        return {"sums": self._sums, "begins": self._begins}

    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        """Hold again what :meth:`state_dict` returned; what another version measured is left out."""
        if saved["sums"].shape[1] != self._sums.shape[1]:
            return
        device = self._sums.device
        self._sums, self._begins = saved["sums"].to(device), saved["begins"].to(device)
        self._ended = False

    def _by_episode(self) -> tuple[Tensor, Tensor]:  # [M, C], and [M] whether it is whole
        if not len(self._sums):
            return self._sums, self._begins
        first = self._begins.clone()
        first[0] = True
        index = first.cumsum(0) - 1
        sums = self._sums.new_zeros(int(index[-1]) + 1, self._sums.shape[1]).index_add_(0, index, self._sums)
        whole = torch.ones(len(sums), dtype=torch.bool, device=sums.device)
        whole[0] &= self._begins[0]
        whole[-1] &= self._ended
        return sums, whole

    def _let_go(self) -> None:
        sums, whole = self._by_episode()
        kept, rows, episodes = len(sums), 0.0, 0
        while kept and (episodes < LEAST_EPISODES or rows < LEAST_ROWS):
            kept -= 1
            rows += float(sums[kept, 0]) * bool(whole[kept])
            episodes += bool(whole[kept])
        starts = torch.cat((torch.zeros(1, dtype=torch.int64), self._begins.cpu()[1:].nonzero()[:, 0] + 1))
        first = int(starts[kept]) if kept < len(starts) else 0
        self._sums, self._begins = self._sums[first:].clone(), self._begins[first:].clone()
