"""Try a sample of a search: a learner that fails is not passed over, one that finds its run in use comes again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mbpo.studies import ray_sample
from mbpo.studies.folder import keep
from mbpo.studies.ray_task import Learner

SEARCH = """
name = "few"
seeds = "0:{seeds}"
[base]
preset = "debug"
[search]
[search.space]
rollout_length = [1, 3]
"""


class Ended:
    """Stand for a learner's process: at work when it is first looked at, then ended with a code."""

    def __init__(self, code: int) -> None:
        self._codes = [None, None, None, code]

    def poll(self) -> int | None:
        return self._codes.pop(0) if len(self._codes) > 1 else self._codes[0]


def tried(folder: Path, monkeypatch: pytest.MonkeyPatch, seeds: int, *codes: int) -> list[str]:
    """Return the runs whose learners were begun, in order, where these end with ``codes``."""
    (folder / "few.toml").write_text(SEARCH.format(seeds=seeds))
    keep(folder / "few.toml", folder / "few", "ray")
    begun: list[str] = []

    @contextmanager
    def at_work(learner: Learner) -> Iterator[Ended]:
        begun.append(learner.run_id)
        learner.log.parent.mkdir(exist_ok=True)
        learner.log.write_text("error: no space\n")
        yield Ended(codes[len(begun) - 1])

    monkeypatch.setattr(ray_sample, "at_work", at_work)
    monkeypatch.setattr(ray_sample, "LOOK_S", 0.0)
    monkeypatch.setattr(ray_sample, "_reported", lambda: -1.0)
    monkeypatch.setattr(ray_sample, "_report", list)
    ray_sample.try_sample({"rollout_length": "3"}, str(folder / "few"), str(folder), False)
    return begun


@pytest.mark.parametrize(("seeds", "codes"), [(1, (5,)), (2, (0, 5)), (2, (5, 0))])
def test_a_learner_that_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: int, codes: tuple[int, ...]
) -> None:
    with pytest.raises(RuntimeError, match=r"k3-s\d: error: no space"):
        tried(tmp_path, monkeypatch, seeds, *codes)


def test_a_run_in_use_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(tmp_path, monkeypatch, 1, 7, 0) == ["k3-s0", "k3-s0"]


def test_a_sample_ends_when_all_its_learners_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(tmp_path, monkeypatch, 2, 0, 0) == ["k3-s0", "k3-s1"]
