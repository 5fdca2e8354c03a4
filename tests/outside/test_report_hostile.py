"""Whatever stands in a run, a report shows it and never acts on it: no text becomes an element, attribute or script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from asked_run import put_answer
from fake_run import make_run, status_of
from hostile import PIECES, hostile
from learners import Outcome
from other_ends import needs
from page_parts import Parts, parts_of
from test_report_several import made

from mbpo.outside.report.chart import Chart, Line, Mark
from mbpo.outside.report.page import Lines, Page, Section, Table, html
from mbpo.outside.report.safe import readable
from mbpo.report import main
from mbpo.runs.records.what_if import ArmAnswer
from mbpo.settings.config import resolve

MANY = 20_000


def page_of(texts: Iterator[str]) -> Page:
    """Return a page with 20,000 texts, in every place that takes one."""

    def chart(number: int) -> Chart:
        x = np.arange(3.0)
        lines = [Line(next(texts), next(texts), x, x, letter=next(texts)) for _ in range(25)]
        marks = [Mark(float(n), n, next(texts)) for n in range(400)]
        return Chart(f"c{number}", next(texts), next(texts), next(texts), lines, next(texts), marks, {next(texts): 1.0})

    charts = [chart(number) for number in range(2)]
    table = Table([next(texts) for _ in range(10)], [[next(texts) for _ in range(10)] for _ in range(1000)])
    lines = Lines([next(texts) for _ in range(4000)])
    sections = [Section(next(texts), [next(texts) for _ in range(100)], [*charts, table], folded=True)]
    sections.append(Section(next(texts), blocks=[lines]))
    facts = [(next(texts), next(texts)) for _ in range(1000)]
    return Page(next(texts), facts, sections, list(texts))


def shape(parts: Parts) -> list[tuple[str, list[str]]]:
    """Return the elements and their attributes' names, without the hashes of scripts."""
    return [(tag, sorted(attributes)) for tag, attributes in parts.elements]


def test_twenty_thousand_texts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    needs("bokeh")
    texts = list(hostile(MANY))
    assert len({*texts}) > MANY / 2
    page = page_of(iter(texts))
    found, harmless = Parts(), Parts()
    found.feed(html(page))
    harmless.feed(html(page_of(iter(f"text {number}" for number in range(MANY)))))
    assert shape(found) == shape(harmless)
    assert found.comments == [] and found.inside == []
    assert found.scripts[1:] == harmless.scripts[1:]
    shown = "".join(found.texts)
    cells = [cell for row in page.sections[0].blocks[-1].rows for cell in row]
    for text in [*cells, *page.sections[1].blocks[0].lines, *page.notes, page.title]:
        assert readable(text) in shown, text
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "srcdoc", "style")]
    data = found.scripts[0]
    assert "<" not in data and ">" not in data and "&" not in data
    told = json.dumps(json.loads(data), ensure_ascii=False)
    assert "<script>window.hacked=1" in told  # it is there, as data


def test_readable_leaves_nothing_that_is_no_sign() -> None:
    for text in hostile(2000):
        shown = readable(text)
        assert all(c.isprintable() or c == "\n" for c in shown)
        assert shown.encode()
    assert readable("a\x00\u202e\ud800b\nc") == "a\\x00\\u202e\\ud800b\nc"


@pytest.fixture
def hostile_run(tmp_path: Path) -> Path:
    """Return a run all of whose texts are hostile, as far as a file or a setting takes them."""
    texts = hostile(4000)
    name = "".join(c for c in "<script>window.hacked=1</script>" if c != "/") + "\u202e'\"&"
    run = make_run(tmp_path / "ru<b>ns", name, status_of("failed", reason=next(texts), env_id=next(texts)), rows=62)
    values = {"env_id": "<img src=x onerror=alert(1)>:\"Name'-v0", "wrappers": ['m:W(key="</script>")']}
    config = resolve({"seed": 3, **values, "env_kwargs": {"key": "<script>window.hacked=1</script>"}}, "pendulum")
    (run / "config.toml").write_text(tomli_w.dumps(config.to_dict()))
    about = {"title": PIECES[0] + PIECES[2], "note": "\n".join(PIECES), "tags": ["</script>", "ok"]}
    (run / "about.json").write_text(json.dumps(about))
    changes = [
        {"event": "control", "status": "applied", "id": f"{n}", "at_env_steps": 5 * n, "by": next(texts)}
        | {"old": {next(texts): next(texts)}, "new": {next(texts): next(texts)}, "revision": n}
        for n in range(150)
    ]
    warnings = [{"event": "warning", "text": next(texts), next(texts): {next(texts): next(texts)}} for _ in range(90)]
    (run / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in [*changes, *warnings]))
    (run / "log.txt").write_text("\n".join(hostile(200)).encode("utf-8", "replace").decode())
    lineage = {
        "parent": PIECES[0],
        "parent_dir": "/no/where",
        "fork_env_steps": 1,
        "fork_changes": {PIECES[2]: PIECES[1]},
    }
    machine = {next(texts): next(texts) for _ in range(50)}
    manifest = {**lineage, "machine": machine, "versions": {next(texts): next(texts)}, "git_commit": next(texts)}
    (run / "manifest.json").write_text(json.dumps(manifest))
    arms = [ArmAnswer(arm=PIECES[n], changes={}) for n in range(5)]
    put_answer(run, verdict=PIECES[1], arms=arms, notes=list(PIECES[:5]), metric=PIECES[3])
    return run


def test_a_run_of_hostile_texts_is_reported(hostile_run: Path, tmp_path: Path, call: Callable[..., Outcome]) -> None:
    needs("bokeh")
    file = tmp_path / "x.html"
    outcome = call(main, hostile_run, "-o", file, "--charts", tmp_path / "figures")
    assert (outcome.code, outcome.err) == (0, "")
    parts = parts_of(file)
    _harmless(parts)
    assert PIECES[0] + PIECES[2] in parts.text
    for svg in (tmp_path / "figures").glob("*.svg"):
        assert "<script" not in svg.read_text() and "onerror" not in svg.read_text()


def test_a_comparison_of_hostile_texts_is_reported(tmp_path: Path, call: Callable[..., Outcome]) -> None:
    needs("bokeh")
    texts = hostile(2000)
    for number in range(6):
        run = made(tmp_path / "all", f"<i>{number}\"'&", seed=number // 2, env_kwargs={"key": f"</script>{number % 2}"})
        status = replace_status(run, reason=next(texts), parent=f"{next(texts)}@5" if number == 5 else "")
        (run / "status.json").write_text(json.dumps(status))
        (run / "about.json").write_text(json.dumps({"title": next(texts), "tags": [next(texts)], "note": next(texts)}))
        manifest = {"versions": {next(texts): next(texts)}, "machine": {next(texts): next(texts)}}
        (run / "manifest.json").write_text(json.dumps({**manifest, "git_commit": next(texts)}))
    file = tmp_path / "x.html"
    assert call(main, tmp_path / "all", "-o", file).code == 0
    parts = parts_of(file)
    _harmless(parts)
    assert "</script>1" in parts.text


def replace_status(run: Path, **changes: object) -> dict[str, object]:
    """Return what a status says, with other texts."""
    return {**json.loads((run / "status.json").read_text()), **changes}


def _harmless(parts: Parts) -> None:
    """Check that a page has only the elements of the template."""
    known = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "h1",
        "h2",
        "h3",
        "dl",
        "dt",
        "dd",
        "div",
    }
    known |= {"noscript", "p", "code", "section", "figure", "figcaption", "button", "span", "b", "details", "summary"}
    known |= {"table", "thead", "tbody", "tr", "th", "td", "pre", "footer", "script"}
    assert {*parts.tags} <= known
    assert len(parts.scripts) == 3
    for _, attributes in parts.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "style")]
