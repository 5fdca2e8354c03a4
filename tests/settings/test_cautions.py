"""What may be asked for and is hardly meant is said, with a mend."""

from __future__ import annotations

import pytest

from mbpo.settings.cautions import cautions
from mbpo.settings.config import resolve


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k_policy": "mask"}, "k_policy mask decides nothing: rollout_length 1 has the last word"),
        ({"k_policy": "mask", "rollout_length": "auto"}, ""),
        ({"k_policy": "mask", "algo": "sac"}, ""),
        ({"rollout_length": 3}, ""),
    ],
)
def test_a_rule_for_k_that_a_number_overrules(given: dict[str, object], said: str) -> None:
    found = list(cautions(resolve(given, "debug")))
    assert len(found) == bool(said)
    assert all(line.startswith(said) for line in found)
