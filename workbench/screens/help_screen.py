"""Explain keys, from the bindings themselves, and what the charts do and do not say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from mbpo.runs.metrics import METRICS
from workbench.charts.table import CHARTS
from workbench.charts.trust import ESSAY, TRUST_CHARTS
from workbench.format import GLYPHS
from workbench.messages import DEAF
from workbench.widgets.runs_table import COLORS

STEERED = """\
k (rollout_length) is how many imagined steps branch from each real state; 0 is plain SAC. At auto
k_policy chooses it, and turns while the run learns: schedule follows rollout_schedule, bound the
theorem's k*; disagreement, mask, information and weight judge every imagined row by what the members
of the ensemble say of it, for at most rollout_limit steps. With a number for k no rule is in force.
real_ratio is the share of real rows in each batch of SAC. A change holds from the env step shown as
"applied @"; "measured" is what sampling really did."""

COMPARING = """\
c marks the run in focus, C its whole family: the runs it descends from, their forks and its own.
Where all of them are marked, C takes off every mark. Up to eight runs have a letter; the one in
focus is drawn with them, marked or not. What forks share with the run they left is drawn once.
"at 4,000" is the last env step at which all of them were evaluated: compare there. Two evaluations
closer than their ± say little, and two runs of one seed each say less than five of either."""

WHAT_IF = """\
w asks what other settings would have done from an env step on. Every value after --set is an arm, the
settings in force there are one more, "as it is", and each arm is a few forks of the run: a repeat has
the same random streams in every arm. The newest answer stands on the page of t and above the bound:
who was best, by how much over as it is with a 95 % interval, or that it cannot be told. P(best) is how
often an arm leads when its repeats are drawn again. The forks lie in .what-if/RUN@STEP beside the run."""

FILTERING = """\
/ lists only some runs. A word is looked for in name, environment, preset and state; fields are compared, as
in env=Hopper* and k>=5 and best>1000, or not (state=failed or seed<3). Fields are name, env, preset, state,
parent, seed, steps, total, eval, best, solved, return, speed, hand and, as in force now, k, real_ratio,
k_policy, updates_per_step and model_train_freq. = takes * and ?, ~ a regular expression, : a part of the
text. Enter keeps the filter, esc in its line lets it go. o, or a click on a column's head, sorts."""

LIFE = """\
Runs are processes of their own. Quitting, a closed terminal or a crash of this app stops none of
them: open it again and everything is there. Only s, confirmed, stops a run."""


class HelpScreen(ModalScreen[None]):
    """Show the keys of the screen below, the theory and the glyphs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "close", "close", id="help.close")]

    def __init__(self, bindings: Iterable[Binding]) -> None:
        super().__init__()
        self._keys_in_force = list(bindings)

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="page") as page:
            page.border_title = "help"
            page.border_subtitle = "esc closes"
            yield Static(_titled("Keys", self._keys()))
            yield Static(_titled("What you steer", _flowing(STEERED)))
            yield Static(_titled("How runs are filtered", _flowing(FILTERING)))
            yield Static(_titled("How runs compare", _flowing(COMPARING)))
            yield Static(_titled("What if", _flowing(WHAT_IF)))
            yield Static(_titled("How far to trust the model", _flowing(ESSAY)))
            for title, text in (chart.essay for chart in CHARTS.values() if chart.essay[0]):
                yield Static(_titled(title, _flowing(text)))
            yield Static(_titled("What is measured", _glossary()))
            yield Static(_titled("States", _states()))
            yield Static(_titled("What happens when you quit", _flowing(LIFE)))

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def _keys(self) -> Content:
        keys: dict[str, list[str]] = {}
        for binding in self._keys_in_force:
            if binding.id and binding.description and not binding.system:
                shown = self.app.get_key_display(replace(binding, key_display=None))
                keys.setdefault(binding.tooltip or binding.description, []).append(shown)
        lines = [
            Content.assemble((f"{' '.join(dict.fromkeys(shown)):>10}", "bold $accent"), f"  {text}")
            for text, shown in keys.items()
        ]
        return Content("\n").join(lines)


def _titled(title: str, body: Content) -> Content:
    return Content.assemble((title, "bold $primary"), "\n", body, "\n")


def _flowing(text: str) -> Content:
    """Return text whose lines are as long as the page is wide, whatever they were; formulas, indented, stay."""
    parts = (part if part.startswith("    ") else " ".join(part.split()) for part in text.split("\n\n"))
    return Content("\n\n".join(parts))


def _glossary() -> Content:
    lines = []
    explained = [*(chart.explained for chart in CHARTS.values()), *(chart.explained for chart in TRUST_CHARTS)]
    for key in dict.fromkeys(itertools.chain(*explained)):
        metric = METRICS[key]
        unit = f" ({metric.unit})" if metric.unit else ""
        lines.append(Content.assemble((f"{key:<26}", "bold"), f"{metric.meaning}{unit}"))
    return Content("\n").join(lines)


def _states() -> Content:
    lines = []
    for state, glyph in GLYPHS.items():
        deaf = "  takes no commands" if state in DEAF else ""
        words = {"lost": "its process is gone", "silent": "no heartbeat from another host or container"}
        lines.append(Content.assemble((f"{glyph} {state:<11}", COLORS[state]), words.get(state, ""), deaf))
    return Content("\n").join(lines)
