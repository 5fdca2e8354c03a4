#!/usr/bin/env bash
# metaworld 3.1.1 with gymnasium 1.4.0: `pip install metaworld` succeeds, pip check finds nothing wrong, and `import
# metaworld` raises ModuleNotFoundError: No module named 'packaging'. It imports gymnasium.envs.mujoco, which imports
# packaging, which only Gymnasium's extra [mujoco] names; metaworld requires gymnasium without it.
# Then, with packaging there: every observation of Meta-World/MT1 lies outside its observation space, in numbers 36 to
# 38, the goal, whose bounds are 0 to 0; and reset(seed=7) of two environments made alike gives two goals after one of
# them was reset before: the goal comes from a wrapper's own stream, which no reset seeds.
# Why it matters here: scaling by the bounds divides by 0, and an episode played again from its seed has another goal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" --quiet --disable-pip-version-check)
"${pip[@]}" install metaworld==3.1.1 gymnasium==1.4.0 mujoco==3.3.0 numpy==2.4.6
"${pip[@]}" check
cd "$folder"
"$folder/venv/bin/python" -c "import metaworld" 2>&1 | tail -n 1 | tee error || true
grep -q "^ModuleNotFoundError: No module named 'packaging'" error
"${pip[@]}" install packaging==26.3
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import gymnasium
import metaworld
import numpy as np

assert metaworld
one, other = (gymnasium.make("Meta-World/MT1", env_name="reach-v3", seed=0) for _ in range(2))
space, outside = one.observation_space, set()
other.reset(seed=1)
for at in range(50):
    obs, _ = one.reset(seed=7) if at == 0 else (one.step(one.action_space.sample())[0], None)
    assert not space.contains(obs)
    outside |= set(np.flatnonzero((obs < space.low) | (obs > space.high)).tolist())
    first = obs if at == 0 else first
second, _ = other.reset(seed=7)
print(f"metaworld {importlib.metadata.version('metaworld')}: outside in numbers {sorted(outside)}")
print(f"their bounds: {space.low[36:39]} to {space.high[36:39]}")
print(f"goals after reset(seed=7): {first[36:39].round(3)} and {second[36:39].round(3)}")
assert outside == {36, 37, 38} and not space.high[36:39].any()
assert not np.array_equal(first[36:39], second[36:39])
PYTHON
echo "as described"
