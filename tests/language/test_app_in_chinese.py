"""The app speaks as its locale says; what it prints stays English."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from driving import Driver
from fake_run import make_run, status_of
from messages import LOCALE
from terminal_screen import TerminalScreen
from textual.command import CommandInput, CommandPalette

from mbpo.settings import language as speech
from mbpo.settings.language import tr, tr_n
from workbench.app import Workbench, print_keys
from workbench.command_line import options_or_exit
from workbench.screens.keymap import Keymap

ROOT = Path(__file__).resolve().parents[2]


def test_a_chinese_locale_brings_chinese_and_another_does_not(tmp_path: Path) -> None:
    terminals = {"zh_CN.UTF-8": TerminalScreen(80), "C": TerminalScreen(80)}
    apps = [_started(tmp_path, language, terminal) for language, terminal in terminals.items()]
    try:
        terminals["zh_CN.UTF-8"].until(lambda text: "这里还没有运行。" in terminals["zh_CN.UTF-8"].raw)
        terminals["C"].until(lambda text: "No runs here yet." in terminals["C"].raw)
        assert "No runs" not in terminals["zh_CN.UTF-8"].raw
        assert "运行" not in terminals["C"].raw
    finally:
        for app in apps:
            app.kill()
            app.wait()
        for terminal in terminals.values():
            terminal.close()


def _started(root: Path, language: str, terminal: TerminalScreen) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if name != "LANGUAGE" and not name.startswith("LC_")}
    own = {"LANG": language, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "HOME": str(root)}
    command = [sys.executable, "-m", "workbench", "--runs-root", str(root / "runs")]
    ends = {"stdin": terminal.file, "stdout": terminal.file, "stderr": terminal.file}
    return subprocess.Popen(command, cwd=root, env={**kept, **own}, **ends)


async def test_the_palette_finds_commands_in_both_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "one", status_of("finished"))
    monkeypatch.setattr(speech, "_catalogue", [])
    speech.choose(LOCALE, "zh")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(120, 34)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        for query in ("trash", "回收站"):
            palette = await driver.opens(CommandPalette, "ctrl+p")
            palette.query_one(CommandInput).value = query
            await driver.shows("回收站")
            await driver.closes("escape")
        with speech.english():
            assert tr("trash") == "trash" and tr_n("{n} group", "{n} groups", 2) == "2 groups"
        assert tr("trash") == "回收站"


def test_the_file_of_keys_is_english_in_every_language(capsys: pytest.CaptureFixture[str]) -> None:
    options = options_or_exit(["--keys", "--language", "zh"])
    assert options.language == "zh" and tr("help") == "help"
    print_keys(Keymap())
    assert "# start a new run\n" in capsys.readouterr().out
