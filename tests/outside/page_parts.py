"""Take a report apart as a browser would: its elements, attributes, texts and scripts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})


@dataclass
class Parts(HTMLParser):
    """Hold what a page consists of."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.inside.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        within = self.inside[-1] if self.inside else ""
        if within == "script":
            self.scripts[-1] += data
        elif within != "style":
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        """Return all that is read, with single blanks."""
        return " ".join(" ".join(self.texts).split())

    @property
    def charts(self) -> dict[str, Any]:
        """Return the data of the charts."""
        return dict(json.loads(self.scripts[0]))

    @property
    def slugs(self) -> list[str]:
        """Return the charts by name."""
        return [place.removeprefix("chart-") for place in self.charts["roots"].values()]

    @property
    def tags(self) -> list[str]:
        """Return the elements' names."""
        return [tag for tag, _ in self.elements]


def parts_of(file: Path) -> Parts:
    """Return the parts of a page, which must be whole."""
    parts = Parts()
    parts.feed(file.read_text(encoding="utf-8"))
    parts.close()
    assert parts.inside == [] and parts.comments == []
    return parts
