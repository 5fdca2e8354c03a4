"""Ask "what if?" from the app, with a stand-in for the command, and once with the command itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from asked_run import FORKS, TOLD, put_answer, put_asked, put_fork
from driving import LIMIT_S, Driver
from fake_run import add_checkpoint, make_run, status_of
from family import put_config, put_rows
from learners import DEBUG, PATIENCE_S
from textual.widgets import Input, Static
from trusted_run import make_trusted_run

from mbpo import train
from mbpo.runs.status import RunStatus, this_process
from workbench.app import Workbench
from workbench.asker import Asker
from workbench.screens.help_screen import HelpScreen
from workbench.screens.trust_screen import TrustScreen
from workbench.screens.what_if_form import WhatIfForm

SIZES = [(60, 18), (140, 45)]
FRAME = str.maketrans("│▌╏▁▂▃▄▅▆▇█", " " * 11)
GONE = {**this_process(), "pid": 0}
STAND_IN = """\
import json, os, pathlib, sys, time
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.status import this_process
run, step = sys.argv[1].rsplit("@", 1)
folder = pathlib.Path(run).parent / ".what-if" / f"{pathlib.Path(run).name}@{step}"
asked = {"step": int(step), "steps": 9, "forks": ["a", "b"], "process": this_process()}
write_json(folder / "asked.json", asked)
write_json(folder / "args", [os.getsid(0) == os.getpid(), *sys.argv[1:]])
for _ in range(1200):
    if (folder / "end").exists():
        break
    time.sleep(0.05)
else:
    sys.exit(1)
(folder / "asked.json").unlink()
write_json(folder / "what_if.json", {"step": int(step), "verdict": "no difference: every arm did the same"})
"""
REFUSES = "import sys; print('error: another [/x] what-if is at work', file=sys.stderr); sys.exit(7)"


def named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def words_of(driver: Driver) -> str:
    """Return what stands on screen as one line, without the frame."""
    return " ".join(driver.text().translate(FRAME).split())


def workbench(root: Path, code: str = STAND_IN, **changes: Any) -> Workbench:
    return Workbench(root, watch=False, asker=Asker((sys.executable, "-c", code)), **changes)


def a_run(root: Path, **status: Any) -> Path:
    path = make_run(root, "base", status_of("finished", **status), rows=60)
    put_config(path, total_steps=4000, threads=2)
    add_checkpoint(path, 1000, rollout_length=5)
    add_checkpoint(path, 1200)
    return path


def field(app: Workbench, name: str) -> str:
    return app.screen.query_one(f"#ask-{name}", Input).value


def said(app: Workbench) -> str:
    """Return what stands below the form's fields."""
    return str(app.screen.query_one("#command", Static).content)


async def end_stand_ins(driver: Driver, folder: Path) -> None:
    """End the stand-ins that answer what is asked in ``folder``; the form is gone before the app holds them."""
    await driver.until(lambda: driver.app.asker.begun)
    (folder / "end").write_text("")
    for asking in driver.app.asker.begun:
        asking.process.wait(timeout=LIMIT_S)


# The form


@pytest.mark.parametrize("size", SIZES, ids=named)
async def test_the_form_fits_and_says_what_it_costs(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the command shown is relative to it
    monkeypatch.setattr("workbench.screens.what_if_form.cores", lambda: 4)
    a_run(tmp_path)
    app = workbench(tmp_path)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        form = await driver.opens(WhatIfForm, "w")
        await driver.until(lambda: form.focused is form.query_one("#ask-sets"))
        await driver.screen(f"what-if-{named(size)}")


@pytest.mark.parametrize(
    ("k", "logged", "suggested"),
    [
        (3, None, "1,9"),
        (1, None, "3,5"),
        (0, None, "1,3,5"),
        (100, None, "1"),
        ("auto", 5.0, "1,5,15"),
        ("auto", None, "1,3,5"),
        ("auto", 1e9, "1,3,5"),
    ],
)
async def test_it_begins_with_a_few_k_at_the_newest_checkpoint(
    tmp_path: Path, k: Any, logged: float | None, suggested: str
) -> None:
    path = a_run(tmp_path)
    add_checkpoint(path, 1220, rollout_length=k)
    put_rows(path, [{"seq": 1, "attempt": 1, "env_steps": 1240, "rollout/length": logged}])
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        values = [field(app, name) for name in ("sets", "step", "steps", "repeats")]
        assert values == [f"rollout_length={suggested}", "1220", "2000", "4"]


async def test_a_mistake_is_the_commands_own_line(tmp_path: Path) -> None:
    a_run(tmp_path)
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        form = await driver.opens(WhatIfForm, "w")
        for name, wrong, words in (
            ("sets", "rolout_length=3", "unknown setting rolout_length; did you mean rollout_length? (from --set)"),
            ("sets", "rollout_length=1,x", 'rollout_length must be a whole number in [0, 1000] or be "auto", got x'),
            ("sets", "seed=1", "--set cannot change seed, which all forks have alike; give --repeats"),
            ("sets", "rollout_length=3", "nothing to compare: rollout_length=3 is in force already: that is as it is"),
            ("sets", "", "nothing to compare: give --set NAME=VALUE,VALUE"),
            ("sets", "wrappers='a", "--set has a quote that is not closed"),
            ("steps", "0", "--steps must be a whole number in [1, 1000000000], got 0"),
            ("repeats", "[/x]", "--repeats must be a whole number in [1, 100], got [/x]"),
            ("step", "1241", "step must be a whole number from 0 to 1,240, got"),
        ):
            await driver.fill("#ask-sets", "rollout_length=1,9")
            before = field(app, name)
            await driver.fill(f"#ask-{name}", wrong)
            await driver.until(lambda words=words: words in said(app))  # type: ignore[misc]
            await driver.press("enter")
            assert app.screen is form
            await driver.fill(f"#ask-{name}", before)
        await driver.fill("#ask-sets", "rollout_length=1,9 'env_kwargs=g=1; m=2' updates_per_step=3")
        await driver.shows("5 arms × 4 = 20 forks")
        assert "--set 'env_kwargs=g=1; m=2'" in said(app)
        await driver.closes("escape")
    assert not (tmp_path / ".what-if").exists()


async def test_forks_that_would_end_in_warm_up_are_refused(tmp_path: Path) -> None:
    path = a_run(tmp_path)
    put_config(path, warmup_steps=3000)
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        await driver.fill("#ask-steps", "100")
        await driver.until(lambda: "within warmup_steps 3,000 in which nothing is learned" in said(app))


async def test_a_sac_run_has_no_k_to_try(tmp_path: Path) -> None:
    put_config(a_run(tmp_path), algo="sac")
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        await driver.shows("nothing to compare: give --set NAME=VALUE,VALUE", "updates_per_step=10,40")


# The command


async def test_the_command_outlives_the_app_and_its_answer_is_told(tmp_path: Path) -> None:
    a_run(tmp_path)
    folder = tmp_path / ".what-if" / "base@1000"
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        await driver.fill("#ask-step", "1,000")
        await driver.fill("#ask-sets", "rollout_length=1,9 real_ratio=0.5")
        sets = "--set rollout_length=1,9 --set real_ratio=0.5"
        await driver.fill("#ask-repeats", "2")
        await driver.press("enter")
        await driver.until(lambda: app.screen is driver.bench)
        await driver.shows("Asking what if of base@1000.")
        await driver.until(lambda: (folder / "args").exists())
        own_session, *given = json.loads((folder / "args").read_text())
        assert own_session
        assert given == [f"{tmp_path}/base@1000", *f"{sets} --steps 2000 --repeats 2".split()]
        await driver.look()
        await driver.shows("what if 0/2")
        (output,) = folder.glob("output-*.txt")
        assert output.stat().st_mode & 0o777 == 0o600
        (folder / "end").write_text("")
        await driver.shows("The what-if of base@1000 is answered: t shows it.")


async def test_what_the_command_refuses_stands_in_the_form(tmp_path: Path) -> None:
    a_run(tmp_path)
    app = workbench(tmp_path, REFUSES)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        form = await driver.opens(WhatIfForm, "w")
        await driver.press("enter")
        await driver.shows("another [/x] what-if is at work")
        assert app.screen is form
        await driver.closes("escape")
    assert not (tmp_path / ".what-if").exists()


async def test_escape_while_it_starts_ends_it(tmp_path: Path) -> None:
    a_run(tmp_path)
    app = workbench(tmp_path, "import time; time.sleep(60)")
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        await driver.press("enter")
        await driver.shows("starting…")
        await driver.closes("escape")
    assert not (tmp_path / ".what-if").exists()


async def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    a_run(tmp_path)
    (tmp_path / ".what-if").write_text("")
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        await driver.press("enter")
        await driver.until(lambda: "cannot start a what-if in " in said(app))


async def test_one_that_fails_later_is_quoted(tmp_path: Path) -> None:
    path = a_run(tmp_path)
    fails = "print('error: no [/such] checkpoint', flush=True)\nsys.exit(6)\n"
    app = workbench(tmp_path, STAND_IN.split("else:")[0] + fails)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        await driver.press("enter")
        await driver.until(lambda: app.screen is driver.bench)
        (tmp_path / ".what-if" / "base@1200" / "end").write_text("")
        await driver.shows(f"The what-if of {path.name}@1200 ended early: no [/such]")


@pytest.mark.parametrize(("readonly", "said"), [(False, "No run is selected"), (True, "Read-only")])
async def test_readonly_or_without_a_run_nothing_is_asked(tmp_path: Path, readonly: bool, said: str) -> None:
    app = workbench(tmp_path, readonly=readonly)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.press("w")
        await driver.shows(said)
        if readonly:
            a_run(tmp_path)
            await driver.look()
            await driver.press("w")
        assert len(app.screen_stack) == 1


@pytest.fixture
def debug_run(tmp_path: Path) -> Path:
    """Return a finished run of a real learner, with checkpoints."""
    flags = ("--total-steps", "220", "--eval-every", "55", "--checkpoint-every", "110", "--log-every", "10")
    assert train.main([*DEBUG, *flags, "--runs-root", str(tmp_path), "--run-id", "R"]) == 0
    return tmp_path / "R"


async def test_the_command_itself_from_key_to_verdict(debug_run: Path) -> None:
    app = Workbench(debug_run.parent, watch=False)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(WhatIfForm, "w")
        await driver.fill("#ask-step", "110")
        await driver.fill("#ask-sets", "rollout_length=5")
        await driver.fill("#ask-steps", "20")
        await driver.fill("#ask-repeats", "1")
        await driver.shows("2 arms × 1 = 2 forks")
        await driver.press("enter")
        await driver.until(lambda: app.screen is driver.bench)
        await driver.look()
        await driver.until(lambda: any(f"what if {done}/2" in driver.text() for done in range(3)))
        (asking,) = app.asker.begun
        assert asking.process.wait(timeout=PATIENCE_S) == 0, asking.output.read_text()
        await driver.shows("The what-if of R@110 is answered: t shows it.")
        await driver.look()
        await driver.hides("what if 0/2", "what if 1/2", "what if 2/2")
        await driver.opens(TrustScreen, "t")
        answer = json.loads((debug_run.parent / ".what-if" / "R@110" / "what_if.json").read_text())
        assert answer["arms"][1]["forks"][0]["state"] == "finished"
        told = f"What if, from 110 on for 20 steps: {answer['verdict']}. All of it is in .what-if/R@110."
        await driver.until(lambda: told in words_of(driver))


# What is shown of it


@pytest.mark.parametrize("size", SIZES, ids=named)
async def test_how_far_it_is_and_what_was_found_stand_beside_k_star(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_trusted_run(tmp_path, "a")
    os.utime(put_answer(path, 600) / "what_if.json", (9, 9))
    put_answer(path, 800)
    folder = put_asked(path)
    put_fork(folder / FORKS[5], RunStatus(state="running", env_steps=1200, **this_process()))
    app = workbench(tmp_path)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        if size[0] > 60:
            await driver.shows("what if 5/12")
        page = await driver.opens(TrustScreen, "t")
        await driver.screen(f"trust-what-if-{named(size)}")
        page.focused.scroll_to(y=8, animate=False)  # type: ignore[union-attr]
        await driver.until(lambda: f"On the way there: {TOLD}." in words_of(driver))
        await driver.opens(WhatIfForm, "w")
        await driver.press("escape")
        await driver.until(lambda: app.screen is page)
        await driver.closes("escape")
        await driver.press("2")
        if size[0] > 100:
            await driver.until(lambda: f"What if, from 800 on for 400 steps: on the way {TOLD}." in words_of(driver))


async def test_one_that_was_cut_off_goes_on_with_the_same_command(tmp_path: Path) -> None:
    path = a_run(tmp_path)
    sets = ["rollout_length=1,9", "env_kwargs=g=1; m=2"]
    folder = put_asked(path, process=GONE, eval_every=80, threads_given=1, sets=sets)
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("what if cut off at 5/12")
        page = await driver.opens(TrustScreen, "t")
        told = "The what-if from 1,000 on was cut off: 5 of 12 forks are finished. w, and then enter, goes on with it."
        await driver.until(lambda: told in words_of(driver))
        await driver.opens(WhatIfForm, "w")
        await driver.shows("what if? go on")
        assert field(app, "sets") == "rollout_length=1,9 'env_kwargs=g=1; m=2'"
        await driver.press("enter")
        await driver.until(lambda: app.screen is page)
        await driver.until(lambda: (folder / "args").exists())
        _, _, *given = json.loads((folder / "args").read_text())
        length = ["--steps", "400", "--repeats", "4", "--eval-every", "80", "--threads", "1"]
        assert given == ["--set", sets[0], "--set", sets[1], *length]
        await end_stand_ins(driver, folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "What if: a@800/what_if.json cannot be read."),
        ('{"schema": 9}', "must have schema 1 at most, got 9: use the mbpo that wrote it"),
        ('{"verdict": "[/x]\\u001b[31m", "notes": [3], "step": -1}', "What if, from 0 on: [/x]�[31m."),
    ],
)
async def test_whatever_is_in_the_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = make_trusted_run(tmp_path, "a")
    (put_answer(path, 800) / "what_if.json").write_text(text)
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.until(lambda: words.replace(" ", "") in words_of(driver).replace(" ", ""))
        await driver.shows("The theorem: ")


async def test_palette_and_help_have_it(tmp_path: Path) -> None:
    a_run(tmp_path)
    app = workbench(tmp_path)
    async with app.run_test(size=(140, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("w what if")
        await driver.command("what if", "what if on base")
        await driver.until(lambda: isinstance(app.screen, WhatIfForm))
        await driver.closes("escape")
        await driver.opens(HelpScreen, "question_mark")
        await driver.shows("w  what if: forks with other settings, compared")
