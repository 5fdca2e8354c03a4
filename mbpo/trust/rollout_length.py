"""Know the k in force, and the rule that chose it: the one place that does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mbpo.settings.config import Config
from mbpo.settings.variants import K_POLICIES
from mbpo.trust.policies import Evidence, KPolicy, Report, RowPolicy


class RolloutLength:
    """Choose k: the user's hand has the last word, then the live ``k_policy``; 0 but for mbpo.

    A rule that is switched to begins at the next refit, with nothing to remember.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._name = config.k_policy
        self._policy = self._made(config.k_policy)

    def calibrate(self, settings: Mapping[str, Any], evidence: Evidence) -> None:
        """Let the rule in force look at the model after a refit, before k is chosen for its rollouts."""
        if self._by_hand(settings):
            return
        if settings["k_policy"] != self._name:
            self._name, self._policy = settings["k_policy"], self._made(settings["k_policy"])
        self._policy.calibrate(evidence)

    def in_force(self, env_steps: int, settings: Mapping[str, Any]) -> int:
        """Return k at ``env_steps`` under the live ``settings``; of a rule that looks at rows, the most steps."""
        config = self._config
        if config.algo != "mbpo":
            return 0
        if self._by_hand(settings):
            return int(settings["rollout_length"])
        epoch = max(0, env_steps - config.warmup_steps) // config.epoch_length
        return self._in_force(settings).length(epoch, settings)

    def row_rule(self, settings: Mapping[str, Any]) -> RowPolicy | None:
        """Return the rule that looks at every imagined row, where such a one is in force."""
        policy = None if self._by_hand(settings) else self._in_force(settings)
        return policy if isinstance(policy, RowPolicy) else None

    def report(self, settings: Mapping[str, Any]) -> Report:
        """Return the thresholds of the rule in force under their metric keys."""
        return {} if self._by_hand(settings) else self._in_force(settings).report()

    def state_dict(self) -> dict[str, Any]:
        """Return what the rule remembers, for a checkpoint; {} where that is nothing."""
        state = self._policy.state_dict()
        return {"policy": self._name, "state": state} if state else {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Remember it again. A rule of another version, that is no more, is forgotten."""
        if saved.get("policy") in K_POLICIES:
            self._name, self._policy = saved["policy"], self._made(saved["policy"])
            self._policy.load_state_dict(saved["state"])

    def _by_hand(self, settings: Mapping[str, Any]) -> bool:
        return bool(self._config.algo != "mbpo" or settings["rollout_length"] != "auto")

    def _in_force(self, settings: Mapping[str, Any]) -> KPolicy:
        name = settings["k_policy"]
        return self._policy if name == self._name else self._made(name)

    def _made(self, name: str) -> KPolicy:
        variant = K_POLICIES[name]
        policy: KPolicy = variant.load()(self._config, **variant.chosen(self._config.k_options))
        return policy
