"""Make texts as someone might write them who wants a page, a picture or a reader to do something."""

from __future__ import annotations

import random
from collections.abc import Iterator

SEED = 20_260_101
PIECES = (
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "'><svg onload=window.hacked=1>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'>",
    "</style><style>*{display:none}",
    "<link rel=stylesheet href=https://example.invalid/x.css>",
    "<meta http-equiv=refresh content=0;url=https://example.invalid>",
    '<a href="javascript:window.hacked=1">x</a>',
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[",
    "</title>",
    "</pre>",
    "</td></tr></table>",
    "&lt;b&gt;",
    "&#x3c;script&#x3e;",
    "\\u003cscript\\u003e",
    "{{ 7 * 7 }}",
    "{% include '/etc/passwd' %}",
    "${window.hacked=1}",
    "`",
    '"',
    "'",
    "\\",
    "=cmd|' /C calc'!A0",
    "$x^2$",
    "$$\\int$$",
    "\\(x\\)",
    "$name",
    "@text",
    "@{x}{safe}",
    "@$name{custom}",
    "%.5g %s %(x)s",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\ud800",
    "\n",
    "\t",
    "\r",
    "k = 5",
    "🧪",
    "研究",
)


def hostile(count: int, most: int = 200) -> Iterator[str]:
    """Yield so many texts of at most ``most`` characters, the same each time; at first each piece alone."""
    rng = random.Random(SEED)
    for number in range(count):
        parts = [PIECES[number]] if number < len(PIECES) else rng.choices(PIECES, k=rng.randint(1, 5))
        parts += [chr(rng.choice((rng.randrange(1, 128), rng.randrange(0xD7FF))))] * rng.randint(0, 1)
        rng.shuffle(parts)
        yield "".join(parts)[:most]


PARTS = (
    *"<>&\"'`*_{}[]()#+-.!|~\\/:;=%$@^,? \t\n\r\x00\x07\x1b\x7f\u2028\u202e\ud800é漢🎉",
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![a](http://x/y.png)", "[a](javascript:alert(1))"),
    *(
        "&lt;b&gt;",
        "&#60;b&#62;",
        "&amp;",
        "](",
        "```",
        "~~~",
        "---",
        "***",
        "# ",
        "> ",
        "- ",
        "1. ",
        "2) ",
        "    ",
        "\n\n",
    ),
    *(
        "http://evil.example/",
        "www.evil.example",
        "a@b.example",
        "<http://x>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "$$x$$",
    ),
    *(
        "../",
        "..",
        "/etc/passwd",
        "C:\\",
        "~",
        "~root",
        "CON",
        "\x1b]0;x\x07",
        "\x1b[2J",
        "'; DROP TABLE metrics; --",
        "{{7*7}}",
    ),
    *(
        "${HOME}",
        "$(id)",
        "`id`",
        "%s%n",
        "__proto__",
        "constructor",
        "NaN",
        "null",
        "_wandb",
        "step",
        "|a|b|",
        "[^1]",
        "[1]: x",
    ),
    *("k", "5", "run", "best of 3", "figure 2", "a b", "seed=3"),
)


def texts(count: int, seed: int = 0) -> Iterator[str]:
    """Yield ``count`` texts, each of up to eight parts that want to act."""
    draw = random.Random(seed)
    for _ in range(count):
        yield "".join(draw.choices(PARTS, k=draw.randint(1, 8)))
