"""Be an app that can be read-only: there, keys, clicks and commands change no run, no queue and no run's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from textual.actions import ActionParseResult
from textual.dom import DOMNode

from mbpo.settings.language import tr
from workbench.acting import is_changing
from workbench.personal import PersonalApp
from workbench.screens.keymap import Keymap

Result = TypeVar("Result")


class ReadOnlyApp(PersonalApp[Result], Generic[Result]):
    """Refuse the actions that :func:`changes_runs` marks, and hide their keys. All keys and buttons are actions."""

    def __init__(self, theme: str, keymap: Keymap, readonly: bool) -> None:
        super().__init__(theme, keymap)
        self.readonly = readonly

    def may_change(self) -> bool:
        """Return whether a run may be changed; say why not."""
        if self.readonly:
            self.say(tr("Read-only: this workbench was started to watch."), "warning")
        return not self.readonly

    def _refuses(
        self, action: str | ActionParseResult, owner: DOMNode | None, owners: Mapping[str, DOMNode] | None = None
    ) -> bool:
        target, name, _ = self._parse_action(action, owner or self, owners)
        return self.readonly and is_changing(target, name)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key or a button stands for, or say that it is not done here."""
        if self._refuses(action, default_namespace, namespaces):
            return not self.may_change()
        return await super().run_action(action, default_namespace, namespaces)

    def _check_action_state(self, action: str, default_namespace: DOMNode) -> bool | None:
        """Hide the keys that do nothing, in the last line and in the help."""
        if self._refuses(action, default_namespace):
            return False
        return super()._check_action_state(action, default_namespace)
