#!/usr/bin/env bash
# colorednoise 2.2.0 (numpy 2.4.6): powerlaw_psd_gaussian is "normalised to unit variance", but only about the mean of
# each series. The mean varies as well, so over many series one value has a variance of 1.07 (pink, 1,000 samples), 1.10
# (pink, 200), 1.26 (pink, 10), 1.3 (brown, any length); of two samples a variance of 4, about their mean 2.
# Why it matters here: reinforcement learning explores by such noise in place of a standard normal, a series an episode.
# Taken as one, its log-densities are wrong, and short episodes explore by far more than the policy says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check colorednoise==2.2.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from colorednoise import powerlaw_psd_gaussian

rng = np.random.default_rng(0)
described = {(1, 2): (4.0, 2.0), (1, 10): (1.26, 1.03), (1, 200): (1.10, 1.0), (1, 1000): (1.07, 1.0)}
described[2, 200] = (1.3, 1.0)
for (exponent, samples), (of_a_value, about_its_mean) in described.items():
    series = powerlaw_psd_gaussian(exponent, (40_000, samples), random_state=rng)
    seen = (series**2).mean(), series.var(axis=1).mean()
    print(f"exponent {exponent}, {samples} samples: variance of a value {seen[0]:.3f}, about each mean {seen[1]:.3f}")
    assert np.allclose(seen, (of_a_value, about_its_mean), rtol=0.03), "changed"
PY
echo "as described: colorednoise 2.2.0"
