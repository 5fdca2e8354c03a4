from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from figures import FULL, PROPERTY, Promise, promises_in


@pytest.fixture
def promise(record_property: Callable[[str, object], None]) -> Promise:
    """Record how often a promise was tried and held."""
    return Promise(record_property)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a test marked with a promise as one try of it, which holds it where the test passes."""
    report = yield
    marker = item.get_closest_marker("promise")
    if marker and report.when == "call" and not report.skipped:
        report.user_properties.append((PROPERTY, [*marker.args, int(report.passed), 1, ""]))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line per promise; ``MBPO_FAULTS_TABLE=FILE`` writes them as a Markdown table too."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    found = promises_in([r for r in reports if getattr(r, "when", "") == "call"])
    if not found:
        return
    terminalreporter.section("promises, full figures" if FULL else "promises, fast figures")
    for name, held, of, seconds, note in found:
        terminalreporter.write_line(f"{name}: {held:,} of {of:,} in {seconds:.0f} s  {note}")
    if target := os.environ.get("MBPO_FAULTS_TABLE"):
        lines = ["| promise | held | of | seconds | |", "|---|---:|---:|---:|---|"]
        lines += [f"| {n} | {h:,} | {o:,} | {s:.0f} | {note} |" for n, h, o, s, note in found]
        Path(target).write_text("\n".join(lines) + "\n")
