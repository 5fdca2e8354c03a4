"""Make a typed record of what a file holds, whichever version wrote it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

Record = TypeVar("Record", bound=msgspec.Struct)


def fitted(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """Return ``content`` as a ``kind``, each of whose fields has a default.

    A key that is missing, or whose value is of another type, leaves its field at the default; a key that ``kind``
    does not have is passed over. So runs of older and of newer versions can be read.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError:
        return kind(**_fitting_values(kind, content))


def _fitting_values(kind: type[Record], content: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name in content:
            with contextlib.suppress(msgspec.ValidationError):
                values[field.name] = msgspec.convert(content[field.encode_name], field.type)
    return values
