"""Names, titles, notes, tags, events and settings of others stay words, in every tracker and on the disk."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from following import follow, some_rows, write_run
from hostile import PARTS, texts
from markdown_it import MarkdownIt
from tracker_readers import READERS, Reader, ready

from mbpo.errors import printable
from mbpo.outside.trackers.marks import mark_of
from mbpo.outside.trackers.texts import MOST_NAME, as_markdown, file_name, in_one_line, path_name

COUNT = 20_000
PLAIN = {"inline", "paragraph_open", "paragraph_close"}


def test_no_text_acts_as_markdown() -> None:
    """With a parser of GitHub's flavour; TensorBoard's own is in test_follow_tensorboard.py."""
    parser = MarkdownIt("gfm-like", {"linkify": False})
    for text in texts(COUNT, seed=2):
        inline = [token for token in parser.parse(as_markdown(text)) if token.type == "inline"]
        others = {token.type for token in parser.parse(as_markdown(text))} - {
            "inline",
            "paragraph_open",
            "paragraph_close",
        }
        parts = [child for token in inline for child in token.children or ()]
        assert not others, text
        assert {part.type for part in parts} <= {"text", "text_special"}, text
        assert "".join(part.content for part in parts).split() == printable(" ".join(text.split())).split(), text


def test_no_name_leaves_its_folder(tmp_path: Path) -> None:
    names: dict[str, str] = {}
    for text in texts(COUNT, seed=3):
        name = file_name(text)
        assert re.fullmatch(r"[A-Za-z0-9_=][A-Za-z0-9._=-]*", name) and len(name) <= MOST_NAME, text
        assert names.setdefault(name, text) == text
        path = tmp_path / path_name(text)
        assert path.resolve().is_relative_to(tmp_path) and path.resolve() != tmp_path
        assert all(not part.startswith((".", "-")) for part in path.relative_to(tmp_path).parts)


def test_no_text_obeys_a_terminal_or_ends_a_line() -> None:
    for text in texts(COUNT, seed=4):
        line = in_one_line(text, 60)
        assert line.isprintable() and len(line) <= 60
        mark = mark_of({"event": text, "env_steps": 1, "reason": text, text: text}, 1)
        if mark is not None:
            assert (mark.title + mark.text).isprintable()
        control = {"event": "control", "status": "applied", "by": text, "old": {text: text}, "new": {text: text}}
        told = mark_of(control, 1)
        assert told is not None and told.text.isprintable()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_folder_of_hostile_runs_arrives_as_words(reader: Reader, tmp_path: Path) -> None:
    ready(reader)
    draw, runs, into = random.Random(5), tmp_path / "runs", tmp_path / "there"
    written = 0
    for number, text in enumerate(texts(12, seed=6)):
        name = re.sub(r"[/\x00\ud800]", "", text)[:20].strip(".") or "x"
        words = ["".join(draw.choices(PARTS, k=6)) for _ in range(4)]
        about = {"title": words[0][:70], "note": words[1], "tags": [words[2], "ok"]}
        wrong = [{"event": words[3], "env_steps": 1}, {"event": "warning", "env_steps": 2, "reason": words[1]}]
        env_id = "".join(c for c in words[2] if c.isprintable())[:50] or "x"
        write_run(runs / f"{number}{name}", some_rows(1, 3), wrong, about=about, env_id=env_id)
        written += 1
    before = sorted(path for path in tmp_path.rglob("*") if not path.is_relative_to(into))
    said = follow(runs, "--to", reader.name, "--into", into)
    assert all(line.isprintable() for line in said.stdout.splitlines() + said.stderr.splitlines())
    assert said.stdout.count("3 rows, 3 new") == written
    assert sorted(path for path in tmp_path.rglob("*") if not path.is_relative_to(into)) == before
    assert all(path.resolve().is_relative_to(into) or path.is_symlink() for path in into.rglob("*"))
    assert "3 rows, 0 new" in follow(runs, "--to", reader.name, "--into", into).stdout
