"""Show what happened in a run, newest last, and the end of its log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from textual.content import Content
from textual.events import MouseScrollDown, MouseScrollUp

from mbpo.settings.language import tr
from workbench.changes import change_of
from workbench.charts.picture import ORANGE, PURPLE, SKY
from workbench.format import GLYPHS, MUTED, fitted, number, safe_text, squeezed, whole
from workbench.groups_side_by_side import GroupCompared
from workbench.messages import RunDetail, RunRow
from workbench.run_groups import BROKEN
from workbench.study_rows import StudyRow
from workbench.widgets.quiet import Words, subtitle
from workbench.widgets.study_words import study_lines

MARKS = {
    "evaluation": ("E", ORANGE),
    "control": ("⇄", PURPLE),
    "warning": ("!", "$warning"),
    "checkpoint": ("▣", SKY),
    "resumed": ("↻", SKY),
    "failed": ("✗", "$error"),
    "diverged": ("!", "$error"),
    "finished": ("✓", "$success"),
    "started": ("▶", "$success"),
    "stopped": ("■", MUTED),
    **dict.fromkeys(("resume_verified", "fork_verified", "replay_verified"), ("✓", SKY)),
}
SKIPPED = frozenset({"event", "time", "env_steps", "seq", "attempt", "schema"})


def event_line(event: Mapping[str, Any], width: int) -> Content:
    """Write one event as a line of text that nothing interprets."""
    name = safe_text(event.get("event", "?"), 24)
    mark, color = MARKS.get(name, ("·", MUTED))
    if name == "control":
        change = change_of(event)
        if change.status == "rejected":
            mark, color = "✗", "$error"
        steps, text = change.at, change.text
    else:
        steps, text = _steps(event), f"{tr(name) if name in MARKS else name} {_facts(event)}"
    at = whole(steps) if math.isfinite(steps) else ""
    head = f"{at:>8} "
    return Content.assemble((head, MUTED), (f"{mark} ", color), fitted(text, max(width - len(head) - 2, 8)))


def _steps(event: Mapping[str, Any]) -> float:
    value = event.get("env_steps")
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e300 else math.nan


def _facts(event: Mapping[str, Any]) -> str:
    if event.get("event") == "evaluation":
        mean, std = event.get("eval/return_mean"), event.get("eval/return_std")
        if isinstance(mean, (int, float)):
            return number(mean) + (f" ± {number(std, 2)}" if isinstance(std, (int, float)) else "")
    facts = []
    for key, value in list(event.items())[:12]:
        if key in SKIPPED or value is None or value in ("", []):
            continue
        shown = number(value) if isinstance(value, float) else safe_text(value, 80)
        facts.append(shown if key == event.get("event") else f"{safe_text(key, 24)} {shown}")
    return ", ".join(facts)


def telling(events: Sequence[Mapping[str, Any]], lines: int) -> Sequence[Mapping[str, Any]]:
    """Return so many events, in order: the newest, but a checkpoint once, and none in the place of an older change.

    Changes by hand give way last, and keep half of the lines at most.
    """
    newest = {_checkpoint(event): at for at, event in enumerate(events)}
    once = [event for at, event in enumerate(events) if _checkpoint(event) is None or newest[_checkpoint(event)] == at]
    changes = [at for at, event in enumerate(once) if event.get("event") == "control"][-max(lines // 2, 1) :]
    others = [at for at in range(len(once)) if at not in changes]
    kept = sorted(changes + others[len(others) - max(lines - len(changes), 0) :])
    return [once[at] for at in kept[-lines:]] if lines else []


def _checkpoint(event: Mapping[str, Any]) -> str | None:
    """Return which checkpoint an event tells of: a run's last one is written again under another label."""
    return safe_text(event.get("checkpoint")) if event.get("event") == "checkpoint" else None


def _by_need(seeds: Sequence[RunRow]) -> list[RunRow]:
    def place(row: RunRow) -> tuple[bool, float]:
        return row.state not in BROKEN, -row.eval_return if row.eval_return is not None else math.inf

    return sorted(seeds, key=place)


def seed_line(row: RunRow, width: int) -> Content:
    """Write how one seed of a group does."""
    why = row.reason if row.state in BROKEN else tr("best {best}", best=number(row.best_return))
    head = f"{GLYPHS.get(row.state, '·')} "
    text = tr(
        "seed {seed}: {value} at {step}, {state}, {why}",
        seed=row.seed,
        value=number(row.eval_return),
        step=whole(row.env_steps),
        state=tr(row.state),
        why=why,
    )
    return Content.assemble((head, "$error" if row.state in BROKEN else MUTED), fitted(text, max(width - 2, 8)))


class Tail(Words, can_focus=True):
    """Show the end of something that grows; the wheel goes back in it."""

    DAMPED = 3  # lines of a turn of the wheel

    help_topic = "events"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._back = 0  # lines below what is shown

    def end(self, count: int, height: int) -> int:
        """Return behind which of ``count`` lines what is shown ends."""
        self._back = min(self._back, max(count - height, 0))
        return count - self._back

    def draw(self) -> None:
        """Show what is to be seen now."""
        raise NotImplementedError

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Go back."""
        event.stop()
        self._back += self.DAMPED
        self.draw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Go on, to the end at most."""
        event.stop()
        self._back = max(self._back - self.DAMPED, 0)
        self.draw()


class Events(Tail):
    """Show the last events that fit."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = tr("events")
        self._detail: RunDetail | None = None

    def show_seeds(self, group: GroupCompared) -> None:
        """Show how each seed of a group does: those that broke off, then the best first."""
        width, height = self.content_size.width or 60, self.content_size.height or 4
        self._titled(tr("seeds"))
        self.say(Content("\n").join(seed_line(row, width) for row in _by_need(group.seeds)[:height]))

    def show_study(self, study: StudyRow) -> None:
        """Show which runs of a study do not go on and why, and which have not begun."""
        width, height = self.content_size.width or 60, self.content_size.height or 4
        self._titled(tr("study"))
        self.say(Content("\n").join(study_lines(study, width, height)))

    def _titled(self, title: str) -> None:
        if self.border_title != title:
            self.border_title = title

    def show(self, detail: RunDetail | None) -> None:
        """Show the end of the run's events."""
        self._titled(tr("events"))
        self._detail = detail
        self.draw()

    def draw(self) -> None:
        """Show the events down to where the wheel went; at the end, the telling ones."""
        width, height = self.content_size.width or 60, self.content_size.height or 4
        detail = self._detail
        every = detail.events if detail is not None else ()
        end = self.end(len(every), height)
        events = telling(every, height) if end == len(every) else every[max(end - height, 0) : end]
        if not events:
            self.say(Content.styled(tr("Evaluations, refits and changes appear here."), MUTED))
            return
        subtitle(self, tr("{n} damaged lines skipped", n=detail.bad_lines) if detail and detail.bad_lines else "")
        self.say(Content("\n").join(event_line(event, width) for event in events))


class LogTail(Tail):
    """Show the last log lines that fit; a click opens all of them."""

    help_topic = "events"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = tr("log")
        self.border_subtitle = tr("l opens it")
        self._lines: Sequence[str] = ()

    def show(self, lines: Sequence[str]) -> None:
        """Show the end of ``lines``."""
        self._lines = lines
        self.draw()

    def draw(self) -> None:
        """Show the lines down to where the wheel went."""
        width, height = self.content_size.width or 60, self.content_size.height or 4
        end = self.end(len(self._lines), height)
        last = [
            squeezed(line, width) for line in self._lines[max(end - height, 0) : end]
        ]  # a line's news is at its end
        empty = Content.styled(tr("The learner has printed nothing yet."), MUTED)
        self.say(Content("\n".join(last)) if last else empty)

    async def on_click(self) -> None:
        """Open the log."""
        await self.run_action("app.log")
