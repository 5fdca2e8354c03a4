"""Say how far a run's model can be trusted: what was measured, what is not yet and when it comes, and the theorem."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mbpo.runs.metrics import WINDOWED
from mbpo.settings.language import tr
from mbpo.trust.verdict import measured, theorem
from workbench.format import number, whole
from workbench.messages import DEAF, RunDetail, RunRow
from workbench.what_if_words import sentences

CRITICS = "trust/q_bias"
LOGGED_TOGETHER = (  # by this version; where only the first is there, an older one has logged it
    ("model/new_data_mse", WINDOWED),
    ("bound/eps_m_new", WINDOWED),
    ("rollout/length_measured", "rollout/length_p50"),
)
OLDER = tr("An older version logged this run so far: it did not measure how far the model can be trusted.")
NO_MODEL = tr("A sac run has no model: there are only its critics to trust.")
NO_CRITICS = tr("A pets run has no critics.")
NO_POLICY = tr("The theorem: it is about a policy, and a pets run has none.")


@dataclass(frozen=True)
class TrustWords:
    """Hold sentences."""

    heading: str = ""  # on what was measured
    measured: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # what is not measured, and when it comes
    theorem: str = ""  # nothing where there is no model
    what_ifs: tuple[str, ...] = ()


def trust_words(row: RunRow | None, detail: RunDetail | None) -> TrustWords:
    """Say what is known of a run by now."""
    if row is None or detail is None:
        return TrustWords(missing=(tr("Its metrics are being read."),))
    latest = {key: points.last if math.isfinite(points.last) else None for key, points in detail.series.items()}
    rows = detail.last(WINDOWED)
    heading = tr("Measured on {rows} real rows before a refit trained on them", rows=whole(rows)) if rows > 0 else ""
    told = sentences(detail.what_ifs)
    return TrustWords(heading, tuple(measured(latest)), tuple(_missing(row, detail)), _theorem(detail, latest), told)


def _missing(row: RunRow, detail: RunDetail) -> Iterator[str]:
    algo, series = detail.config.get("algo"), detail.series
    if is_older(detail):
        yield OLDER
        return
    over = row.state in DEAF
    if algo == "sac":
        yield NO_MODEL
    elif WINDOWED not in series:
        refits = _whole(row, detail, "warmup_steps"), _whole(row, detail, "model_train_freq")
        when = _at(row, sum(refits)) if all(refits) else ""
        yield _comes(tr("The model: it is measured"), tr("from its second refit on{when}", when=when), over)
    if algo == "pets":
        yield NO_CRITICS
    elif CRITICS not in series:
        when = _at(row, _whole(row, detail, "eval_every"))
        yield _comes(
            tr("The critics: they are held to what comes"), tr("from the first evaluation on{when}", when=when), over
        )


def is_older(detail: RunDetail) -> bool:
    """Return whether what is known of a run was logged by a version that did not measure trust."""
    pets = detail.config.get("algo") == "pets"
    pairs = (*LOGGED_TOGETHER, *(() if pets else (("eval/return_mean", CRITICS),)))
    return any(old in detail.series and new not in detail.series for old, new in pairs)


def _comes(what: str, when: str, over: bool) -> str:
    return (
        tr("{what} {when}; this run ended before.", what=what, when=when)
        if over
        else tr("{what} {when}.", what=what, when=when)
    )


def _whole(row: RunRow, detail: RunDetail, name: str) -> int:
    """Return a setting as it stands; 0 where it is not known."""
    value: Any = row.controls.get(name, detail.config.get(name))
    return value if type(value) is int and 0 < value < 2**62 else 0


def _at(row: RunRow, step: int) -> str:
    """Return where an env step lies that is still to come."""
    comes = row.state not in DEAF and row.env_steps < step <= row.total_steps
    return tr(", at env step {step}", step=whole(step)) if comes else ""


def _theorem(detail: RunDetail, latest: Mapping[str, float | None]) -> str:
    algo = detail.config.get("algo")
    if algo in ("sac", "pets"):
        return "" if algo == "sac" else NO_POLICY
    k_star = latest.get("bound/k_star")
    if WINDOWED not in latest and k_star is not None:
        return tr(
            "The theorem: k* = {k_star} by the rows since the last refit alone, without a band.", k_star=number(k_star)
        )
    return theorem(latest)
