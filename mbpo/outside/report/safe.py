"""Make texts that a run brought along harmless in a page: whatever they are, they are shown and never act."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from markupsafe import Markup

IN_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def readable(value: Any) -> Any:
    """Return text with every character that is no sign, line ends aside, written as an escape; all else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in value)


def in_script(content: Any) -> str:
    """Return ``content`` as JSON that can stand in a script element: nothing in it ends the element."""
    text = content if isinstance(content, str) else json.dumps(content, allow_nan=False)
    return text.translate(IN_SCRIPT)


def digest(script: str) -> str:
    """Return what a Content-Security-Policy calls a script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
