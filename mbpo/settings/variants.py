"""Name the variants of a part that a setting chooses among: a file and a row here add one."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Variant:
    """Describe one choice, and where what makes it is found."""

    doc: str
    factory: str  # module:name, imported when a run that uses it is built

    def load(self) -> Any:
        """Import and return the factory; what it takes is said where the table is."""
        module, _, name = self.factory.partition(":")
        return getattr(importlib.import_module(module), name)


# Rules for k. Each takes the Config and is a mbpo.trust.policies.KPolicy.
K_POLICIES: dict[str, Variant] = {
    "schedule": Variant("k rises with the epoch, as rollout_schedule says", "mbpo.trust.policies.schedule:Schedule")
}

# Critics. Each is a mbpo.sac.networks.Critic and takes what TwinCritic takes.
CRITICS: dict[str, Variant] = {"twin": Variant("two multilayer perceptrons", "mbpo.sac.networks:TwinCritic")}


def described(variants: dict[str, Variant]) -> str:
    """Return the choices in words, for help."""
    return "; ".join(f"{name}: {variant.doc}" for name, variant in variants.items())
