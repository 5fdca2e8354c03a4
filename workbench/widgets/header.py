"""Say in one line which run is on screen and how it is doing."""

from __future__ import annotations

from textual.content import Content

from mbpo.runs.solved import solved_words
from mbpo.settings.language import tr
from workbench.charts.picture import GREEN, PURPLE, SKY
from workbench.format import GLYPHS, MUTED, duration, fitted, number, safe_text, told_apart, whole
from workbench.groups_side_by_side import GroupCompared
from workbench.messages import RunRow
from workbench.study_rows import StudyRow
from workbench.widgets.group_table import group_headline
from workbench.widgets.quiet import Words
from workbench.widgets.ranked import ranked
from workbench.widgets.run_columns import COLORS
from workbench.widgets.study_words import study_headline


def headline(row: RunRow, width: int, dials: str = "", asked: str = "", load: str = "") -> Content:
    """Return name, environment, state, progress and time left; the least needed goes first."""
    phase = safe_text(row.phase, 20) if row.active and row.phase != row.state and not dials else ""
    progress = whole(row.env_steps)
    if row.total_steps > 0:
        progress += f" / {whole(row.total_steps)}"
    parts: list[tuple[int, Content]] = [
        (0, Content.styled(fitted(row.titled, 32), "bold")),
        (5, Content.styled(fitted(row.run_id, 40), MUTED) if row.about.title else Content("")),
        (1, Content.styled(f"{GLYPHS.get(row.state, '·')} {tr(row.state)}", COLORS.get(row.state, ""))),
        (6, Content.styled(tr(phase), MUTED)),
        (
            1,
            Content(
                tr("evaluation {eval_return}", eval_return=told_apart(row.eval_return, row.threshold))
                if row.eval_return is not None
                else ""
            ),
        ),
        (5, Content(tr("best {best}", best=number(row.best_return)) if row.best_return is not None else "")),
        (3, Content.styled(_solved(row), GREEN)),
        (2, Content(tr("{steps} steps", steps=progress))),
        (4, Content(_time_left(row))),
        (3, Content.styled(asked, SKY)),
        (6, Content(tr("{speed} steps/s", speed=number(row.steps_per_s)) if row.steps_per_s > 0 else "")),
        (4, Content(fitted(row.env_id, 32))),
        (7, Content(tr("seed {seed}", seed=row.seed))),
        (8, Content.styled(load if row.active else "", MUTED)),
        (6, Content(tr("last episode {value}", value=number(row.last_return)) if row.last_return is not None else "")),
        (5, Content.styled(fitted(f"⑂ {row.parent}", 40) if row.parent else "", MUTED)),
        (5, Content.styled(tr("interactive") if row.interactive else "", PURPLE)),
        (1, Content(dials)),
        (1, Content.styled(fitted(row.reason, 120) if row.reason else "", "$warning")),
    ]
    return ranked(parts, width)


def _solved(row: RunRow) -> str:
    return solved_words(row.threshold, row.solved_at, evaluated=row.eval_return is not None)


def _time_left(row: RunRow) -> str:
    known = row.active and row.steps_per_s > 0 and row.phase != "warm-up"
    if not known or row.total_steps <= row.env_steps:
        return ""
    return tr("{time} left", time=duration((row.total_steps - row.env_steps) / row.steps_per_s))


class Header(Words):
    """Show the headline of the run in focus."""

    def show_group(self, group: GroupCompared) -> None:
        """Show how the seeds of the group in focus do together."""
        self.say(group_headline(group, self.content_size.width or 80))

    def show_study(self, study: StudyRow) -> None:
        """Show how far the study in focus is."""
        self.say(study_headline(study, self.content_size.width or 80))

    def show(self, row: RunRow | None, dials: str = "", asked: str = "", load: str = "") -> None:
        """Show ``row``, how far a what-if has come and the load, or what to do when there is none."""
        width = self.content_size.width or 80
        if row is None:
            motto = tr("find out when to trust your model")
            self.say(Content.assemble(("MBPO Workbench", "bold"), (f" · {motto}", MUTED)))
            return
        self.say(headline(row, width, dials, asked, load))
