#!/usr/bin/env bash
# torch 2.13.0 (CPU), torch.optim.Adam, also fused: one finite gradient of 1e21 in float32 makes the weight's second
# moment infinite, since (1 − β₂)·1e42 is no float32. From then on every update of that weight is g/√∞ = 0: it never moves again.
# Loss, gradients, weights and moments' mean stay finite, and torch.amp's check for infinities, which looks at
# gradients, passes. Seen: the weight with the large gradient moved by 0.0 in 1,000 later steps, its neighbour by 1.0.
# Why it matters here: one observation of 1e16 froze a fifth of a critic, silently, for the rest of a run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.3.4
"$folder/venv/bin/python" - <<'PYTHON'
import math

import torch

for fused in (False, True):
    weight = torch.nn.Parameter(torch.zeros(2))
    adam = torch.optim.Adam([weight], lr=1e-3, fused=fused)
    weight.grad = torch.tensor([1e21, 1.0])  # finite
    assert weight.grad.isfinite().all()
    adam.step()
    then = weight.detach().clone()
    for _ in range(1000):
        weight.grad = torch.ones(2)
        adam.step()
    moved = (weight.detach() - then).abs().tolist()
    second = adam.state[weight]["exp_avg_sq"].tolist()
    print(f"torch {torch.__version__} fused={fused}: moved {moved[0]:.1f} and {moved[1]:.1f}; second moments {second}")
    assert moved[0] == 0.0 and 0.9 < moved[1] < 1.1
    assert math.isinf(second[0]) and weight.isfinite().all()
PYTHON
echo "as described"
