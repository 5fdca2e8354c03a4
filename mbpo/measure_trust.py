"""Say how far a run's model can be trusted: ``python -m mbpo.trust RUN_DIR``."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mbpo.comparison.picture_files import add_picture_flags, asked_pictures, say_written
from mbpo.comparison.trust_report import Points, TrustReport, draw_trust, print_report
from mbpo.envs.left_behind import leave
from mbpo.errors import CheckpointError, ConfigError, MBPOError, report
from mbpo.learner.learner import Learner
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths
from mbpo.runs.origin import admit, folders, where_started
from mbpo.runs.reader import RunReader
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.series import Series
from mbpo.saving.store import CheckpointStore, Saved
from mbpo.settings.config import Config, resolve_run
from mbpo.settings.parser import OneLineParser
from mbpo.settings.stdout import our_stdout, say
from mbpo.settings.typed_path import typed_path
from mbpo.trust.scores import Measured, window_for
from mbpo.trust.verdict import measured, theorem

OF_EVALUATIONS = "eval/", "trust/q_"  # of the networks as a checkpoint at the same env step has them


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was measured of the model at a checkpoint, and what the theorem says."""
    try:
        with our_stdout(is_program=arguments is None):
            return _measure_trust(sys.argv[1:] if arguments is None else arguments)
    except MBPOError as error:
        return report(error)
    except KeyboardInterrupt:
        return 130


def run_as_program() -> None:
    """Run and leave, as ``python -m`` does."""
    leave(main())


def _measure_trust(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    pictures = asked_pictures(given)
    folder, at = _place(given.run)
    paths = RunPaths(folder.absolute())
    config = resolve_run(read_config(paths.config))
    if config.algo == "sac":
        raise ConfigError(f"{paths.root} is a sac run: it has no model to trust")
    store = CheckpointStore(paths.checkpoints)
    saved = store.load_at(at) if at is not None else store.load_newest()[0]
    if saved is None:
        raise CheckpointError(f"{paths.root} has no checkpoint yet; the first comes at {config.checkpoint_every:,}")
    found = report_of(paths, saved, _scores(paths, config, saved, given.module_path))
    if pictures:
        draw_trust(pictures, found)
    if given.json:
        say(found.as_json())
    else:
        print_report(found)
        say_written(pictures)
    return 0


def _place(text: str) -> tuple[Path, int | None]:
    """Return the run directory and the env step of RUN_DIR[@STEP]."""
    folder, _, step = text.rpartition("@")
    if folder and step.isdecimal() and not typed_path(text).is_dir():
        return typed_path(folder), int(step)
    return typed_path(text), None


def _scores(paths: RunPaths, config: Config, saved: Saved, module_path: Sequence[str] | None) -> Measured:
    """Return what the checkpoint holds; of an older version's, what can be measured now on rows that no refit has seen.

    Raises:
        CheckpointError: there is nothing that the model was not trained on.
    """
    trust = saved.parts.get("trust", {})
    if "sums" in trust and len(trust["sums"]):
        obs_dim = int(saved.parts["ensemble"]["max_logvar"].shape[0]) - 1  # besides the reward
        window = window_for(obs_dim)
        window.load_state_dict(trust)
        return Measured(window.episodes(), obs_dim)
    about = read_manifest(paths.manifest).facts()
    admit(paths, about, config, folders(module_path))
    with where_started(paths, about):
        learner = Learner(config)
        try:
            learner.load_state_dict(saved.parts)
            learner.score_new_data(config.bound_resolution)
            found = learner.measured()
        finally:
            learner.close()
    if not found.rows:
        raise CheckpointError(f"{saved.name} has no real rows that its model was not trained on; give RUN_DIR@STEP")
    return found


def report_of(paths: RunPaths, saved: Saved, scores: Measured) -> TrustReport:
    """Return the report at a checkpoint."""
    reader = RunReader(paths.root)
    reader.poll()
    history = {key: _until(key, series, saved.loop) for key, series in reader.series.items()}
    latest = {key: values[-1] for key, (_, values) in history.items() if values} | scores.metrics()
    return TrustReport(
        run=paths.run_id,
        env_steps=int(saved.loop["env_steps"]),
        rows=scores.rows,
        episodes=len(scores.episodes),
        by_step=scores.by_step(),
        by_target=scores.by_target(),
        latest={key: value for key, value in latest.items() if key.startswith(("trust/", "bound/", "rollout/"))},
        measured=measured(latest),
        theorem=theorem(latest),
        history=history,
    )


def _until(key: str, series: Series, loop: Mapping[str, Any]) -> Points:
    """Return the points of ``key`` that the checkpoint knows, and those of an evaluation right after it."""
    judged = key.startswith(OF_EVALUATIONS)
    rows = zip(series.seqs, series.env_steps, series.values, strict=True)
    known = (
        (step, value, number <= loop["seq"] or (judged and step <= loop["env_steps"])) for number, step, value in rows
    )
    kept = [(step, value) for step, value, keep in known if keep and math.isfinite(value)]
    return [step for step, _ in kept], [value for _, value in kept]


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m mbpo.trust",
        allow_abbrev=False,
        description="Say how far a run's model can be trusted: error by horizon, intervals, critics, and the theorem's "
        "k*. Everything is measured on real rows that the model had not been trained on.",
        epilog="python -m mbpo.trust runs/hopper-1 --png trust.png",
    )
    parser.add_argument("run", metavar="RUN_DIR[@STEP]", help="at its newest checkpoint, or at one of its others")
    add_picture_flags(parser, "it")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--module-path", metavar="DIR", action="append", help="where the run's own modules lie")
    return parser
