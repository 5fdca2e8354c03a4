#!/usr/bin/env bash
# gymnasium 1.4.0, Box2D 2.3.10, BipedalWalker-v3: the same seed and the same actions lead to other observations in an
# environment that played episodes before than in a fresh one: reset() destroys the bodies and keeps Box2D's world. It shows
# in some episodes only. Seen: 6 of 12 in a row differ from the same ones alone, at first by at most 0.011.
# LunarLanderContinuous-v3, which makes a new world at each reset, has no such difference.
# Why it matters here: an episode that was cut off cannot be played again, exactly, in a new process.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gymnasium==1.4.0 Box2D==2.3.10 pygame-ce==2.5.8 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import gymnasium
import numpy as np


def episode(env, seed):
    obs, _ = env.reset(seed=seed)
    found, rng = [obs], np.random.default_rng(seed)
    for _ in range(300):
        action = rng.uniform(env.action_space.low, env.action_space.high).astype(np.float32)
        obs, _, terminated, _, _ = env.step(action)
        found.append(obs)
        if terminated:
            break
    return found


for env_id, fewest in (("BipedalWalker-v3", 4), ("LunarLanderContinuous-v3", 0)):
    used, differing, first = gymnasium.make(env_id), 0, []
    for seed in range(12):
        later, alone = episode(used, seed), episode(gymnasium.make(env_id), seed)
        off = [np.abs(a - b).max() for a, b in zip(later, alone) if not np.array_equal(a, b)]
        differing += bool(off)
        first += off[:1]
    largest = f", first by at most {max(first):.1e}" if first else ""
    print(f"gymnasium {gymnasium.__version__} {env_id}: {differing} of 12 episodes differ{largest}")
    assert (differing >= fewest and max(first) < 0.05) if fewest else differing == 0
PYTHON
echo "as described"
