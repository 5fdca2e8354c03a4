#!/usr/bin/env bash
# MuJoCo 4.0.0 (3.3.0 and 3.17.0 too): where mj_step finds positions, velocities or accelerations that are not finite or
# huge, it puts the simulation back to its start and sets that warning's counter to 1, not one higher: the reset clears
# all counters first. So data.warning[...].number reads 1 after one explosion and after four, and the time begins at 0.
# Why it matters here: whoever compares the counter with what it was before a step misses the second explosion and all
# later ones, unless something clears it in between; ours clears it before each step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mujoco==4.0.0 numpy==2.4.6
cd "$folder" # MuJoCo writes MUJOCO_LOG.TXT where it is
"$folder/venv/bin/python" - <<'PYTHON'
import mujoco

model = mujoco.MjModel.from_xml_string(
    "<mujoco><worldbody><body><joint type='hinge'/><geom size='.1' pos='.3 0 0'/></body></worldbody></mujoco>"
)
data = mujoco.MjData(model)
bad = mujoco.mjtWarning.mjWARN_BADQVEL
seen = []
for _ in range(4):
    for _ in range(10):
        mujoco.mj_step(model, data)
    data.qvel[:] = 1e300
    mujoco.mj_step(model, data)
    seen.append((data.warning[bad].number, round(data.time, 6)))
print(f"mujoco {mujoco.__version__}: (counter, time) after each of 4 explosions: {seen}")
assert seen == [(1, 0.002)] * 4
PYTHON
echo "as described"
