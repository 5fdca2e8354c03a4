"""Name the frozen sets of settings, each with its source and the environments whose id chooses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mbpo.settings.setting import Value
from mbpo.settings.tuned import TUNED


@dataclass(frozen=True)
class Preset:
    """Name a frozen set of settings and where they come from."""

    name: str
    doc: str
    source: str
    settings: Mapping[str, Value]
    chosen_by: tuple[str, ...] = ()  # ids of environments, each of which chooses it where no preset is named

    @property
    def env_id(self) -> str:
        """Return the environment that it brings along; nothing for ``default``, which goes with any."""
        return str(self.settings.get("env_id", ""))


# Of the released configurations everything but this. Refits: as good a model for a third of the work;
# theirs are the defaults, 256, 5 and any. Precision: learning as good in bfloat16. See docs/results.md.
SOONER: Mapping[str, Value] = {"precision": "auto", "model_batch": 64, "model_patience": 2, "model_stop": "elites"}

_OWN = (
    Preset(
        "pendulum",
        "Swing up a pendulum in about ten seconds.",
        "tuned here; see docs/study.md",
        {
            "env_id": "Pendulum-v1",
            "precision": "auto",
            "total_steps": 1200,
            "threads": 1,
            "warmup_steps": 300,
            "warmup_hold": 16,
            "epoch_length": 100,
            "model_train_freq": 50,
            "updates_per_step": 30,
            "rollout_batch": 4000,
            "rollout_length": 25,
            "real_ratio": 0.5,
            "gamma": 0.98,
            "ensemble_size": 5,
            "elites": 4,
            "model_hidden": 128,
            "model_layers": 3,
            "model_batch": 64,
            "model_max_epochs": 60,
            "model_patience": 10,
            "normalize_targets": True,
            "sac_hidden": 64,
            "sac_batch": 256,
            "actor_lr": 3e-4,
            "critic_lr": 1e-3,
            "alpha_lr": 1e-3,
            "tau": 0.01,
            "reward_scale": 0.125,
            "target_entropy": -0.5,
            "init_alpha": 0.1,
            "eval_every": 100,
            "checkpoint_every": 200,
            "threshold": -200.0,
            "r_max": 16.2736,
        },
        chosen_by=("Pendulum-v1",),
    ),
    Preset(
        "pendulum-tutorial",
        "The tutorial's settings with its bugs repaired.",
        "the MBPO chapter of Hands-on-RL, Pendulum-v1",
        {
            "env_id": "Pendulum-v1",
            "total_steps": 4000,
            "warmup_steps": 200,
            "epoch_length": 50,
            "model_train_freq": 50,
            "updates_per_step": 10,
            "real_buffer_capacity": 10_000,
            "rollout_length": 1,
            "real_ratio": 0.5,
            "rollout_batch": 1000,
            "ensemble_size": 5,
            "elites": 5,
            "model_batch": 64,
            "holdout_ratio": 0.1,
            "model_max_epochs": 20,
            "gamma": 0.98,
            "actor_lr": 5e-4,
            "critic_lr": 5e-3,
            "alpha_lr": 1e-3,
            "init_alpha": 0.01,
            "target_entropy": -1.0,
            "sac_hidden": 128,
            "sac_batch": 64,
            "eval_every": 200,
            "checkpoint_every": 500,
            "threshold": -200.0,
            "r_max": 16.2736,
        },
    ),
    Preset(
        "inverted-pendulum",
        "Balance a pole on a cart (MuJoCo).",
        "released MBPO configuration for InvertedPendulum; learning rates 1e-3 for 3e-4",
        {
            **SOONER,
            "env_id": "InvertedPendulum-v5",
            "total_steps": 3000,
            "warmup_steps": 500,
            "epoch_length": 250,
            "updates_per_step": 10,
            "rollout_length": "auto",
            "rollout_schedule": (1.0, 15.0, 1.0, 1.0),
            "target_entropy": -0.05,
            "actor_lr": 1e-3,
            "critic_lr": 1e-3,
            "alpha_lr": 1e-3,
            "eval_every": 250,
            "checkpoint_every": 500,
            "r_max": 1.0,
        },
        chosen_by=("InvertedPendulum-v5", "InvertedPendulum-v4"),
    ),
    Preset(
        "inverted-double-pendulum",
        "Balance two poles, one on the other, on a cart (MuJoCo).",
        "released MBPO configuration for InvertedPendulum, with 20 updates and its own entropy",
        {
            **SOONER,
            "env_id": "InvertedDoublePendulum-v5",
            "total_steps": 10_000,
            "warmup_steps": 500,
            "epoch_length": 250,
            "updates_per_step": 20,
            "rollout_length": "auto",
            "rollout_schedule": (1.0, 15.0, 1.0, 1.0),
            "target_entropy": -0.5,
            "eval_every": 500,
            "checkpoint_every": 1000,
            "threshold": 9000.0,
        },
        chosen_by=("InvertedDoublePendulum-v5", "InvertedDoublePendulum-v4"),
    ),
    Preset(
        "hopper",
        "Hop on one leg (MuJoCo).",
        "released MBPO configuration for Hopper",
        {
            **SOONER,
            "env_id": "Hopper-v5",
            "total_steps": 125_000,
            "updates_per_step": 20,
            "rollout_schedule": (20.0, 150.0, 1.0, 15.0),
            "target_entropy": -1.0,
        },
        chosen_by=("Hopper-v5", "Hopper-v4"),
    ),
    Preset(
        "halfcheetah",
        "Run on two legs in a plane (MuJoCo).",
        "released MBPO configuration for HalfCheetah",
        {
            **SOONER,
            "env_id": "HalfCheetah-v5",
            "total_steps": 400_000,
            "updates_per_step": 40,
            "rollout_schedule": (20.0, 150.0, 1.0, 1.0),
            "target_entropy": -3.0,
        },
        chosen_by=("HalfCheetah-v5", "HalfCheetah-v4"),
    ),
    Preset(
        "walker2d",
        "Walk on two legs in a plane (MuJoCo).",
        "released MBPO configuration for Walker2d",
        {
            **SOONER,
            "env_id": "Walker2d-v5",
            "total_steps": 300_000,
            "updates_per_step": 20,
            "rollout_schedule": (20.0, 150.0, 1.0, 1.0),
            "target_entropy": -3.0,
        },
        chosen_by=("Walker2d-v5", "Walker2d-v4"),
    ),
    Preset(
        "ant",
        "Run on four legs, 27 observed numbers (MuJoCo).",
        "released MBPO configuration for AntTruncatedObs",
        {
            **SOONER,
            "env_id": "mbpo/AntTruncated-v5",
            "total_steps": 300_000,
            "updates_per_step": 20,
            "rollout_schedule": (20.0, 100.0, 1.0, 25.0),
            "target_entropy": -4.0,
        },
        chosen_by=("mbpo/AntTruncated-v5",),
    ),
    Preset(
        "humanoid",
        "Run on two legs, 45 observed numbers (MuJoCo).",
        "released MBPO configuration for HumanoidTruncatedObs",
        {
            **SOONER,
            "env_id": "mbpo/HumanoidTruncated-v5",
            "total_steps": 300_000,
            "updates_per_step": 20,
            "model_train_freq": 1000,
            "model_hidden": 400,
            "retain_epochs": 5,
            "rollout_schedule": (20.0, 300.0, 1.0, 25.0),
            "target_entropy": -2.0,
        },
        chosen_by=("mbpo/HumanoidTruncated-v5",),
    ),
    Preset(
        "debug",
        "Everything tiny: the whole loop in seconds, to try things out.",
        "made here",
        {
            "env_id": "Pendulum-v1",
            "total_steps": 400,
            "warmup_steps": 100,
            "epoch_length": 50,
            "model_train_freq": 50,
            "updates_per_step": 1,
            "rollout_batch": 200,
            "ensemble_size": 3,
            "elites": 2,
            "model_hidden": 16,
            "model_layers": 2,
            "model_max_epochs": 3,
            "model_batch": 64,
            "sac_hidden": 16,
            "sac_batch": 32,
            "eval_every": 200,
            "eval_episodes": 2,
            "log_every": 50,
            "report": False,
            "rollout_length": 1,
            "real_ratio": 0.2,
            "threshold": -200.0,
            "r_max": 16.2736,
        },
    ),
    Preset(
        "default",
        "The paper's settings, done sooner; for any other environment.",
        "MBPO, arXiv:1906.08253, App. C, one imagined step from each state; refits: docs/results.md",
        {**SOONER},
    ),
)


def _tuned(preset: Preset) -> tuple[Preset, ...]:
    """Return the preset of our own settings for the same task, where there is one."""
    if preset.name not in TUNED:
        return ()
    settings = {**preset.settings, **TUNED[preset.name]}
    return (
        Preset(f"{preset.name}-tuned", f"{preset.doc} Our own settings.", "tuned here; see docs/study.md", settings),
    )


PRESETS: Mapping[str, Preset] = {preset.name: preset for own in _OWN for preset in (own, *_tuned(own))}
_CHOSEN = {env_id: preset for preset in PRESETS.values() for env_id in preset.chosen_by}


def preset_for(env_id: str) -> Preset:
    """Return the preset that an environment chooses where none is named: its own, or ``default`` for a stranger.

    Only the exact id is known. ``module:Hopper-v5`` is a stranger, for that module may register what it likes.
    """
    return _CHOSEN.get(env_id, PRESETS["default"])


def how_chosen(env_id: str) -> str:
    """Say which preset an environment chooses, and why."""
    preset = preset_for(env_id)
    why = f"chosen by {env_id}" if preset.env_id else f"as {env_id} has none of its own"
    return f"preset {preset.name}, {why}"
