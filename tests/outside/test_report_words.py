"""What a report says in words: numbers set in one way, events, and how far to trust the model beside the charts."""

from __future__ import annotations

from typing import Any

import pytest

from mbpo.outside.report.event_words import event_words
from mbpo.outside.report.trust_words import trusted
from mbpo.outside.report.typeset import typeset


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-146.7 came: -22.2", "−146.7 came: −22.2"),
        ("[-8.14, 16.4]", "[−8.14, 16.4]"),
        ("hold 94% of it, 90 % wide", "hold 94 % of it, 90 % wide"),
        ("first ≥ -200", "first ≥ −200"),
        ("threshold=-200 of run-3 on 2026-11-30, 3-5", "threshold=-200 of run-3 on 2026-11-30, 3-5"),
        ("--seed=3 -o a/-1", "--seed=3 -o a/-1"),
    ],
)
def test_numbers_are_set_and_what_is_typed_is_left(text: str, said: str) -> None:
    assert typeset(text) == said


FORK = {
    "event": "started",
    "attempt": 1,
    "parent": "swing",
    "parent_dir": "/home/me/runs/swing",
    "fork_env_steps": 300,
    "fork_changes": {"rollout_length": 5},
    "fork_interactive": False,
    "env_steps": 200,
    "checkpoint": "step-000000200",
    "to_compare": 3,
    "damaged": [],
    "changed": [],
    "imagined": "saved",
    "exact": True,
    "time": 1.0,
    "schema": 1,
}


def test_a_fork_begins_in_words() -> None:
    assert event_words(FORK) == (
        "branched off swing at env step 300 with rollout_length = 5; goes on from checkpoint step-000000200; "
        "3 records to compare"
    )
    poor = {**FORK, "fork_interactive": True, "exact": False, "why": "no random state", "imagined": "regenerated"}
    said = event_words({**poor, "damaged": ["step-9: torn"], "changed": ["threads was 1, is 2"], "attempt": 2})
    for words in (
        ", which was changed by hand before",
        "attempt 2",
        "not exact: no random state",
        "the imagined rows were made anew",
        "passed over: step-9: torn",
        "not as before: threads was 1, is 2",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "started", "env_steps": 0, "attempt": 1, "time": 1.0, "schema": 1}, ""),
        ({"event": "finished", "env_steps": 9, "exit_code": 0, "reason": ""}, ""),
        ({"event": "failed", "exit_code": 3, "reason": "no window"}, "no window; exit code 3"),
        ({"event": "fork_verified", "identical": 3, "total": 3}, "3 of 3 records were the same again"),
        ({"event": "started", "replay": {"of": "turned", "until": None}, "replay_dir": "/x"}, "a replay of turned"),
        ({"event": "warning", "reason": "stalled", "more": [1, 2]}, "stalled; more: 1, 2"),
        ({"event": "started", "parent": 7, "to_compare": "x", "replay": [3]}, "branched off 7 at env step None; 3"),
    ],
)
def test_events_in_words(event: dict[str, Any], said: str) -> None:
    assert event_words(event) == said


LATEST = {"trust/q_bias": -22.2, "trust/return_discounted": -124.5}
REFIT = {"bound/eps_m_new": 0.3, "bound/k_star": 28.0, "bound/c_ratio": 0.976}


def test_what_the_critics_promise_has_a_direction() -> None:
    (said,) = trusted(LATEST, has_theorem=False)
    assert said == "The critics promise -146.7 at an episode's start, and -124.5 came: 22.2 less than what came."
    (said,) = trusted({**LATEST, "trust/q_bias": 5.0}, has_theorem=False)
    assert "promise -119.5" in said and said.endswith("5 more than what came.")


def test_words_and_charts_do_not_contradict_each_other() -> None:
    *_, said = trusted({**REFIT, "bound/c_over_gap": 23.0, "rollout/length": 3.0}, has_theorem=True)
    assert said == (
        "The charts draw what each refit came to, the newest k* = 28 and C(k)/C(0) = 0.976: k* is told in words only "
        "where the data narrow it down to 20 steps; C(k)/C(0) below 1 compares the bound at k with that of no "
        "rollouts, and both promise nothing."
    )
    told = {"bound/k_star_low": 25.0, "bound/k_star_high": 30.0}
    (said,) = trusted({**REFIT, **told, "bound/c_over_gap": 0.5}, has_theorem=True)
    assert said == "The theorem: its bound is smallest at k* = 25 to 30."
