"""A theme is chosen on the command line, in a file or in the palette, and remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import Driver

from mbpo.errors import ConfigError
from workbench.app import Workbench
from workbench.preferences import settings_folder


def write_settings(text: str) -> Path:
    path = settings_folder() / "settings.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("content", "flag", "theme", "said"),
    [
        (None, "", "night", ""),
        (None, "day", "day", ""),
        ('theme = "nord"', "", "nord", ""),
        ('theme = "nord"', "day", "day", ""),
        ('theme = "nigth"', "", "night", "settings.toml: no theme is called nigth; night is close"),
        ("theme = 3", "", "night", "settings.toml: no theme is called 3; there are ansi-dark"),
        ('color = "red"', "", "night", "settings.toml: no setting is called color; there is theme"),
        ("theme = night", "", "night", "is not TOML"),
    ],
)
def test_the_flag_goes_before_the_file(content: str | None, flag: str, theme: str, said: str, tmp_path: Path) -> None:
    if content is not None:
        write_settings(content)
    app = Workbench(tmp_path, watch=False, theme=flag)
    assert app.theme == theme
    assert len(app.wrong) == bool(said)
    assert said in "".join(app.wrong)


def test_a_theme_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no theme is called dya; day is close"):
        Workbench(tmp_path, watch=False, theme="dya")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, 'theme = "dracula"\n'),
        ('# mine\ntheme = "day"  # at noon\n', '# mine\ntheme = "dracula"\n'),
        ("# mine\n", 'theme = "dracula"\n# mine\n'),
    ],
)
async def test_what_is_chosen_in_the_palette_is_remembered(before: str | None, after: str, tmp_path: Path) -> None:
    path = write_settings(before or "")
    if before is None:
        path.unlink()
        path.parent.rmdir()
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(100, 30)) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        assert path.exists() is (before is not None)  # nothing is written unasked
        if before is None:
            await driver.press("ctrl+p", *"change theme", "enter")
            await driver.shows("Search for themes")
            await driver.press(*"dracula")
            await driver.shows("dracula")
            await driver.press("down", "enter")
        else:
            app.theme = "dracula"
        await driver.until(lambda: app.theme == "dracula" and path.exists() and path.read_text() == after)
    assert Workbench(tmp_path, watch=False).theme == "dracula"


async def test_a_theme_that_cannot_be_kept_is_said_and_shown_all_the_same(tmp_path: Path) -> None:
    path = write_settings("theme = night")  # which a person is still writing
    app = Workbench(tmp_path, watch=False)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.look()
        app.theme = "nord"
        await driver.shows("is not TOML")
        assert path.read_text() == "theme = night"
