"""Ask what other settings would have done: which, from where on, for how long and how often."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from mbpo.errors import ConfigError, StorageError
from mbpo.runs.records.what_if import Unanswered
from mbpo.settings.arms import REPEATS, STEPS, Arm, arms_of, check_end
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS, resolve_run
from mbpo.settings.language import tr
from mbpo.settings.setting import Setting
from mbpo.settings.threads import auto_threads, cores
from workbench.asker import AskingProcess, Question
from workbench.fork_points import ForkPoints
from workbench.format import MUTED, NAME, around, duration, fitted, number, safe_text, whole
from workbench.messages import RunDetail, RunRow
from workbench.screens.start_form import StartForm

FIELDS = ("sets", "step", "steps", "repeats")
LONGEST_K = 50  # that is suggested, as far as the model's error is measured
WITHOUT_K = ("sac", "pets")  # algorithms that imagine no rollouts for SAC
LOOK_S = 0.1
START_S = 4.0  # in which a learner begins, roughly


class WhatIfForm(StartForm[AskingProcess]):
    """Ask for the question; close once the command has taken it, else show what the command says."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", tr("start"), id="what_if.start", priority=True),
        Binding("escape", "cancel", tr("cancel"), id="what_if.cancel"),
    ]

    def __init__(
        self,
        row: RunRow,
        detail: RunDetail,  # of the same run, with its config
        trunk: ForkPoints,
        start: Callable[[Question], AskingProcess],
    ) -> None:
        """Begin with a what-if that was cut off, else at the newest checkpoint with a few k.

        Raises:
            ConfigError: its settings cannot be used.
        """
        super().__init__()
        self._row = row
        self._run = detail.path
        self._given = detail.config
        self._config = resolve_run(detail.config)
        self._trunk = trunk
        self._start = start
        self._asking: AskingProcess | None = None
        cut_off = detail.what_ifs.asking
        self._before = cut_off.asked if cut_off is not None and not cut_off.at_work else None
        self._texts = _texts_of(self._before) if self._before is not None else self._suggested(detail)

    def _suggested(self, detail: RunDetail) -> Mapping[str, str]:
        step = self._trunk.newest(2**62)
        usual, left = _number(STEPS, str(STEPS.default)), self._config.total_steps - step
        steps = left if 0 < left < usual else usual
        k = self._in_force(step)["rollout_length"]
        sets = "" if self._config.algo in WITHOUT_K else f"rollout_length={_around(k, detail.last('rollout/length'))}"
        return dict(zip(FIELDS, (sets, str(step), str(steps), str(REPEATS.default)), strict=True))

    def compose(self) -> ComposeResult:
        """Lay out a line for each part of the question, what it costs, and the command."""
        steps = tr("env steps {low} to {high}", low=whole(self._trunk.low), high=whole(self._trunk.high))
        facts = (tr("NAME=V,V and further ones"), steps, tr("env steps of each fork"), tr("of each arm"))
        with Vertical(classes="dialog") as box:
            box.border_title = tr("what if?") if self._before is None else tr("what if? go on")
            box.border_subtitle = tr("enter starts · tab, shift+tab move · esc cancels")
            yield Static(around(tr("Other settings for {name}, as forks:", name=NAME), fitted(self._run.name, 30)))
            for name, fact in zip(FIELDS, facts, strict=True):
                with Horizontal(classes="field-line"):
                    yield Static(Content.styled("--set" if name == "sets" else name, "bold"), classes="field-name")
                    yield Input(self._texts[name], id=f"ask-{name}", compact=True, placeholder=_example(name))
                    yield Static(fact, classes="field-fact")
            yield Static("", id="cost")
            yield Static("", id="command")
            with Horizontal(classes="dialog-buttons"):
                yield Button(tr("⏎ start"), id="start", variant="primary", compact=True)
                yield Button(tr("esc cancel"), id="cancel", compact=True)

    def on_mount(self) -> None:
        """Begin at what is tried."""
        self.query_one("#ask-sets").focus()
        self.set_interval(LOOK_S, self._look)
        self.question()

    def question(self) -> Question | None:
        """Return what was asked for, or None after showing what is wrong with it."""
        question, cost = None, Content("")
        try:
            question, arms = self._asked()
            cost = Content(self._cost(question, len(arms)))
            shown = Content.styled(safe_text(question.typed(_short(self._run))), MUTED)
        except ConfigError as error:
            shown = Content.styled(safe_text(error, 200), "$error")
        self.query_one("#cost", Static).update(cost)
        self.query_one("#command", Static).update(shown)
        self.query_one("#start", Button).disabled = question is None
        return question

    def _asked(self) -> tuple[Question, tuple[Arm, ...]]:
        texts = {name: self.query_one(f"#ask-{name}", Input).value for name in FIELDS}
        sets = _words(texts["sets"])
        step = self._step(texts["step"])
        steps, repeats = _number(STEPS, texts["steps"]), _number(REPEATS, texts["repeats"])
        arms, _ = arms_of(sets, self._config, self._in_force(step))
        check_end(self._config, step, steps)
        return Question(self._run, step, sets, steps, repeats, self._further(step, steps)), arms

    def _step(self, text: str) -> int:
        low, high, typed = self._trunk.low, self._trunk.high, text.strip().replace(",", "")
        if not (typed.isdecimal() and len(typed) < 19 and low <= int(typed) <= high):
            raise ConfigError(
                tr(
                    "step must be a whole number from {low} to {high}, got {text2!a}",
                    low=whole(low),
                    high=whole(high),
                    text2=text[:40],
                )
            )
        return int(typed)

    def _in_force(self, step: int) -> dict[str, Any]:
        """Return each setting of the run where the arms part."""
        found = self._trunk.in_force(step)
        live = {name: value for name, value in found.items() if name in LIVE_SETTINGS}
        resolved = resolve_run({**self._given, **live})
        return {name: getattr(resolved, name) for name in SETTINGS}

    def _further(self, step: int, steps: int) -> tuple[str, ...]:
        """Return what else makes it the same question as the one that was cut off: the forks are then the same."""
        before = self._before
        if before is None or (step, steps) != (before.step, before.steps):
            return ()
        threads = () if before.threads_given is None else ("--threads", str(before.threads_given))
        usual = before.eval_every in (0, -(-steps // 4))
        return (*(() if usual else ("--eval-every", str(before.eval_every))), *threads)

    def _cost(self, question: Question, arms: int) -> str:
        """Say how many forks it takes, and about how long by the run's own speed."""
        forks = arms * question.repeats
        threads = self._config.threads
        at_once = min(max(1, cores() // (threads if isinstance(threads, int) else auto_threads())), forks)
        said = tr(
            "{arms} arms × {repeats} = {forks} forks, {at_once} at once",
            arms=arms,
            repeats=question.repeats,
            forks=forks,
            at_once=at_once,
        )
        speed = self._row.steps_per_s
        if not speed > 0:
            return said
        rounds = math.ceil(forks / at_once)
        steps = rounds * question.steps + self._trunk.repeated(question.step)
        return tr(
            "{said}: about {rounds} at {speed} steps/s",
            said=said,
            rounds=duration(rounds * START_S + steps / speed),
            speed=number(speed),
        )

    def action_start(self) -> None:
        """Start the command, if everything can be used; it may still refuse."""
        question = self.question()
        if question is None or self._asking is not None:
            return
        try:
            self._asking = self._start(question)
        except StorageError as error:
            self._refuse(str(error))
            return
        self.query_one("#command", Static).update(Content.styled(tr("starting…"), "$warning"))
        self.query_one("#start", Button).disabled = True

    def _look(self) -> None:
        """Close once the command has begun; show its line where it ended before."""
        asking = self._asking
        if asking is None:
            return
        asking.poll()
        if asking.began:
            self._asking = None
            self.dismiss(asking)
        elif asking.exit_code is not None:
            self._asking = None
            self._refuse(asking.last_words)
            asking.forget()

    def _refuse(self, why: str) -> None:
        self.query_one("#command", Static).update(Content.styled(safe_text(why, 200), "$error"))
        self.query_one("#start", Button).disabled = False

    def action_cancel(self) -> None:
        """Start nothing."""
        if self._asking is not None:
            self._asking.give_up()
        self.dismiss(None)

    @on(Input.Changed)
    def _check(self) -> None:
        if self._asking is None:
            self.question()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_start()


def _texts_of(before: Unanswered) -> Mapping[str, str]:
    values = (shlex.join(before.sets), str(before.step), str(before.steps), str(before.repeats))
    return dict(zip(FIELDS, values, strict=True))


def _around(in_force: Any, logged: float) -> str:
    """Return a few k around the one in force: 1, k and 3 k, without the number that is in force itself."""
    by_rule = type(in_force) is not int
    k = (int(logged) if math.isfinite(logged) and 0 < logged <= LONGEST_K else 1) if by_rule else in_force
    tried = {1, k, min(3 * k, max(k, LONGEST_K))} if k > 1 else {1, 3, 5}
    return ",".join(str(each) for each in sorted(tried) if by_rule or each != k)


def _example(name: str) -> str:
    return "updates_per_step=10,40" if name == "sets" else ""


def _words(text: str) -> tuple[str, ...]:
    """Return the NAME=VALUE,VALUE texts of a line; one with blanks stands in quotes."""
    with contextlib.suppress(ValueError):
        return tuple(shlex.split(text))
    raise ConfigError(tr("--set has a quote that is not closed"))


def _number(setting: Setting, text: str) -> int:
    value = setting.parse(text)
    assert isinstance(value, int)
    return value


def _short(path: Path) -> Path:
    """Return ``path`` as typed from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
