"""Ask for a run's title, note and tags; of several runs for note and tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from mbpo.errors import ConfigError
from mbpo.runs.about import MOST_NOTE, MOST_TITLE, tags_in
from mbpo.settings.language import tr
from workbench.format import MUTED, fitted, safe_text
from workbench.messages import RunRow
from workbench.widgets.flowing import Passage

HINT = tr("The run's directory keeps its name: forks and commands go by it. / finds tag=paper and note~word.")
NAMES = {"title": tr("title"), "note": tr("note"), "tags": tr("tags")}


class AboutForm(ModalScreen[dict[str, Any] | None]):
    """Hand back what was changed; what was not stays as others may have it by now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", tr("cancel"), id="about.cancel"),
        Binding("ctrl+s", "apply", tr("keep"), id="about.apply"),
    ]

    def __init__(self, rows: Sequence[RunRow]) -> None:
        super().__init__()
        self._rows = rows
        first = rows[0].about
        shared = [tag for tag in first.tags if all(tag in row.about.tags for row in rows)]
        note = first.note if all(row.about.note == first.note for row in rows) else ""
        title = {"title": first.title} if len(rows) == 1 else {}
        known = {**title, "note": note, "tags": " ".join(shared)}
        self._before = {name: safe_text(text, MOST_NOTE) for name, text in known.items()}

    def compose(self) -> ComposeResult:
        """Lay out a field for each."""
        rows = self._rows
        what = rows[0].run_id if len(rows) == 1 else tr("{n} runs, {name} …", n=len(rows), name=rows[0].run_id)
        with Vertical(classes="dialog") as box:
            box.border_title = tr("name, note, tags")
            yield Static(Content.styled(fitted(what, 56), "bold"))
            for name, text in self._before.items():
                with Horizontal(classes="field-line"):
                    yield Static(Content.styled(NAMES[name], "bold"), classes="field-name")
                    most = {"title": MOST_TITLE, "note": MOST_NOTE}.get(name, 0)
                    yield Input(text, id=f"about-{name}", compact=True, max_length=most)
            yield Passage(Content.styled(HINT, MUTED), id="about-hint", classes="hint")
            with Horizontal(classes="dialog-buttons"):
                yield Button(tr("^s keep"), id="apply", variant="primary", compact=True)
                yield Button(tr("esc cancel"), id="cancel", compact=True)

    def on_mount(self) -> None:
        """Begin with the first field."""
        self.query(Input).first().focus()

    @on(Input.Changed)
    def _check(self, event: Input.Changed) -> None:
        self._changes()

    def _changes(self) -> dict[str, Any] | None:
        """Return what is another than before, None where it cannot be taken."""
        hint = self.query_one("#about-hint", Static)
        texts = {name: self.query_one(f"#about-{name}", Input).value.strip() for name in self._before}
        changes: dict[str, Any] = {name: text for name, text in texts.items() if text != self._before[name]}
        try:
            if "tags" in changes:
                changes["tags"] = tags_in(changes["tags"])
        except ConfigError as error:
            hint.update(Content.styled(safe_text(error, 160), "$error"))
            return None
        hint.update(Content.styled(HINT, MUTED))
        return changes

    @on(Input.Submitted)
    def action_apply(self) -> None:
        """Hand back the changes."""
        changes = self._changes()
        if changes is not None:
            self.dismiss(changes or None)

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "apply":
            self.action_apply()
        else:
            self.action_cancel()
