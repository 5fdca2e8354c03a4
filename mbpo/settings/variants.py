"""Name the variants of a part that a setting chooses among: a file and a row here add one."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """Describe a number that one choice alone knows."""

    default: float
    doc: str
    low: float
    high: float


@dataclass(frozen=True)
class Variant:
    """Describe one choice, and where what makes it is found."""

    doc: str
    factory: str  # module:name, imported when a run that uses it is built
    options: Mapping[str, Option] = field(default_factory=dict)  # the factory's keyword arguments

    def chosen(self, given: Mapping[str, Any]) -> dict[str, float]:
        """Return its options: those ``given``, and for the rest their defaults."""
        return {name: float(given.get(name, option.default)) for name, option in self.options.items()}

    def load(self) -> Any:
        """Import and return the factory; what it takes is said where the table is."""
        module, _, name = self.factory.partition(":")
        return getattr(importlib.import_module(module), name)


# Rules for k. Each takes the Config and its options and is a mbpo.trust.policies.KPolicy.
K_POLICIES: dict[str, Variant] = {
    "schedule": Variant("k rises with the epoch, as rollout_schedule says", "mbpo.trust.policies.schedule:Schedule"),
    "bound": Variant("k*, which makes the theorem's bound smallest", "mbpo.trust.policies.bound:Bound"),
    "disagreement": Variant(
        "a rollout stops where the elites disagree (MACURA)",
        "mbpo.trust.policies.disagreement:Disagreement",
        {
            "zeta": Option(95.0, "percentile of the disagreement at first steps", 0.0, 100.0),
            "xi": Option(2.0, "times that percentile is where a rollout stops", 0.0, 1e6),
        },
    ),
    "mask": Variant(
        "at each step the rows that agree best are stored (M2AC)",
        "mbpo.trust.policies.mask:Mask",
        {"penalty": Option(0.001, "reward taken off for each unit of disagreement", 0.0, 1e6)},
    ),
    "information": Variant(
        "a rollout stops where too much is unknown, and samples what is known (Infoprop)",
        "mbpo.trust.policies.information:Information",
        {
            "rare": Option(0.9999, "quantile on real rows that one step may reach", 0.0, 1.0),
            "usual": Option(0.01, "quantile on real rows that a step of H may cost on average", 0.0, 1.0),
        },
    ),
    "weight": Variant("rows on which the elites disagree count for less (WIMLE)", "mbpo.trust.policies.weight:Weight"),
}

# Critics. Each is a mbpo.sac.networks.Critic and takes what TwinCritic takes.
CRITICS: dict[str, Variant] = {"twin": Variant("two multilayer perceptrons", "mbpo.sac.networks:TwinCritic")}


def described(variants: dict[str, Variant]) -> str:
    """Return the choices in words, for help."""
    return "; ".join(f"{name}: {variant.doc}" for name, variant in variants.items())


def options_described(variants: dict[str, Variant]) -> str:
    """Return every option in words, for help."""
    return "; ".join(
        f"{variant}'s {name}, {option.doc} ({option.default:g})"
        for variant, found in variants.items()
        for name, option in found.options.items()
    )


def wrong_options(variants: dict[str, Variant], given: Mapping[str, Any]) -> str:
    """Say what is wrong with options of which each belongs to one of the ``variants``; nothing where all is right."""
    known = {name: option for variant in variants.values() for name, option in variant.options.items()}
    for name, value in given.items():
        if name not in known:
            return f"name options of a rule ({', '.join(known)}), got {name}"
        option = known[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not option.low <= value <= option.high:
            return f"have {name} in [{option.low:g}, {option.high:g}], got {value}"
    return ""
