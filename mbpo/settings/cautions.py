"""Name what may be asked for and is hardly meant: a run warns of it, and the app's forms show it before."""

from __future__ import annotations

from collections.abc import Iterator

from mbpo.settings.config import Config


def cautions(config: Config) -> Iterator[str]:
    """Yield each in words, with a mend."""
    if config.total_steps <= config.warmup_steps:
        yield (
            f"nothing will be trained: total_steps {config.total_steps:,} ends within warmup_steps "
            f"{config.warmup_steps:,}; give more --total-steps or fewer --warmup-steps"
        )
    if config.k_policy != "schedule" and config.rollout_length != "auto" and config.algo == "mbpo":
        yield (
            f"k_policy {config.k_policy} decides nothing: rollout_length {config.rollout_length} has the last word; "
            "give --rollout-length auto"
        )
