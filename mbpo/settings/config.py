"""Declare every setting of a run once: its default, meaning, unit and range.

The same declaration becomes the command line's help, the check of a value and its error message,
the workbench's launch form and the keys of ``config.toml``. Imports no torch.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mbpo.errors import ConfigError
from mbpo.settings.presets import PRESETS, preset_for
from mbpo.settings.setting import Dial, Setting, Value, nearest, shown
from mbpo.settings.toml_text import Table, parse_wrapper
from mbpo.settings.variants import CRITICS, K_POLICIES, described, options_described, wrong_options

Auto = Literal["auto"]
VERSION = re.compile(r"-v[0-9]+\Z")  # of an environment
DEVICE = re.compile(r"(auto|cpu|cuda|cuda:(0|[1-9][0-9]?))\Z")


def _setting(default: Value, doc: str, group: str, **facts: Any) -> Any:
    metadata = {"doc": doc, "group": group, **facts}
    if isinstance(default, Table):  # which Python 3.10 takes for a default that might be changed
        return dataclasses.field(default_factory=Table, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _wrong_schedule(schedule: tuple[float, float, float, float]) -> str:
    start, end, first, last = schedule
    if end < start:
        return f"have e0 ≤ e1, got {start:g} > {end:g}: give e0,e1,k0,k1"
    return "have k0 and k1 in [0, 1000]" if max(first, last) > 1000 else ""


def _wrong_options(options: Table) -> str:
    return wrong_options(K_POLICIES, options)


def _wrong_wrappers(wrappers: tuple[str, ...]) -> str:
    for text in wrappers:
        parse_wrapper(text)
    return ""


@dataclass(frozen=True)
class Config:
    """Hold the resolved settings of one run.

    Source: the defaults are those of MBPO, arXiv:1906.08253, App. C.
    """

    preset: str = _setting("default", "Named set of settings to start from; left out, env_id chooses it.", "run")
    algo: str = _setting(
        "mbpo",
        "mbpo; sac, the same without a model; or pets, planning with the model, no policy.",
        "run",
        choices=("mbpo", "sac", "pets"),
    )
    env_id: str = _setting("Pendulum-v1", "Gymnasium environment, Name-v0 or module:Name-v0.", "environment")
    env_kwargs: Table = _setting(
        Table(), "Keyword arguments of the environment: key=value, values as in TOML, else text.", "environment"
    )
    wrappers: tuple[str, ...] = _setting(
        (),
        "Wrapper around the environment, 'module:Class(key=1.0)'; repeated, the first innermost.",
        "environment",
        flag="--wrapper",
        also=_wrong_wrappers,
    )
    time_limit: int | Auto = _setting(
        "auto",
        "An episode of so many steps ends by time, also where its environment calls that terminated; auto is the "
        "registered limit.",
        "environment",
        unit="env steps",
        low=1,
        high=10**8,
    )
    fresh_env: bool = _setting(
        False, "Make the environment anew for each episode: exact where reset leaves something behind.", "environment"
    )
    one_instance: bool = _setting(
        False,
        "Never make a second environment, as for hardware or a licence: evaluations wait for an episode's end.",
        "environment",
    )
    seed: int = _setting(
        0, "Seed of every random stream: same seed, same machine, same metrics.", "run", low=0, high=2**32 - 1
    )
    device: str = _setting("auto", "auto, cpu, cuda or cuda:N; auto takes CUDA when present.", "run")
    tf32: bool = _setting(True, "On a GPU: products round their factors to 10 bits of mantissa, and are faster.", "run")
    precision: str = _setting(
        "float32",
        "On a CPU: what products in updates, refits and imagined steps multiply: float32; or bfloat16, of 8 bits and "
        "sooner where the processor has it; auto is bfloat16 there. Sums and weights are float32.",
        "run",
        choices=("float32", "bfloat16", "auto"),
    )
    cuda_graphs: bool = _setting(
        True, "On a GPU: record updates, rollouts and refits as graphs; the same results, sooner.", "run"
    )
    threads: int | Auto = _setting(
        "auto",
        "CPU threads of the learner; auto is the number of cores, 4 at most.",
        "run",
        unit="threads",
        low=1,
        high=256,
    )
    profile: bool = _setting(
        False, "Write profile.json, where the wall time went; a GPU is waited for, and slower.", "run"
    )
    report: bool = _setting(
        True,
        "At its end the run leaves report.html and returns.png beside its tables, where bokeh and matplotlib are "
        "installed; with --seeds or --grid also one page that compares all.",
        "run",
    )
    total_steps: int = _setting(125_000, "Length of the run.", "run", unit="env steps", low=1, high=10**9)
    log_every: int = _setting(100, "Interval between rows of SAC metrics.", "run", unit="env steps", low=1, high=10**7)
    eval_every: int = _setting(1000, "Interval between evaluations.", "evaluation", unit="env steps", low=1, high=10**9)
    eval_episodes: int = _setting(
        10, "Episodes of tanh(mean) actions in each evaluation.", "evaluation", unit="episodes", low=1, high=1000
    )

    threshold: float | Auto = _setting(
        "auto",
        "Mean return from which on the task counts as solved: said, and nothing else; auto is what the environment "
        "was registered with, if anything.",
        "evaluation",
        unit="return",
        low=-1e9,
        high=1e9,
    )

    rollout_length: int | Auto = _setting(
        "auto",
        "k: imagined steps from each real state; auto leaves it to k_policy.",
        "trust",
        unit="steps",
        low=0,
        high=1000,
        live=True,
        dial=Dial(symbol="k", key="k", down="k one shorter", up="k one longer", metric="rollout/length"),
    )
    k_policy: str = _setting(
        "schedule",
        f"Rule for k where rollout_length is auto. {described(K_POLICIES)}.",
        "trust",
        choices=K_POLICIES,
        live=True,
    )
    k_options: Table = _setting(
        Table(), f"Options of rules for k, key=value. {options_described(K_POLICIES)}.", "trust", also=_wrong_options
    )
    rollout_limit: int | Auto = _setting(
        "auto",
        "H, the most steps that a rule which measures lets a rollout go; auto is bound 25, disagreement and mask 10, "
        "information 100, weight 4.",
        "trust",
        unit="steps",
        low=1,
        high=1000,
    )
    rollout_schedule: tuple[float, float, float, float] = _setting(
        (20.0, 150.0, 1.0, 1.0),
        "Epochs e0,e1 and lengths k0,k1: k rises from k0 to k1.",
        "trust",
        low=0,
        high=1_000_000,
        length=4,
        live=True,
        also=_wrong_schedule,
    )
    real_ratio: float = _setting(
        0.05,
        "Share of real rows in each SAC batch.",
        "trust",
        low=0,
        high=1,
        live=True,
        dial=Dial(
            key="r",
            down="less real data in each batch",
            up="more real data in each batch",
            stops=(0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
            metric="mix/real_ratio",
        ),
    )
    rollout_batch: int = _setting(
        100_000, "Real states from which each refit branches rollouts.", "trust", unit="rows", low=1, high=10**7
    )
    rollout_rows: int | Auto = _setting(
        "auto",
        "Imagined rows that each refit stores, from as many states as that takes; auto is k rows for each of "
        "rollout_batch, or one where a rule looks at every row.",
        "trust",
        unit="rows",
        low=1,
        high=10**8,
    )
    retain_epochs: int = _setting(
        1, "Epochs of imagined data kept in the model buffer.", "trust", unit="epochs", low=1, high=1000
    )

    warmup_steps: int = _setting(
        5000, "First steps, with uniform random actions and no updates.", "loop", unit="env steps", low=1, high=10**8
    )
    warmup_hold: int = _setting(
        1,
        "Steps for which each random warm-up action is held; more reach farther.",
        "loop",
        unit="env steps",
        low=1,
        high=10_000,
    )
    action_noise: str = _setting(
        "white",
        "What the policy explores by, after warm-up: white noise, new at each step; or pink, alike for many steps, "
        "which reaches farther (Eberhard et al., ICLR 2023). Imagined actions are white.",
        "loop",
        choices=("white", "pink"),
    )
    epoch_length: int = _setting(
        1000, "Length of an epoch, the unit of rollout_schedule.", "loop", unit="env steps", low=1, high=10**8
    )
    model_train_freq: int = _setting(
        250, "Interval between refits of the model.", "loop", unit="env steps", low=1, high=10**8, live=True
    )
    updates_per_step: int = _setting(
        20, "SAC updates after each env step.", "loop", unit="updates", low=0, high=1000, live=True
    )
    checkpoint_every: int = _setting(
        5000,
        "Interval between checkpoints, from which a run can be resumed.",
        "run",
        unit="env steps",
        low=1,
        high=10**9,
    )
    hang_after: int = _setting(
        900, "Without progress for so long, a run warns and writes where it stands.", "run", unit="s", low=1, high=10**7
    )
    real_buffer_capacity: int = _setting(1_000_000, "Real transitions kept.", "loop", unit="rows", low=1, high=10**8)

    ensemble_size: int = _setting(7, "Members E of the dynamics ensemble.", "model", unit="members", low=1, high=64)
    elites: int = _setting(
        5, "Members with the lowest holdout error, used in rollouts.", "model", unit="members", low=1, high=64
    )
    model_hidden: int = _setting(200, "Width of the model's hidden layers.", "model", unit="units", low=1, high=4096)
    model_layers: int = _setting(4, "Hidden layers of the model.", "model", unit="layers", low=1, high=16)
    model_lr: float = _setting(1e-3, "Adam's learning rate for the model.", "model", low=0, high=1, open_low=True)
    model_batch: int = _setting(256, "Rows per member in a model minibatch.", "model", unit="rows", low=1, high=10**6)
    model_max_epochs: int = _setting(
        200, "Most passes over the data in one refit.", "model", unit="epochs", low=1, high=10**5
    )
    model_patience: int = _setting(
        5,
        "A refit stops after more than this many passes without improvement.",
        "model",
        unit="epochs",
        low=0,
        high=10**4,
    )
    model_stop: str = _setting(
        "any",
        "An improvement is that of a member's holdout error by 1 %, of any, as in the paper; or of the elites' mean.",
        "model",
        choices=("any", "elites"),
    )
    holdout_ratio: float = _setting(
        0.2, "Share of real rows held out of training for good.", "model", low=0.01, high=0.5
    )
    holdout_max: int = _setting(5000, "Most rows held out.", "model", unit="rows", low=1, high=10**7)
    normalize_targets: bool = _setting(False, "Scale what the model predicts to unit variance.", "model")
    model_predicts: str = _setting(
        "delta",
        "What the model predicts besides the reward: delta, next_obs − obs, as in the paper; or next, next_obs itself.",
        "model",
        choices=("delta", "next"),
    )

    gamma: float = _setting(0.99, "Discount γ.", "sac", low=0, high=0.99999)
    reward_scale: float = _setting(
        1.0,
        "Critics and α see rewards times this; smaller where rewards are large.",
        "sac",
        low=0,
        high=1e6,
        open_low=True,
    )
    tau: float = _setting(
        0.005, "Step τ of the target critics toward the critics.", "sac", low=0, high=1, open_low=True
    )
    actor_lr: float = _setting(3e-4, "Adam's learning rate for the actor.", "sac", low=0, high=1, open_low=True)
    critic_lr: float = _setting(3e-4, "Adam's learning rate for the critics.", "sac", low=0, high=1, open_low=True)
    alpha_lr: float = _setting(3e-4, "Adam's learning rate for log α.", "sac", low=0, high=1, open_low=True)
    init_alpha: float = _setting(1.0, "First temperature α; it is learned.", "sac", low=0, high=1000, open_low=True)
    target_entropy: float | Auto = _setting(
        "auto",
        "Entropy that α aims at, of actions scaled to [−1, 1]; auto is −dim(A).",
        "sac",
        unit="nats",
        low=-1000,
        high=1000,
    )
    sac_hidden: int = _setting(256, "Width of the actor's and critics' layers.", "sac", unit="units", low=1, high=4096)
    sac_layers: int = _setting(2, "Hidden layers of the actor and critics.", "sac", unit="layers", low=1, high=16)
    critic: str = _setting("twin", f"Network of the values. {described(CRITICS)}.", "sac", choices=CRITICS)
    critic_norm: str = _setting(
        "none",
        "layer: LayerNorm in each hidden layer of the critics, before its ReLU.",
        "sac",
        choices=("none", "layer"),
    )
    sac_batch: int = _setting(256, "Rows in a SAC minibatch.", "sac", unit="rows", low=1, high=10**6)

    plan_horizon: int = _setting(
        25, "Length of the action sequences that pets compares.", "planning", unit="steps", low=1, high=1000
    )
    plan_candidates: int = _setting(
        200, "Action sequences in each iteration of the search.", "planning", unit="sequences", low=1, high=10**5
    )
    plan_elites: int = _setting(
        20, "Best sequences, toward which the search moves.", "planning", unit="sequences", low=1, high=10**5
    )
    plan_iterations: int = _setting(5, "Iterations of the search at each env step.", "planning", low=1, high=100)
    plan_particles: int = _setting(
        5, "Imagined futures over which each sequence is averaged.", "planning", low=1, high=1000
    )

    r_max: float | Auto = _setting(
        "auto",
        "Bound on |reward|; auto is the largest seen.",
        "bound",
        unit="reward per step",
        low=0,
        high=1e9,
        open_low=True,
    )
    bound_resolution: float = _setting(
        0.1,
        "σ₀ at which the model's error is measured, in target standard deviations.",
        "bound",
        low=0,
        high=10,
        open_low=True,
    )

    def __post_init__(self) -> None:
        for setting in SETTINGS.values():
            object.__setattr__(self, setting.name, setting.check(getattr(self, setting.name)))
        if self.elites > self.ensemble_size:
            raise ConfigError(f"elites must be at most ensemble_size {self.ensemble_size}, got {self.elites}")
        if self.plan_elites > self.plan_candidates:
            raise ConfigError(
                f"plan_elites must be at most plan_candidates {self.plan_candidates}, got {self.plan_elites}"
            )
        if self.critic_norm != "none" and self.critic != "twin":
            raise ConfigError(
                f"critic_norm {self.critic_norm} goes with critic twin alone, got critic {shown(self.critic)}"
            )
        if not DEVICE.match(self.device):
            raise ConfigError(f"device must be auto, cpu, cuda or cuda:N, got {shown(self.device)}")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, in the order of declaration."""
        plain = dataclasses.asdict(self)
        tables = {name: dict(value) for name, value in plain.items() if isinstance(value, dict)}
        lists = {name: list(value) for name, value in plain.items() if isinstance(value, tuple)}
        return {name: value for name, value in (plain | lists | tables).items() if value != {}}


def _default_of(field: dataclasses.Field[Any]) -> Value:
    made = field.default_factory
    return typing.cast(Value, field.default if made is dataclasses.MISSING else made())


def _declared() -> dict[str, Setting]:
    hints = typing.get_type_hints(Config)
    settings = {}
    for field in dataclasses.fields(Config):
        kinds = typing.get_args(hints[field.name]) or (hints[field.name],)
        kind = tuple if typing.get_origin(hints[field.name]) is tuple else kinds[0]
        if kind is Table or kinds[-1] is ...:
            kind = dict if kind is Table else list
        union = typing.get_origin(hints[field.name]) in (typing.Union, types.UnionType)
        settings[field.name] = Setting(
            name=field.name, kind=kind, default=_default_of(field), auto=union, **field.metadata
        )
    return settings


SETTINGS: Mapping[str, Setting] = _declared()
LIVE_SETTINGS: Mapping[str, Setting] = {n: s for n, s in SETTINGS.items() if s.live}


def resolve(overrides: Mapping[str, object], preset: str | None = None) -> Config:
    """Return the preset's settings with ``overrides`` in place of some; without a preset, ``env_id`` chooses it.

    Raises:
        ConfigError: an unknown preset or setting, a value that a setting refuses, or no environment.
    """
    preset = choose_preset(overrides) if preset is None else preset
    values = {**defaults_beside(preset, overrides), **overrides, "preset": preset}
    for name in overrides:
        if name not in SETTINGS:
            raise ConfigError(f"unknown setting {shown(name)}{nearest(name, SETTINGS)}")
    if "env_id" not in values:
        raise ConfigError(f"preset {preset} goes with any environment and names none: give env_id, as --env-id Name-v0")
    return Config(**{n: SETTINGS[n].check(v) for n, v in values.items()})  # type: ignore[arg-type]


def choose_preset(overrides: Mapping[str, object]) -> str:
    """Return the name of the preset that ``env_id`` chooses; where not even that is given, its declared default does.

    Raises:
        ConfigError: env_id is no text.
    """
    setting = SETTINGS["env_id"]
    return preset_for(str(setting.check(overrides.get("env_id", setting.default)))).name


def defaults_of(preset: str) -> dict[str, Value]:
    """Return what each setting is where nothing but ``preset`` is given; ``default`` has no env_id.

    Raises:
        ConfigError: an unknown preset.
    """
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {shown(preset)}{nearest(preset, PRESETS)}")
    declared = {name: setting.default for name, setting in SETTINGS.items() if name != "env_id"}
    return {**declared, **PRESETS[preset].settings, "preset": preset}


def defaults_beside(preset: str, overrides: Mapping[str, object]) -> dict[str, Value]:
    """Return :func:`defaults_of`; beside the environment of another task what solves the preset's own says nothing.

    Raises:
        ConfigError: an unknown preset.
    """
    found = defaults_of(preset)
    own, asked = found.get("env_id"), overrides.get("env_id", found.get("env_id"))
    if VERSION.sub("", str(own)) != VERSION.sub("", str(asked)):
        found["threshold"] = SETTINGS["threshold"].default
    return found


def resolve_run(recorded: Mapping[str, object]) -> Config:
    """Return the settings of a run from the contents of its config.toml.

    A run names its preset; where a person took the line out, it means what it has always meant.

    Raises:
        ConfigError: as :func:`resolve`.
    """
    values = {"preset": "pendulum", **recorded}
    return resolve(values, str(values.pop("preset")))
