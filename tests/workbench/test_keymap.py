"""A person may move keys in a file; what cannot be followed is a line, and the rest holds."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from driving import Driver
from fake_run import make_run, status_of
from textual.binding import Binding
from textual.dom import DOMNode
from textual.widgets import Static

import workbench
from mbpo.runs.config_file import read_config
from workbench.app import Workbench
from workbench.preferences import settings_folder
from workbench.screens.keymap import checked, is_key, keys_toml, places, read_keymap
from workbench.screens.keys import bench_keys
from workbench.screens.launch_form import LaunchForm
from workbench.screens.metrics_screen import MetricsScreen


def write_keys(text: str) -> Path:
    path = settings_folder() / "keys.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_binding_of_the_app_can_be_moved() -> None:
    for module in pkgutil.walk_packages(workbench.__path__, "workbench."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    classes, found = [DOMNode], {str(binding.id) for binding in bench_keys()}
    while classes:
        classes += classes.pop().__subclasses__()
        for kind in classes:
            own = kind.__dict__.get("BINDINGS", ()) if kind.__module__.startswith("workbench.") else ()
            found |= {str(b.id) for b in own if isinstance(b, Binding)}
    assert "None" not in found
    assert found <= {name for place in places() for name in place.keys}


@pytest.mark.parametrize(
    ("wanted", "keys", "said"),
    [
        ({"run.new": "J"}, {"run.new": "J"}, []),
        ({"run.new": "?, f5"}, {"run.new": "question_mark,f5"}, ["question_mark is run.new's now, and was app.help"]),
        ({"run.new": "f", "run.fork": "n"}, {"run.new": "f", "run.fork": "n"}, []),  # two may change places
        ({"run.new": "f"}, {"run.new": "f"}, ["f is run.new's now, and was run.fork's, which has no key"]),
        ({"runs.sort": "K"}, {"runs.sort": "K"}, ["was k.up's, which has plus and equals_sign"]),
        ({"run.new": "J", "run.fork": "J"}, {"run.new": "J"}, ["run.fork: J is run.new's now; it keeps f"]),
        ({"run.neww": "x"}, {}, ["no key is called run.neww; run.new is close; mbpo-workbench --keys lists all"]),
        ({"colour": "x"}, {}, ["no key is called colour; mbpo-workbench --keys lists all"]),
        ({"run.new": 3}, {}, ['run.new: expected text like "N" or "N,f5", got 3; it keeps n']),
        ({"run.new": ""}, {}, ['run.new: nothing is no key; give one as "N", "f5" or "ctrl+n"; it keeps n']),
        ({"run.new": "ctr+n"}, {}, ["run.new: ctr+n is no key"]),
        ({"run.new": "a,\x1b[31m"}, {}, ["run.new: �[31m is no key"]),
        ({"run.new": "down"}, {}, ["run.new: down moves in the table; it keeps n"]),
        ({"fork.start": "s"}, {}, ["fork.start: s is typed into a field there; it keeps ctrl+s"]),
        ({"metrics.smooth": "n", "run.new": "m"}, None, ["m is run.new's now, and was chart.smooth's"]),
        (
            {"app.quit2": "n"},
            {"app.quit2": "n"},
            ["was run.new's", "was confirm.no's", "was cancel.no's", "was trash.no's"],
        ),
    ],
)
def test_what_is_asked_is_followed_as_far_as_it_can_be(
    wanted: dict[str, Any], keys: dict[str, str] | None, said: list[str]
) -> None:
    found = checked(wanted, places())
    assert found.keys == (wanted if keys is None else keys)
    for text, expected in zip(found.wrong, said, strict=True):
        assert expected in text
        assert "\n" not in text and "\x1b" not in text


@pytest.mark.parametrize(
    ("key", "known"),
    [
        *(
            (key, True)
            for key in ("N", "f12", "ctrl+k", "alt+x", "ctrl+shift+up", "comma", "ü", "汉", "slash", "space")
        ),
        *((key, False) for key in ("", "+", "ctrl+", "+x", "shift+n", "strg+k", "Control", "nn", "\x1b", "ctrl k")),
    ],
)
def test_only_what_a_terminal_can_send_is_a_key(key: str, known: bool) -> None:
    assert is_key(key) is known


def test_what_is_printed_can_be_saved_and_read_back() -> None:
    assert read_keymap().keys == {} and read_keymap().wrong == []  # no file, no word
    printed = keys_toml(read_keymap())
    write_keys(printed)
    again = read_keymap()
    assert again.wrong == []
    assert keys_toml(again) == printed
    write_keys(printed.replace('run.new = "n"', 'run.new = "N"'))
    assert 'run.new = "N"' in keys_toml(read_keymap())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"run.new = N\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b'run = "n"\nrun.new = "N"', "is not TOML"),
        (b"a = " + b"[" * 5000, "is not TOML"),
        (b"#" * (2 << 20), "is larger than"),
    ],
    ids=["no quotes", "no text", "twice", "deep", "large"],
)
def test_a_broken_file_is_one_line(content: bytes, said: str) -> None:
    write_keys("").write_bytes(content)
    keymap = read_keymap()
    assert keymap.keys == {}
    assert [said in line and "\n" not in line for line in keymap.wrong] == [True]


def test_a_pipe_is_not_waited_for() -> None:
    path = write_keys("")
    path.unlink()
    os.mkfifo(path)
    assert "is no plain file" in read_keymap().wrong[0] or "cannot read" in read_keymap().wrong[0]


async def test_moved_keys_work_on_every_page_and_are_what_footer_and_help_show(tmp_path: Path) -> None:
    make_run(tmp_path, "one", status_of(), rows=20)
    write_keys(
        'run.new = "f"\nrun.fork = "n"\n"run.metrics" = "J"\nmetrics.smooth = "H"\nrun.what = "q"\n'
        'app.palette = "ctrl+o"'
    )
    app = Workbench(tmp_path, watch=False, keymap=read_keymap())
    async with app.run_test(size=(120, 34), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("f new", "n fork", "^o palette", "keys.toml: no key is called run.what")
        await driver.opens(LaunchForm, "f")
        await driver.closes("escape")
        await driver.press("J")
        await driver.until(lambda: isinstance(app.screen, MetricsScreen))
        await driver.shows("raw")
        await driver.press("m")  # nothing any more
        await driver.press("H")
        await driver.shows("smoothed")
        await driver.closes("escape")
        await driver.press("question_mark")
        await driver.until(lambda: any("f  start a new run" in str(part.content) for part in app.screen.query(Static)))
        await driver.closes("escape")
        await driver.press("ctrl+o")
        await driver.shows("Search for commands")


def test_keys_are_printed_without_a_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "--keys"],
        env={**os.environ, "TERM": "dumb", "PYTHONPATH": str(Path(workbench.__path__[0]).parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert read_config(write_keys(done.stdout))["app"] == {
        "quit2": "ctrl+q",
        "palette": "ctrl+p",
        "help": "question_mark",
        "quit": "q",
        "tour": "T",
    }
    assert "\x1b" not in done.stdout
