"""Write the table of docs/environments.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trial import Outcome, Task
from venvs import ROOT

PAGE = ROOT / "docs" / "environments.md"
BEGIN, END = "<!-- make suites writes from here -->", "<!-- to here -->"
HEAD = (
    "| suite and versions | the line to type | observations · actions | what ended episodes | repeats | verdict |",
    "|---|---|---|---|---|---|",
)


def write_table(tried: Sequence[tuple[Mapping[str, Any], Task, Outcome]]) -> None:
    """Put a row per task between the page's two marks."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text("\n".join([before + BEGIN, *HEAD, *(_row(*task) for task in tried), END + after]))


def _row(suite: Mapping[str, Any], task: Task, outcome: Outcome) -> str:
    facts = outcome.facts
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    obs = f"{facts['obs']}" + (f" ({facts['adapted']})" if facts["adapted"] else "")
    repeats = facts["repeats"].split(";")[0].removeprefix("the environment does not repeat: ") or "yes"
    cells = (
        f"{suite['name']}: {versions}",
        f"`{task.line}`",
        f"{obs} · {facts['actions']}, {facts['bounds']}",
        facts["ends"],
        repeats if repeats == "yes" else f"no: {repeats}",
        outcome.verdict,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
