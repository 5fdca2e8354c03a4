"""Search settings on Ray, by Tune's own classes: Optuna draws the samples, ASHA gives up the bad ones.

Tune decides which samples go on, and keeps that beside the runs. Everything else, what a sample has come to included,
stands in run directories as in any study.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from mbpo.comparison.chosen import counted
from mbpo.errors import ConfigError, one_line
from mbpo.runs.layout import write_atomic
from mbpo.settings.config import SETTINGS
from mbpo.settings.numbers import short
from mbpo.settings.packages import install_command
from mbpo.settings.stdout import say
from mbpo.studies.engine import Place
from mbpo.studies.folder import state_of
from mbpo.studies.ray_cluster import check_gpu, connected, size_of
from mbpo.studies.ray_sample import RETURN, STEPS, try_sample
from mbpo.studies.samples import keep_sample
from mbpo.studies.space import Range, Search
from mbpo.studies.study import Choice, sample_of

MOST_FAILURES = 3  # of a sample: workers and nodes that die, or learners that fail
SHOWN = 10  # samples in the table
FRESH_SEEDS = 8


def search(place: Place) -> int:
    """Run a search, or go on with it; return the exit code.

    Raises:
        ConfigError: Tune or Optuna is not installed, or the search was begun with other words.
        StorageError: Ray cannot be reached.
    """
    wanted = place.study.search
    assert wanted is not None
    try:
        import optuna
        from ray import tune
    except ImportError:
        needed = f"{install_command('ray[tune]')} {install_command('optuna').split()[-1]}"
        raise ConfigError(f"[search] needs Ray Tune and Optuna: {needed}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_gpu(place.study)
    _check_same(state_of(place.folder) / "search.json", wanted)
    ray = connected()
    before = signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))  # which Tune ends by, saved
    try:
        needs = place.study.ray.needs(place.study.cores * len(place.study.seeds))
        say(f"  Ray {size_of(ray, needs)}")
        results = list(_tuner(tune, place, wanted, needs).fit())
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, before)
    return _ended(place, wanted, results)


def _tuner(tune: Any, place: Place, wanted: Search, needs: dict[str, float]) -> Any:
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    folder, here, on_gpu = str(place.folder), str(Path.cwd()), place.study.ray.num_gpus > 0
    trainable = tune.with_resources(
        lambda drawn: try_sample(drawn, folder, here, on_gpu), tune.PlacementGroupFactory([needs])
    )
    path = state_of(place.folder) / "tune"
    if tune.Tuner.can_restore(str(path / "search")):
        return tune.Tuner.restore(str(path / "search"), trainable, resume_unfinished=True, restart_errored=True)
    asha = ASHAScheduler(
        time_attr=STEPS,
        max_t=place.study.recipe.config.total_steps,
        grace_period=wanted.grace_steps,
        reduction_factor=wanted.reduction,
    )
    return tune.Tuner(
        trainable,
        param_space={name: _distribution(tune, name, wanted) for name in wanted.space},
        tune_config=tune.TuneConfig(
            metric=RETURN,
            mode="max",
            num_samples=wanted.samples,
            search_alg=OptunaSearch(seed=wanted.seed),
            scheduler=asha,
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(path),
            verbose=0,
            callbacks=[_told_callback(tune, place, wanted)],
            failure_config=tune.FailureConfig(max_failures=MOST_FAILURES),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=2),
        ),
    )


def _distribution(tune: Any, name: str, wanted: Search) -> Any:
    values = wanted.space[name]
    if not isinstance(values, Range):
        return tune.choice([SETTINGS[name].text(value) for value in values])
    if values.whole:
        draw = tune.lograndint if values.log else tune.randint
        return draw(int(values.low), int(values.high) + 1)
    return (tune.loguniform if values.log else tune.uniform)(values.low, values.high)


def _told_callback(tune: Any, place: Place, wanted: Search) -> Any:
    """Return what says of each sample how it ended, and keeps which ones were given up."""
    last = place.study.recipe.config.total_steps

    class Told(tune.Callback):  # type: ignore[misc]
        """Say how a trial ended."""

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            """Say how far a sample came."""
            sample = sample_of(wanted.settings_of(trial.config))
            if trial.last_result.get(STEPS, 0) < last:
                keep_sample(state_of(place.folder), replace(sample, given_up=True))
            say(f"{sample.name}: {_words(trial.last_result)}")

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            """Say that a sample failed."""
            say(f"{_name(trial.config, wanted)} failed")

    return Told()


def _name(drawn: dict[str, Any], wanted: Search) -> str:
    return sample_of(wanted.settings_of(drawn)).name


def _words(result: Any) -> str:
    if not result or RETURN not in result:
        return "no evaluation"
    return f"return {short(result[RETURN])} at {int(result[STEPS]):,} env steps"


def _ended(place: Place, wanted: Search, results: list[Any]) -> int:
    """Print the best samples, and leave the study that tries the best one on seeds it has not seen."""
    done = [each for each in results if each.error is None and each.metrics and each.metrics.get(RETURN) is not None]
    failed = [each for each in results if each.error is not None]
    last = place.study.recipe.config.total_steps
    done.sort(key=lambda each: (each.metrics[STEPS] >= last, each.metrics[RETURN]), reverse=True)
    say(f"{counted(len(results), 'sample')}, the best first; those that were given up stand behind the others:")
    for each in done[:SHOWN]:
        say(f"  {_name(each.config, wanted)}: {_words(each.metrics)}")
    for each in failed:
        say(one_line(f"  {_name(each.config, wanted)} failed: {each.error}"))
    if len(results) < wanted.samples or any(not each.metrics.get("done", False) for each in done):
        say("the search is not at its end; the same command goes on with it")
        return 130
    if done:
        _leave_best(place, sample_of(wanted.settings_of(done[0].config)))
    return 1 if failed else 0


def _leave_best(place: Place, best: Choice) -> None:
    seen = max(place.study.seeds) + 1
    recipe = place.study.recipe
    base = {**recipe.base, **best.settings}
    threshold = base.pop("threshold", None)
    content = {
        "name": f"{place.study.name[:32]}-best",
        "seeds": f"{seen}:{seen + FRESH_SEEDS}",
        **({} if threshold is None else {"threshold": threshold}),
        "base": {**({"preset": recipe.preset} if recipe.preset else {}), **base},
    }
    path = place.folder / "best.toml"
    write_atomic(path, tomli_w.dumps(content).encode())
    say(f"{path}: the best sample as a study of {FRESH_SEEDS} seeds that it was not chosen by")


def _check_same(path: Path, wanted: Search) -> None:
    """Keep what the search is, once; later it must be the same.

    Raises:
        ConfigError: it is another.
    """
    told = json.dumps(wanted.told, sort_keys=True)
    try:
        if path.read_text() != told:
            folder = path.parent.parent
            raise ConfigError(f"the search in {folder} was begun with another [search]; give the study another name")
    except FileNotFoundError:
        write_atomic(path, told.encode())
