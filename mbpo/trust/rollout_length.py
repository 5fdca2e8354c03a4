"""Know the k in force: the one place that does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbpo.settings.config import Config
from mbpo.settings.variants import K_POLICIES
from mbpo.trust.estimates import Estimates
from mbpo.trust.policies import KPolicy


class RolloutLength:
    """Choose k: the user's hand has the last word, then the rule of ``k_policy``; 0 but for mbpo."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._policy: KPolicy = K_POLICIES[config.k_policy].load()(config)

    def take_in(self, estimates: Estimates | None) -> None:
        """Let the rule look at what a refit measured, before k is chosen for its rollouts."""
        if estimates is not None:
            self._policy.take_in(estimates)

    def in_force(self, env_steps: int, settings: Mapping[str, Any]) -> int:
        """Return k at ``env_steps`` under the live ``settings``."""
        config = self._config
        if config.algo != "mbpo":
            return 0
        if settings["rollout_length"] != "auto":
            return int(settings["rollout_length"])
        epoch = max(0, env_steps - config.warmup_steps) // config.epoch_length
        return self._policy.length(epoch, settings)

    def state_dict(self) -> dict[str, Any]:
        """Return what the rule remembers, for a checkpoint; {} where that is nothing."""
        state = self._policy.state_dict()
        return {"policy": self._config.k_policy, "state": state} if state else {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember it again; a fork under another rule begins with nothing, as does a run of an older version."""
        if saved.get("policy") == self._config.k_policy:
            self._policy.load_state_dict(saved["state"])
