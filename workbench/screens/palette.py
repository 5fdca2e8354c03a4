"""Offer commands that know the run in focus: set k = 5, pause, stop, open another run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from mbpo.errors import ConfigError
from mbpo.settings.config import LIVE_SETTINGS
from mbpo.settings.presets import PRESETS
from workbench.format import fitted, setting_value
from workbench.messages import RESUMABLE

if TYPE_CHECKING:
    from workbench.screens.bench import Bench

ASSIGNMENT = re.compile(r"(?:set\s+)?(k|rollout_length|real_ratio|ratio|rr)\s*(?:=|\s|to)\s*(\S+)$")
SETTING_OF = {"k": "rollout_length", "ratio": "real_ratio", "rr": "real_ratio"}
Command = tuple[str, Callable[[], object], str]


class RunCommands(Provider):
    """Find commands by name, and read assignments like ``k = 5``."""

    async def discover(self) -> Hits:
        """Offer everything that can be done now."""
        for text, act, help_text in self._commands():
            yield DiscoveryHit(Content(text), act, text=text, help=help_text)

    async def search(self, query: str) -> Hits:
        """Offer what matches ``query``; run names are never read as markup."""
        assignment = self._assignment(query)
        if assignment is not None:
            text, act, help_text = assignment
            yield Hit(1.0, Content(text), act, text=text, help=help_text)
        matcher = self.matcher(query)
        for text, act, help_text in self._commands():
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, Content(text), act, text=text, help=help_text)

    @property
    def _bench(self) -> Bench:
        return cast("Bench", self.screen)

    def _assignment(self, query: str) -> Command | None:
        found = ASSIGNMENT.match(query.strip().lower())
        row = self._bench.row
        if found is None or row is None:
            return None
        setting = SETTING_OF.get(found[1], found[1])
        try:
            value = LIVE_SETTINGS[setting].parse(found[2])
        except ConfigError:
            return None
        label = "k" if setting == "rollout_length" else setting
        text = f"set {label} = {setting_value(value)} on {fitted(row.run_id, 40)}"
        return text, partial(self._bench.ask, setting, value), "Takes hold at the next env step"

    def _commands(self) -> Iterator[Command]:
        bench, host = self._bench, self._bench.host
        row = bench.row
        if row is not None and row.answers and not host.readonly:
            name = fitted(row.run_id, 40)
            verb = "resume" if row.state == "paused" else "pause"
            yield f"{verb} {name}", bench.action_pause, "Training waits; the app may go"
            yield f"stop {name}", bench.action_stop, "Ends the run after a checkpoint"
            yield f"checkpoint {name}", partial(bench.act, "checkpoint"), "Writes one now"
            yield f"set k and real_ratio of {name}", bench.action_edit, "Exact values in a form"
            yield f"k auto on {name}", bench.action_auto, "Gives k back to its schedule"
            yield f"log of {name}", bench.action_log, "Follows what the learner prints"
        if row is not None and not host.readonly:
            name = fitted(row.run_id, 40)
            if row.state in RESUMABLE:
                yield f"resume {name}", bench.action_resume, "Goes on from its newest checkpoint"
            yield f"fork {name}", bench.action_fork, "A new run that branches off it at an env step"
        yield from self._comparing()
        if not host.readonly:
            yield "new run", host.open_launch_form, "Opens the launch form"
            for preset in PRESETS.values():
                yield f"start {preset.name}", partial(host.launch, preset.name, {}), preset.doc
        for other in host.rows[:50]:
            if row is None or other.path != row.path:
                text = f"open {fitted(other.run_id, 40)}"
                yield text, partial(host.select, Path(other.path)), f"Run is {other.state}"
        yield "help", host.open_help, "Keys, the theory, and what is measured"
        yield "change theme", bench.app.action_change_theme, "Colours of the app"
        yield "quit", bench.app.exit, "Ends this app; runs go on"

    def _comparing(self) -> Iterator[Command]:
        bench, row = self._bench, self._bench.row
        letters = bench.marks.letters
        if row is not None:
            name = fitted(row.run_id, 40)
            if row.path in letters:
                yield f"stop comparing {name}", bench.action_compare, "Takes its mark off"
            else:
                yield f"compare {name}", bench.action_compare, "Marks it for the charts"
            if any(path not in letters for path in bench.kin()):
                text = f"compare the family of {name}"
                yield text, bench.action_compare_family, "Marks its whole tree of forks"
        if letters:
            yield "what differs", bench.action_differences, "Settings and evaluations, in full"
            yield "compare nothing", bench.action_compare_none, "Takes off every mark"
