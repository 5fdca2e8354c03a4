"""Write words of others so that they stay words: in markdown, in names of files, on a line."""

from __future__ import annotations

import hashlib
import re
import string

from mbpo.errors import printable

_LETS_PASS = frozenset(" ,;:/?%'\"()=+.-")  # of the punctuation: what means nothing within a line of markdown
_LIST = re.compile(r"(\d+)([.)])")
_ODD = re.compile(r"[^A-Za-z0-9._=-]+")
MOST_NAME = 80


def in_one_line(text: str, most: int = 300) -> str:
    """Return ``text`` as one line of printable characters, cut where it is longer than ``most``."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 3] + "..."


def as_markdown(text: str) -> str:
    """Return markdown that shows ``text`` as it is, on one line: nothing in it is a link, a picture or HTML."""
    line = printable(" ".join(text.split()))
    if line and line[0] in string.punctuation:
        line, first = line[1:], f"&#{ord(line[0])};"
    elif number := _LIST.match(line):
        line, first = line[number.end() :], f"{number[1]}&#{ord(number[2])};"
    else:
        first = ""
    passes = (c if c in _LETS_PASS or c not in string.punctuation else f"&#{ord(c)};" for c in line)
    return first + "".join(passes)


def file_name(text: str) -> str:
    """Return ``text`` as the name of a file or folder, of plain characters; another text gives another name."""
    plain = _ODD.sub("_", text)
    if plain == text and 0 < len(text) <= MOST_NAME and not text.startswith((".", "-")):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain.lstrip('.-')[: MOST_NAME - 9] or 'run'}-{digest}"


def path_name(name: str) -> str:
    """Return a name with slashes as a relative path that stays below where it begins."""
    return "/".join(file_name(part) for part in name.split("/") if part) or "run"
