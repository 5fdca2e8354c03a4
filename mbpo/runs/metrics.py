"""Declare every metric once: key, unit, meaning and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """Describe one key of ``metrics.jsonl``."""

    key: str
    unit: str
    meaning: str
    better: Literal["up", "down", ""] = ""
    since: str = ""  # a key that a run has since this one is measured as it is now; before, it is not compared


WINDOWED = "trust/rows"

_ALL = (
    Metric("episode/return", "return", "Sum of rewards of the training episode that ended.", "up"),
    Metric("episode/length", "env steps", "Length of that episode."),
    Metric("episode/index", "episodes", "How many training episodes ended so far."),
    Metric("eval/return_mean", "return", "Mean return of tanh(mean) actions.", "up"),
    Metric("eval/return_std", "return", "Standard deviation of those returns over episodes."),
    Metric("eval/return_min", "return", "Smallest of those returns.", "up"),
    Metric("eval/length_mean", "env steps", "Mean length of the evaluation's episodes."),
    Metric("model/holdout_mse", "", "Elites' mean squared error on held-out rows.", "down"),
    Metric("model/holdout_nll", "nats", "Elites' negative log-likelihood per target dim.", "down"),
    Metric("model/holdout_rmse", "target std", "Root mean squared error, normalised.", "down"),
    Metric("model/train_nll", "nats", "Mean training loss of the last pass.", "down"),
    Metric("model/new_data_mse", "", "Error on rows collected since the last refit.", "down"),
    Metric("model/epochs", "epochs", "Passes over the data in this refit."),
    Metric("model/train_rows", "rows", "Real rows trained on."),
    Metric("model/holdout_rows", "rows", "Real rows held out for good."),
    Metric(
        "model/termination_error",
        "",
        "Learned termination: held-out rows misjudged, mean of the shares of ends and of the rest.",
        "down",
    ),
    Metric(
        "model/termination_false_alarms",
        "",
        "Learned termination: share of held-out rows that go on and are judged to end.",
        "down",
    ),
    Metric("model/terminal_rows", "rows", "Learned termination: ends trained on."),
    Metric("rollout/length", "steps", "k in force."),
    Metric("rollout/length_measured", "steps", "Longest imagined rollout that was stored."),
    Metric("rollout/length_mean", "steps", "Imagined rows stored per start state."),
    Metric("rollout/length_p10", "steps", "Rows stored of a start state: 10 % of them have no more."),
    Metric("rollout/length_p50", "steps", "Rows stored of a start state: the median."),
    Metric("rollout/length_p90", "steps", "Rows stored of a start state: 90 % of them have no more."),
    Metric("rollout/start_rows", "rows", "Real states from which this refit's rollouts branched."),
    Metric("rollout/stopped_share", "", "Share of those rollouts that the rule for k ended."),
    Metric("rollout/threshold", "", "What the rule for k compares a step's score with."),
    Metric("rollout/threshold_total", "", "What it compares the sum of a row's scores with."),
    Metric("rollout/weight_mean", "", "Mean weight of the rows stored in the critics' loss."),
    Metric("rollout/rows", "rows", "Imagined rows stored by this refit's rollouts."),
    Metric("rollout/terminated_share", "", "Share of those rows that are terminal."),
    Metric("rollout/model_buffer_rows", "rows", "Imagined rows that SAC can sample."),
    Metric("mix/real_ratio", "", "Configured share of real rows in force."),
    Metric("mix/real_ratio_measured", "", "Share of real rows among those sampled since last row."),
    Metric("bound/eps_m", "", "Model error ε_m: total variation at σ₀ on held-out rows.", "down"),
    Metric(
        "bound/eps_m_new", "", "ε_m' on the newest whole episodes, before training on them.", "down", since=WINDOWED
    ),
    Metric("bound/eps_pi", "", "Policy shift ε_π: total variation of π from π_D on real rows."),
    Metric("bound/eps_pi_p95", "", "95th percentile over states of a bound on that shift."),
    Metric("bound/rho", "", "ρ = ε_m'/ε_π.", "down", since=WINDOWED),
    Metric("bound/k_star", "steps", "k* that minimises C(k); depends on ρ and γ only.", since=WINDOWED),
    Metric("bound/k_star_low", "steps", "k* over resampled episodes: 5 % are smaller."),
    Metric("bound/k_star_high", "steps", "k* over resampled episodes: 5 % are larger."),
    Metric("bound/c_ratio", "", "C(k)/C(0) at k in force; below 1 the branched rollout helps.", since=WINDOWED),
    Metric("bound/c_over_gap", "", "C(k)/(2 r_max/(1−γ)); at or above 1 the bound is vacuous.", since=WINDOWED),
    Metric("bound/r_max", "reward per step", "r_max used in the bound."),
    Metric("bound/resolution", "target std", "σ₀ at which ε_m is measured."),
    Metric("trust/rows", "rows", "Real rows in the newest whole episodes, each scored before a refit trained on it."),
    Metric(
        "trust/horizon_steps", "steps", "Steps for which the model, left alone, errs less than the mean change.", "up"
    ),
    Metric("trust/horizon_longest", "steps", "Most steps that could be followed: at that, the horizon is no less."),
    Metric("trust/error_1", "state std", "Error of the state after 1 imagined step.", "down"),
    Metric("trust/error_5", "state std", "Error of the state after 5 imagined steps.", "down"),
    Metric("trust/error_10", "state std", "Error of the state after 10 imagined steps.", "down"),
    Metric("trust/error_20", "state std", "Error of the state after 20 imagined steps.", "down"),
    Metric("trust/coverage_50", "", "Share of outcomes inside the model's 50 % intervals."),
    Metric("trust/coverage_90", "", "Share of outcomes inside its 90 % intervals."),
    Metric("trust/coverage_90_worst", "", "The same of the target with the smallest share."),
    Metric("trust/coverage_90_worst_target", "", "Which that is: 0 the reward, then the dims of obs from 1."),
    Metric(
        "trust/q_bias", "return", "What the critics promise at evaluations' starts beyond what came, entropy aside."
    ),
    Metric("trust/q_mean", "return", "What they promise there, discounted, entropy aside."),
    Metric("trust/return_discounted", "return", "What came there, discounted.", "up"),
    Metric("sac/critic_loss", "return²", "Soft Bellman error, both critics.", "down"),
    Metric("sac/actor_loss", "return", "α log π − min Q, mean over the batch."),
    Metric("sac/alpha", "return per nat", "Temperature α."),
    Metric("sac/entropy", "nats", "−log π(a|s), mean over the batch."),
    Metric("sac/q_mean", "return", "Mean of the critics' values."),
    Metric("sac/updates", "updates", "SAC updates so far."),
    Metric("time/env_s", "s", "Wall time in the environment and acting, since the run began."),
    Metric("time/model_s", "s", "Wall time in refits."),
    Metric("time/rollout_s", "s", "Wall time in rollouts."),
    Metric("time/sac_s", "s", "Wall time in SAC updates."),
    Metric("time/eval_s", "s", "Wall time in evaluations."),
    Metric("time/other_s", "s", "Wall time in everything else, pauses included."),
    Metric("time/env_steps_per_s", "env steps per s", "Speed since the last such row.", "up"),
    Metric("system/cpu", "cores", "Processor time of the learner's threads per wall time, since the last such row."),
    Metric("system/memory_mb", "MB", "Memory that the learner's process holds."),
    Metric("system/memory_peak_mb", "MB", "Most memory that it held at once."),
    Metric("system/threads", "threads", "Threads of the process."),
    Metric("system/read_mb", "MB", "Read from the disk since the process began; what was in memory does not count."),
    Metric("system/written_mb", "MB", "Written to the disk since the process began."),
    Metric("system/gpu", "", "Share of the last moment in which the GPU was at work, for whomever."),
    Metric("system/gpu_memory_mb", "MB", "Memory that torch holds on the GPU."),
    Metric("system/gpu_memory_peak_mb", "MB", "Most memory that it held there at once."),
)

METRICS: Mapping[str, Metric] = {metric.key: metric for metric in _ALL}
MACHINE_KEYS = frozenset({"time_s", *(key for key in METRICS if key.startswith(("time/", "system/")))})
"""What the machine decides and not the run: a run done again has other values of these, and of nothing else."""
