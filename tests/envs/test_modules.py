"""Modules that register environments: what goes wrong in them is named, the missing module or the other id."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_runs import Train

IMPORTED = "import gymnasium\nfrom toy_envs import Toy\n"
MODULES = {
    "lacking": f"{IMPORTED}import a_simulator_of_nobody.core\n",
    "deeply": f"{IMPORTED}import lacking\n",
    "moved": "from toy_envs import NoToy\n",
    "leaving": "import sys\nsys.exit('usage: simulator LICENCE')\n",
    "interrupting": "raise KeyboardInterrupt\n",
    "garbled": "def step(self:\n",
    "asserting": "assert 1 > 2\n",
    "wordy": "raise RuntimeError('x' * 5000 + '\\n' + 'y' * 5000)\n",
    "others": f"{IMPORTED}gymnasium.register('OfOthersA-v1', Toy)\ngymnasium.register('OfOthersB-v2', Toy)\n",
    "nothing": "X = 1\n",
    "right": f"{IMPORTED}gymnasium.register('OfRight-v0', Toy, max_episode_steps=20)\n",
}


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the modules be found, under names that no other test imports."""
    for name, text in MODULES.items():
        (tmp_path / f"of_envs_{name}.py").write_text(text.replace("import lacking", "import of_envs_lacking"))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("lacking", 3, "importing of_envs_lacking raised ModuleNotFoundError: No module named 'a_simulator_of_nobody'"),
        ("deeply", 3, "importing of_envs_deeply raised ModuleNotFoundError: No module named 'a_simulator_of_nobody'"),
        ("moved", 3, "importing of_envs_moved raised ImportError: cannot import name 'NoToy' from 'toy_envs'"),
        ("leaving", 3, "importing of_envs_leaving raised SystemExit: usage: simulator LICENCE"),
        ("interrupting", 3, "importing of_envs_interrupting raised KeyboardInterrupt"),
        ("garbled", 3, "importing of_envs_garbled raised SyntaxError: '(' was never closed"),
        ("asserting", 3, "importing of_envs_asserting raised AssertionError"),
        ("wordy", 3, "importing of_envs_wordy raised RuntimeError: xxx"),
        ("others", 2, "module of_envs_others registers OfOthersA-v1, OfOthersB-v2"),
        ("nothing", 2, "module of_envs_nothing registers no environment"),
        ("nowhere", 2, "there is no module of_envs_nowhere: run where it lies, or give its folder: --module-path DIR"),
        ("right.core", 2, "there is no module of_envs_right.core"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_module_is_named(name: str, code: int, said: str, train_on: Train) -> None:
    for _ in range(2):  # an import that failed is tried again; one that worked registers nothing new
        run = train_on(f"of_envs_{name}:OfRight-v0")
        assert run.outcome.code == code
        assert said in run.outcome.error
        assert ("; install it" in run.outcome.error) == (name in ("lacking", "deeply"))
        assert not run.paths.root.exists()


def test_a_module_that_registers_the_id_is_imported(train_on: Train) -> None:
    run = train_on("of_envs_right:OfRight-v0")
    assert run.outcome.code == 0
    assert run.status.env_id == "of_envs_right:OfRight-v0"
