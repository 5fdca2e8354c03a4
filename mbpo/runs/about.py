"""``about.json``: what people say of a run, a title, a note, tags, and whether it is put away.

The learner neither reads nor writes it. Whoever does may do so at any time, also while a learner is at work.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mbpo.errors import ConfigError, NewerRecordError, RecordError, StorageError, refused
from mbpo.runs.layout import RunPaths, write_atomic
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import check_version, read_json
from mbpo.settings.setting import shown

SCHEMA = 1
MOST_TITLE, MOST_NOTE, MOST_TAGS = 80, 2000, 20  # characters, characters, tags
TAG = re.compile(r"[\w.-]{1,32}")  # what a filter takes for one word
MOST_BYTES = 1 << 16


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Hold the contents of ``about.json``. Anyone may have written them: as found, only no longer than ours."""

    schema: int = SCHEMA
    title: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    archived: bool = False


def read_about(paths: RunPaths) -> About:
    """Return what is said of a run; nothing where that cannot be read."""
    try:
        content = read_json(paths.about, MOST_BYTES)
        check_version(paths.about, content, SCHEMA)
    except RecordError:
        return About()
    about = fitted(About, content)
    tags = tuple(dict.fromkeys(tag for tag in about.tags if TAG.fullmatch(tag)))[:MOST_TAGS]
    return msgspec.structs.replace(about, title=about.title[:MOST_TITLE], note=about.note[:MOST_NOTE], tags=tags)


def change_about(paths: RunPaths, changes: Mapping[str, Any]) -> About:
    """Say something else of a run: what ``changes`` does not name stays, whoever wrote it, and keys unknown here too.

    Raises:
        ConfigError: a title, note or tag that is refused.
        NewerRecordError: a newer version wrote the file.
        StorageError: it cannot be written.
    """
    changes = {name: _checked(name, value) for name, value in changes.items()}
    try:
        with _one_at_a_time(paths):
            content = {**_content(paths), **changes, "schema": SCHEMA}
            text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
            write_atomic(paths.about, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise refused(f"cannot write {paths.about}", error) from None
    return read_about(paths)


def tags_in(text: str) -> tuple[str, ...]:
    """Return the tags that a person typed, apart by blanks or commas, with or without a #.

    Raises:
        ConfigError: one is no word.
    """
    return _tags([word.removeprefix("#") for word in re.split(r"[\s,]+", text) if word.strip("#")])


def _checked(name: str, value: Any) -> Any:
    if name == "tags":
        return list(_tags(value))
    if name == "archived":
        return bool(value)
    most = {"title": MOST_TITLE, "note": MOST_NOTE}[name]
    if len(text := str(value).strip()) > most:
        raise ConfigError(f"the {name} must have at most {most} characters, got {len(text)}: shorten it")
    return text


def _tags(words: Any) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(map(str, words)))
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise ConfigError(
                f"a tag must be a word of letters, digits, . _ and -, at most 32 of them, got {shown(tag)}"
            )
    if len(tags) > MOST_TAGS:
        raise ConfigError(f"a run has at most {MOST_TAGS} tags, got {len(tags)}: take some off")
    return tags


def _content(paths: RunPaths) -> dict[str, Any]:
    """Return what the file holds; nothing where it is none that can be read: it is then written anew."""
    try:
        content = read_json(paths.about, MOST_BYTES)
        check_version(paths.about, content, SCHEMA)
    except NewerRecordError:
        raise
    except RecordError:
        return {}
    return content


@contextlib.contextmanager
def _one_at_a_time(paths: RunPaths) -> Iterator[None]:
    """Wait until nobody else changes the file, where the file system has locks: two may change two parts of it."""
    descriptor = os.open(paths.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
