"""Say in a dataset which run it came from; of texts that anyone may have written, nothing acts where they are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mbpo import __version__
from mbpo.errors import printable
from mbpo.lifecycle.saved_policy import facts_of
from mbpo.outside.datasets.real_rows import RealRows
from mbpo.runs.about import read_about
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, read_status
from mbpo.settings.config import Config

COMMIT = re.compile(r"[0-9a-f]{7,64}")
VERSION = re.compile(r"[0-9][0-9a-z.+]{0,30}")
PLAIN = re.compile(r"[^A-Za-z0-9 ,.:;/@=+-]")  # what Markdown, or a terminal, may take for more than text
INFOS = {
    "mean": "of the policy's Gaussian, before tanh; NaN in warm-up, whose actions are uniform",
    "log_std": "of the same, before tanh",
    "log_prob": "nats, of policy_action",
    "policy_action": "what the policy said, flat, from which the action was made",
}


def about_dataset(paths: RunPaths, config: Config, rows: RealRows, notes: Sequence[str]) -> dict[str, Any]:
    """Return what the metadata say of the run, as JSON values; title, note and tags are somebody's words."""
    facts, said, status = facts_of(paths), read_about(paths), read_status(paths) or RunStatus()
    code = code_of(facts)
    env_id = PLAIN.sub("?", config.env_id)[:80]
    run = PLAIN.sub("?", paths.run_id)[:80]
    sentences = [
        f"What {config.algo} of mbpo-workbench lived through in {env_id}: run {run}, seed {config.seed}, "
        f"up to env step {rows.env_steps}, from uniform warm-up to its policy of then",
        "The infos say how each action was chosen",
        *(note[0].upper() + note[1:] for note in notes),
    ]
    return {
        "description": PLAIN.sub("?", ". ".join(sentences)) + ".",
        "run": printable(paths.run_id),
        "algorithm": config.algo,
        "env_id": printable(config.env_id),
        "wrappers": [printable(wrapper) for wrapper in config.wrappers],
        "seed": config.seed,
        "code": code,
        "checkpoint_env_steps": rows.env_steps,
        "first_transition": rows.first,
        "interactive": bool(status.interactive),
        "parent": printable(str(status.parent)),
        "title": printable(said.title),
        "note": printable(said.note),
        "tags": [printable(tag) for tag in said.tags],
        "infos": INFOS,
        "notes": list(notes),
    }


def code_of(facts: Mapping[str, Any]) -> str:
    """Return the version of this code that the run began with, and its commit where it is known."""
    versions = facts.get("versions")
    found = str(versions.get("mbpo-workbench", "")) if isinstance(versions, Mapping) else ""
    version = found if VERSION.fullmatch(found) else __version__
    commit = str(facts.get("git_commit") or "")
    return f"mbpo-workbench {version}" + (f" at commit {commit}" if COMMIT.fullmatch(commit) else "")
