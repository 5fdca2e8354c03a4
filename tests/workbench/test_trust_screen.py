"""The trust screen: what was measured of a run's model, what is not yet, and the theorem apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driving import Driver
from fake_run import add_event, make_run, put_status, status_of
from family import put_config
from trusted_run import make_early_run, make_trusted_run, trust_metrics

from workbench.app import Workbench
from workbench.charts.trust import TRUST_CHARTS
from workbench.screens.help_screen import HelpScreen
from workbench.screens.trust_screen import TrustScreen
from workbench.widgets.chart import Chart

SIZES = [(60, 18), (80, 24), (160, 45), (200, 60)]
FRAME = str.maketrans("│▌╏▁▂▃▄▅▆▇█", " " * 11)


def named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def words_of(driver: Driver) -> str:
    """Return what stands on screen as one line, without the frame."""
    return " ".join(driver.text().translate(FRAME).split())


@pytest.mark.parametrize("size", SIZES, ids=named)
async def test_sentences_above_charts(tmp_path: Path, size: tuple[int, int]) -> None:
    make_trusted_run(tmp_path, "hopper-7")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.screen(f"trust-{named(size)}")
        await driver.closes("escape")


@pytest.mark.parametrize("size", [(60, 18), (70, 20), (97, 31), (120, 34), (200, 60)], ids=named)
@pytest.mark.parametrize("saturated", [False, True])
async def test_no_word_is_cut(tmp_path: Path, size: tuple[int, int], saturated: bool) -> None:
    make_trusted_run(tmp_path, "a", **({"bound/eps_m_new": 1.0} if saturated else {}))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        why = "cannot be told, at this resolution the model's error is all there can be;" if saturated else "15 to 25."
        for sentence in (
            "Measured on 1000 real rows before a refit trained on them",
            "Left alone for 24 steps, the model errs less than a guess by the mean change; rollouts of length 5.1",
            "Its 90 % intervals hold 89% of what happens, 80% of the obs dim 1: they are honest.",
            "The theorem: ",
            why,
        ):
            await driver.until(lambda sentence=sentence: sentence in words_of(driver).replace("1,000", "1000"))
        page = app.screen.focused
        assert page is not None
        page.scroll_end(animate=False)
        await driver.shows(" critics ", "bias −", "p promised", "env steps")


async def test_the_theorem_stands_apart_from_what_was_measured(tmp_path: Path) -> None:
    make_trusted_run(tmp_path, "a")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.shows("▌ The critics promise", "╏ The theorem: its bound is smallest at k* = 15 to 25.")
        lines = driver.text().splitlines()
        measured = max(index for index, line in enumerate(lines) if "▌" in line)
        assert measured < min(index for index, line in enumerate(lines) if "╏" in line)


SECOND_REFIT = "The model: it is measured from its second refit on, at env step 450."
EVALUATION = "The critics: they are held to what comes from the first evaluation on, at env step 500."


@pytest.mark.parametrize(
    ("config", "said", "charts"),
    [
        ({}, [SECOND_REFIT, EVALUATION, "The theorem: nothing yet; ε_m' comes with the second refit."], 4),
        ({"algo": "sac"}, ["A sac run has no model: there are only its critics to trust.", EVALUATION], 1),
        ({"algo": "pets"}, [SECOND_REFIT, "A pets run has no critics.", "it is about a policy, and a pets run"], 3),
    ],
)
async def test_it_says_what_is_not_measured_yet_and_when_it_comes(
    tmp_path: Path, config: dict[str, str], said: list[str], charts: int
) -> None:
    make_early_run(tmp_path, "a", **config)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        screen = await driver.opens(TrustScreen, "t")
        await driver.shows(*said)
        panels = [screen.query_one(f"#trust-panel-{chart.name}") for chart in TRUST_CHARTS]
        await driver.until(lambda: sum(bool(panel.display) for panel in panels) == charts)
        assert ("The theorem" in driver.text()) is (config.get("algo") != "sac")


async def test_an_ended_run_is_promised_nothing(tmp_path: Path) -> None:
    make_early_run(tmp_path, "a", "finished")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.shows(
            "from its second refit on; this run ended", "from the first evaluation on; this run ended before."
        )


async def test_a_second_refit_put_off_by_hand_is_awaited_where_it_comes(tmp_path: Path) -> None:
    path = make_early_run(tmp_path, "a")
    put_status(path, status_of(env_steps=300, controls={"rollout_length": 3, "model_train_freq": 1000}))
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.shows("from its second refit on, at env step 1,200.")


@pytest.mark.parametrize("algo", ["mbpo", "sac", "pets"])
async def test_a_run_of_an_older_version_has_no_such_metrics(tmp_path: Path, algo: str) -> None:
    path = make_run(tmp_path, "a", status_of("finished"), rows=60)
    put_config(path, algo=algo)
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.shows("An older version logged this run so far", "not measured by the version that logged it")
        await driver.hides("second refit")
        if algo == "mbpo":
            await driver.shows("k* = 20 by the rows since the last refit alone", "s k* 20")


async def test_what_a_refit_adds_is_shown_at_once_and_nothing_is_drawn_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str | None] = []
    show = Chart.show
    monkeypatch.setattr(Chart, "show", lambda self, picture: (shown.append(self.id), show(self, picture)))
    path = make_trusted_run(tmp_path, "a")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.shows("t trusted 24", "@ 1,240")
        await driver.look()
        shown.clear()
        for _ in range(3):
            put_status(path, status_of(steps_per_s=39.0))  # with another heartbeat
            await driver.look()
        assert not [name for name in shown if name and name.startswith("trust-")]
        new = trust_metrics(1.0, **{"trust/horizon_steps": 31.0})
        with (path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"seq": 61, "attempt": 1, "env_steps": 1300, "time_s": 1, **new}) + "\n")
        put_status(path, status_of(env_steps=1300))
        await driver.look()
        await driver.shows("t trusted 31", "@ 1,300", "Left alone for 31 steps", "refit @ 1,300")
        add_event(path, event="checkpoint", env_steps=1300)
        shown.clear()
        await driver.look()
        await driver.closes("t")
        shown.clear()
        put_status(path, status_of(env_steps=1350))
        await driver.look()
        await driver.until(lambda: shown)  # news is drawn once a second
        assert not [name for name in shown if name and name.startswith("trust-")]


async def test_a_horizon_as_long_as_was_followed_is_at_least_that(tmp_path: Path) -> None:
    make_trusted_run(tmp_path, "a", **{"trust/horizon_steps": 50.0, "rollout/stopped_share": 0.43})
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.opens(TrustScreen, "t")
        await driver.shows("t trusted 50+", "for 50 steps or more", "its rule stopped 43%")


async def test_key_palette_and_help_lead_to_it_and_explain_it(tmp_path: Path) -> None:
    make_trusted_run(tmp_path, "a")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 150)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.shows("t trust")
        await driver.command("trust", "trust in the model of a")
        await driver.until(lambda: isinstance(app.screen, TrustScreen))
        await driver.opens(HelpScreen, "question_mark")
        await driver.shows("How far to trust the model", "trust/horizon_steps", "trust/coverage_90")
        await driver.press("escape")
        await driver.until(lambda: isinstance(app.screen, TrustScreen))
        await driver.closes("q")
        await driver.opens(HelpScreen, "question_mark")
        await driver.shows("t  how far to trust the model")


async def test_without_a_run_it_says_what_to_do(tmp_path: Path) -> None:
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        await driver.press("t")
        await driver.shows("No run is selected: press n to start one.")
        assert app.screen is driver.bench


async def test_whatever_is_in_the_file_is_drawn_or_left_out(tmp_path: Path) -> None:
    wild = {"bound/k_star_low": 1e308, "bound/k_star_high": -1e308, "trust/error_5": -1e300, "trust/coverage_50": 1e300}
    path = make_trusted_run(tmp_path, "a", **wild, **{"rollout/length_p90": -1e308, "trust/rows": None})
    lonely = {
        "bound/eps_m_new": 0.5,
        "bound/c_over_gap": 2.0,
        "trust/rows": 1.0,
        "trust/coverage_90_worst_target": 1e300,
    }
    other = make_run(tmp_path, "b", status_of(started=1.0))
    (other / "metrics.jsonl").write_text(json.dumps({"seq": 1, "attempt": 1, "env_steps": 5, **lonely}) + "\n")
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(160, 45)) as pilot:
        driver = Driver(app, pilot)
        for run in (path, other):
            app.select(run)
            await driver.look()
            await driver.opens(TrustScreen, "t")
            await driver.shows("The theorem: ")
            await driver.closes("escape")
