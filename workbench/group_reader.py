"""Read the runs of groups, a bounded piece at a time, and measure them; the reader thread's own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workbench.group_figures import GroupAsked, GroupDetail, GroupScore, GroupsRead, Versus
from workbench.group_measures import EVALUATION, Seed, band_of, compared, score_of
from workbench.seed_follower import DRAWN, SeedFollower

LOOK_S = 0.15  # of reading and measuring in one look, and the piece that is being read
AGAIN_S = 1.0  # after which a group that grows is measured again; later where measuring took a tenth of that
MOST_DRAWN = 20  # seeds drawn one by one


@dataclass
class _Measured:
    """Hold the figures of one group, and what they were measured of."""

    of: object = None
    again: float = 0.0  # s, when it may be measured again
    score: GroupScore = GroupScore()
    detail: GroupDetail | None = None


class GroupReader:
    """Follow the runs of the groups that are asked for; what is ``asked`` may change at any time."""

    def __init__(self) -> None:
        self.asked: tuple[GroupAsked, ...] = ()
        self.has_backlog = False
        self._followers: dict[Path, SeedFollower] = {}
        self._measured: dict[Path, _Measured] = {}
        self._compared_of: object = None
        self._read = GroupsRead()

    def forget(self) -> None:
        """Read everything anew."""
        self._followers.clear()
        self._measured.clear()
        self.has_backlog = False

    def poll(self) -> GroupsRead:
        """Return the figures as they stand, after a while of reading and measuring."""
        asked, end = self.asked, time.perf_counter() + LOOK_S
        if not asked and not self._followers:
            return self._read
        self._keep(asked)
        self._read_on(asked, end)
        changed = False
        for group in sorted(asked, key=lambda group: not group.drawn):
            changed |= self._measure(group)
            if changed and time.perf_counter() > end:
                self.has_backlog = self.has_backlog or any(self._is_behind(other) for other in asked)
                break
        if changed or self._compared_of != self._state(asked) or self._read.scores.keys() != self._measured.keys():
            self._compare(asked)
        return self._read

    def _keep(self, asked: Iterable[GroupAsked]) -> None:
        """Follow the runs asked for, with curves those of groups that are drawn, and no others."""
        drawn: dict[Path, bool] = {}
        for group in asked:
            for _, path, _ in group.seeds:
                drawn[path] = drawn.get(path, False) or group.drawn
        kept = {path: at for path, at in self._followers.items() if path in drawn and at.drawn >= drawn[path]}
        self._followers = kept | {path: SeedFollower(path, d) for path, d in drawn.items() if path not in kept}
        paths = {group.path for group in asked}
        self._measured = {path: at for path, at in self._measured.items() if path in paths}

    def _read_on(self, asked: Iterable[GroupAsked], end: float) -> None:
        """Read on where there may be something new, in one at least, until the time is up.

        Runs that are drawn come first, one after the other. Of the rest come first those of which least was read: small
        ones do not wait for large ones.
        """
        active = {path for group in asked for _, path, at_work in group.seeds if at_work}
        waiting = [(path, at) for path, at in self._followers.items() if not at.done or path in active]
        waiting = [(path, at) for path, at in waiting if not at.too_large]
        self.has_backlog = False
        waiting.sort(key=lambda item: (not item[1].drawn, item[1].whole, 0 if item[1].drawn else item[1].version))
        for index, (path, follower) in enumerate(waiting):
            if index and time.perf_counter() > end:
                self.has_backlog = True
                return
            follower.poll()
            while follower.drawn and not follower.whole and time.perf_counter() <= end:
                follower.poll()
            self._followers[path] = self._followers.pop(path) if follower.whole else follower  # the last in turn now
            self.has_backlog |= not follower.whole or not (follower.done or path in active)

    def _of(self, group: GroupAsked) -> object:
        followers = [self._followers[path] for _, path, _ in group.seeds]
        return replace(group, against=False), tuple((at.version, at.done) for at in followers)

    def _is_behind(self, group: GroupAsked) -> bool:
        measured = self._measured.get(group.path)
        return measured is None or measured.of != self._of(group)

    def _measure(self, group: GroupAsked) -> bool:
        """Measure a group anew where its runs grew, not too often; return whether that was done."""
        measured, of = self._measured.setdefault(group.path, _Measured()), self._of(group)
        began = time.perf_counter()
        at_work = any(active for *_, active in group.seeds)
        if measured.of == of or (began < measured.again and (at_work or not self._all_done(group))):
            return False
        measured.of = of
        score = score_of(group.env_id, self._seeds(group))
        measured.score = replace(score, of=len(group.seeds), read=self._all_done(group))
        if group.drawn:
            version = measured.detail.version if measured.detail else 0
            measured.detail = self._detail(group, version + 1)
        now = time.perf_counter()
        measured.again = now + max(AGAIN_S, 10 * (now - began))
        return True

    def _all_done(self, group: GroupAsked) -> bool:
        return all(self._followers[path].whole for _, path, _ in group.seeds)

    def _seeds(self, group: GroupAsked) -> list[Seed]:
        return [
            Seed(seed, path, self._followers[path].points(EVALUATION), self._followers[path].end)
            for seed, path, _ in group.seeds
            if self._followers[path].whole
        ]

    def _detail(self, group: GroupAsked, version: int) -> GroupDetail:
        followers = [self._followers[path] for _, path, _ in group.seeds if self._followers[path].whole]
        bands = {
            key: band for key in DRAWN if (band := band_of([(at.points(key), at.end) for at in followers])) is not None
        }
        returns = [at.points(EVALUATION if EVALUATION in bands else "episode/return") for at in followers]
        if len(returns) > MOST_DRAWN:
            returns = [returns[index] for index in np.linspace(0, len(returns) - 1, MOST_DRAWN).round().astype(int)]
        return GroupDetail(version, bands, tuple(returns), len(followers), len(group.seeds))

    def _state(self, asked: Iterable[GroupAsked]) -> object:
        return tuple((group, self._measured[group.path].of) for group in asked if group.path in self._measured)

    def _compare(self, asked: tuple[GroupAsked, ...]) -> None:
        """Set those that are drawn against each other, and put everything together."""
        self._compared_of = self._state(asked)
        drawn = [group for group in asked if group.drawn and group.path in self._measured]
        common: Mapping[Path, GroupScore] = {}
        versus: Mapping[tuple[Path, Path], Versus] = {}
        if len(drawn) > 1:
            common, versus = compared([(group, self._seeds(group)) for group in drawn])
        self._read = GroupsRead(
            scores={path: at.score for path, at in self._measured.items()},
            details={path: at.detail for path, at in self._measured.items() if at.detail is not None},
            common=common,
            versus=versus,
            version=self._read.version + 1,
        )
