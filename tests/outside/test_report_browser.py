"""A report in a real Chromium: it is drawn, asks for nothing, fits a phone, prints, and its legends switch lines."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import Tab, chromium
from hostile import PIECES
from learners import Outcome
from other_ends import browser, needs
from test_report_hostile import hostile_run  # noqa: F401  a fixture
from test_report_several import made

from mbpo.report import main

ELEMENTS = """
(() => {
  const found = []
  const walk = root => {
    for (const element of root.querySelectorAll("*")) {
      found.push(element.localName)
      if (element.shadowRoot) walk(element.shadowRoot)
    }
  }
  walk(document)
  return found
})()
"""
TOOLTIPS = """
(() => {
  const found = []
  const walk = (root, within) => {
    for (const element of root.querySelectorAll("*")) {
      const inside = within || element.classList.contains("bk-Tooltip")
      if (inside && element.localName !== "style") found.push(element.textContent)
      if (element.shadowRoot) walk(element.shadowRoot, inside)
    }
  }
  walk(document, false)
  return found.join("\\n")
})()
"""
LETTERS_INSIDE = """
Bokeh.documents[0].roots().map(plot => {
  const frame = Bokeh.index.find_one(plot).frame.bbox
  const ends = plot.renderers.filter(r => r.glyph?.type === "Text" && r.glyph.text_font_style.value === "bold")
  return ends.every(r => {
    const share = (r.data_source.data.x[0] - plot.x_range.start) / (plot.x_range.end - plot.x_range.start)
    return share * frame.width + 4 + 11 <= frame.width
  })
})
"""
BOX = "(r => [r.x, r.y + scrollY, r.width, r.height])(document.querySelector('.plot').getBoundingClientRect())"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    needs("bokeh")
    browser()
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
def page(tmp_path: Path, call: Callable[..., Outcome]) -> Path:
    """Return a comparison of two groups."""
    for seed in range(3):
        made(tmp_path / "duel", f"few-{seed}", seed=seed, real_ratio=0.1)
        made(tmp_path / "duel", f"many-{seed}", seed=seed, real_ratio=0.5, better=100.0)
    assert call(main, tmp_path / "duel", "-o", tmp_path / "page.html").code == 0
    return tmp_path / "page.html"


def test_it_is_drawn_without_a_complaint_or_a_request(page: Path, tab: Tab) -> None:
    for scheme in ("light", "dark"):
        tab.open(page, scheme=scheme)
        charts = tab.value("document.querySelectorAll('.plot').length")
        assert charts >= 5
        assert tab.value("[...document.querySelectorAll('.plot')].every(p => p.children.length === 1)")
        ground = tab.value("Bokeh.documents[0].roots().map(plot => plot.border_fill_color)")
        assert {*ground} == {"#0d1117" if scheme == "dark" else "#fffffe"}
        assert tab.complaints == []
        assert [url for url in tab.requests if not url.startswith(("file://", "data:"))] == []
        assert len([url for url in tab.requests if url.startswith("file://")]) == 1


@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_is_wider_than_the_screen(width: int, page: Path, tab: Tab) -> None:
    tab.open(page, width=width)
    assert tab.value("document.documentElement.scrollWidth") <= width
    plots = tab.value("[...document.querySelectorAll('.plot')].map(p => p.getBoundingClientRect().width)")
    assert all(250 < wide <= width for wide in plots)


def test_letters_of_groups_stand_inside_the_frame_also_on_a_phone(page: Path, tab: Tab) -> None:
    for width in (400, 1000):
        tab.open(page, width=width)
        assert tab.value(LETTERS_INSIDE) == [True] * tab.value("Bokeh.documents[0].roots().length")


def test_the_mouse_says_numbers_with_the_sign_of_the_axes(page: Path, tab: Tab) -> None:
    tab.open(page)
    said = tab.value("Bokeh.require('core/util/templating').DEFAULT_FORMATTERS.printf(-1234.5, '%.5g', {})")
    assert said == "−1234.5"
    assert "-1" not in tab.value("[...document.querySelectorAll('td.number')].map(cell => cell.textContent).join(' ')")


def test_a_click_in_a_legend_switches_a_group_off_in_every_chart(page: Path, tab: Tab) -> None:
    tab.open(page)
    visible = "Bokeh.documents[0]; charts.keys['group:1'].map(id => Bokeh.documents[0].get_model_by_id(id).visible)"
    assert all(tab.value(visible))
    tab.value("document.querySelectorAll(\"button[data-key='group:1']\")[1].click()")
    assert not any(tab.value(visible))
    pressed = "[...document.querySelectorAll(\"button[data-key='group:1']\")].map(b => b.ariaPressed)"
    assert {*tab.value(pressed)} == {"false"}
    assert all(tab.value(visible.replace("group:1", "group:0")))
    tab.value("document.querySelectorAll(\"button[data-key='group:1']\")[0].click()")
    assert all(tab.value(visible))


def test_it_prints(page: Path, tab: Tab) -> None:
    tab.open(page)
    pdf = tab.pdf()
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", pdf)) < 15


@pytest.mark.usefixtures("hostile_run")
def test_hostile_texts_stay_texts_in_a_browser_too(
    hostile_run: Path,  # noqa: F811
    tmp_path: Path,
    tab: Tab,
    call: Callable[..., Outcome],
) -> None:
    file = tmp_path / "x.html"
    assert call(main, hostile_run, "-o", file).code == 0
    tab.open(file, width=400)
    assert tab.value("document.documentElement.scrollWidth") <= 400
    said = _hovered(tab)
    assert "change" in said and any(piece.strip() in said for piece in PIECES[:12])
    assert tab.value("typeof window.hacked") == "undefined"
    assert not {*tab.value(ELEMENTS)} & {"img", "iframe", "link", "a", "i"}
    assert [text for text in tab.complaints if "Content Security Policy" in text] == []
    assert [url for url in tab.requests if not url.startswith(("file://", "data:"))] == []


def _hovered(tab: Tab) -> str:
    """Return what the first chart says where the mouse finds a change by hand."""
    left, top, width, height = tab.value(BOX)
    tab.value(f"window.scrollTo(0, {top} - 100)")
    down = 100 + height / 2 - max(0, 100 - top)
    for along in range(20, int(width), 3):
        tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=left + along, y=down)
        time.sleep(0.05)
        said = str(tab.value(TOOLTIPS))
        if "window.hacked" in said:
            return said
    return ""
