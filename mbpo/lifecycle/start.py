"""Start the learner of a new run, or of one that was cut off, forked or is done again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mbpo.envs.repeats import GOES_ON, Repeats, repeats
from mbpo.errors import EnvironmentFault
from mbpo.learner.build import resolve_device, resolve_precision
from mbpo.learner.learner import Learner
from mbpo.lifecycle.command_line import Launch
from mbpo.lifecycle.console import Console
from mbpo.lifecycle.find_start import find_starting_point
from mbpo.lifecycle.left_beside import Leave, nothing_left
from mbpo.lifecycle.manifest import manifest, pin_threads
from mbpo.lifecycle.orders import LiveOrders, RepeatedOrders
from mbpo.lifecycle.process import learner_process
from mbpo.lifecycle.progress import shown_progress
from mbpo.lifecycle.reports import Reports
from mbpo.lifecycle.starting_point import CHECKS, StartingPoint, new_status
from mbpo.lifecycle.training import Training
from mbpo.runs.config_file import read_config
from mbpo.runs.create import create_run_dir
from mbpo.runs.origin import add_to_path, admit, here_if_looked_in, module_path_of, origin, where_started
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.writer import RunWriter
from mbpo.saving.store import CheckpointStore, Saved
from mbpo.settings.cautions import cautions
from mbpo.settings.config import Config, resolve_run
from mbpo.settings.stdout import say

Loop = Callable[[Training], bool]  # returns whether it came to its end, and was not told to stop before

NO_RULE = (
    "no termination rule for {}: a head learns from real ends when imagined rollouts end "
    "(model/termination_error); a rule is exact, see mbpo/envs/termination.py"
)


def start(launch: Launch, loop: Loop, leave: Leave = nothing_left) -> int:
    """Train a new run, one that was cut off, a fork or a replay; return the exit code.

    At its end ``leave`` puts a report beside it, if its settings ask for one.

    The last three find their modules, and files by relative paths, where the earlier run was started.
    """
    source = launch.source
    if source is None:
        add_to_path(launch.module_path)
        return _start(launch, loop, leave, [*launch.module_path, *here_if_looked_in()])
    earlier = read_manifest(source.manifest).facts()
    admit(source, earlier, resolve_run(read_config(source.config)), launch.module_path)
    with where_started(source, earlier):
        return _start(launch, loop, leave, [*launch.module_path, *module_path_of(source, earlier)])


def _start(launch: Launch, loop: Loop, leave: Leave, modules: Sequence[Path]) -> int:
    launch, chosen = _resolved(launch)
    config = launch.config
    begin = find_starting_point(launch)
    threads = pin_threads(begin.threads)
    learner = Learner(config)  # before the directory: what cannot be built leaves no trace
    begin, leader = begin.load(learner)
    facts = manifest(learner, config, launch.toml, threads)
    known = begin.paths is not None or config.one_instance
    repeated = Repeats(True) if known else repeats(learner.collector.env, config.seed)
    said = [] if begin.paths else _said(learner, config, repeated)
    paths = begin.paths or create_run_dir(launch.runs_root, launch.run_id, preset=config.preset, seed=config.seed)
    say("\n".join(filter(None, (str(paths.root), launch.preset_line, chosen))))
    status = new_status(config, begin, learner.collector.env.reward_threshold)
    with RunWriter(paths, status, CHECKS, begin.settings, begin.history, float(config.hang_after)) as writer:
        if begin.paths is None:
            whence = origin(paths, facts["config_sha256"], modules)
            writer.write_config(launch.toml, {**facts, **whence, **repeated.facts, **begin.lineage})
        begin.announce(writer, facts)
        for text in said:
            writer.warn(begin.env_steps, text)
        train = partial(_train, config, learner, leader, writer, begin, loop)
        return learner_process(writer, train, config.algo, leave if config.report else nothing_left)


def _resolved(launch: Launch) -> tuple[Launch, str]:
    """Return the launch with what its config leaves to this machine decided for good, and that in words."""
    config = launch.config
    if config.precision != "auto":
        return launch, ""
    precision, why = resolve_precision(resolve_device(config.device))
    chosen = dataclasses.replace(launch, config=dataclasses.replace(config, precision=precision))
    return chosen, f"precision auto: {precision}, {why}"


def _train(
    config: Config, learner: Learner, leader: Learner | None, writer: RunWriter, begin: StartingPoint, loop: Loop
) -> None:
    with shown_progress(config, lambda: writer.status) as progress:
        _report(config, learner, leader, Reports(writer, Console(config, progress)), begin, loop)


def _report(
    config: Config, learner: Learner, leader: Learner | None, reports: Reports, begin: StartingPoint, loop: Loop
) -> None:
    writer, saved, labels = reports.writer, begin.saved, ["fork"]
    if leader is not None:
        orders, saved = _repeat(leader, reports, begin, loop)
        if saved is None:
            learner.close()
            return writer.settle()
        labels += ["requested"] if orders.checkpoint_asked else []
        if lost := learner.load_state_dict(saved.parts):
            writer.warn(saved.loop["env_steps"], f"not exact, a new episode begins: {lost}")
        saved = saved.emptied()
    store, again = _store(reports), begin.replay
    until, evaluations = (again.until, again.evaluations) if again else (None, ())
    training = Training(config, learner, reports, LiveOrders(writer), store, saved, until, evaluations)
    try:
        if saved and begin.history.of_another:
            training.settings = begin.settings
            for label in labels:
                training.save(training.env_steps, label)
        training.say()
        writer.update(env_steps=training.env_steps)
        writer.enter("running")
        if learner.termination and config.algo != "sac":
            writer.warn(training.env_steps, NO_RULE.format(config.env_id))
        for caution in cautions(config):
            writer.warn(training.env_steps, caution)
        _run(training, loop)
        return writer.settle()
    finally:
        store.close()
        learner.close()


def _run(training: Training, loop: Loop) -> None:
    """Train to the end, or to where the environment fails: what was learned until then is saved."""
    try:
        training.evaluate_if_due()  # as a checkpoint was saved before an evaluation
        if not loop(training):
            training.reports.writer.break_off_comparison(training.env_steps)
        training.finish()
    except EnvironmentFault:
        training.save_before_failing()
        raise


def _said(learner: Learner, config: Config, repeated: Repeats) -> list[str]:
    """Say once what a new run should know of its environment."""
    unrepeated = f"on one instance {GOES_ON}" if config.one_instance else repeated.said
    return [text for text in (learner.collector.env.adapted, unrepeated, learner.precision_lost) if text]


def _repeat(leader: Learner, reports: Reports, begin: StartingPoint, loop: Loop) -> tuple[RepeatedOrders, Saved | None]:
    """Repeat the parent's env steps up to where a fork branches off.

    Returns all that the fork goes on from, or None where it was told to stop before.
    """
    lead_in, writer = begin.lead_in, reports.writer
    assert lead_in is not None
    orders = RepeatedOrders(lead_in, writer)
    writer.enter("running")
    repeated = Training(lead_in.config, leader, reports, orders, None, begin.saved, lead_in.until, lead_in.evaluations)
    repeated.say()
    try:
        repeated.evaluate_if_due()
        if not loop(repeated):
            return orders, None
        writer.end_comparison(repeated.env_steps)
        state = repeated.loop_state(repeated.env_steps)
        old = (begin.saved.segments, begin.saved.rows_folder) if begin.saved else ()
        return orders, begin.branched(Saved(f"env step {repeated.env_steps}", leader.whole_state(), state, *old))
    finally:
        leader.close()


def _store(reports: Reports) -> CheckpointStore:
    writer = reports.writer
    return CheckpointStore(
        writer.paths.checkpoints,
        before=writer.sync,
        saved=reports.checkpoint,
        put_off=lambda error: writer.warn(writer.status.env_steps, f"no new checkpoint: {error}"),
    )
