#!/usr/bin/env bash
# minari 0.5.4: `pip install "minari[hdf5]"` succeeds, pip check finds nothing wrong, and creating a dataset raises
# ModuleNotFoundError: No module named 'PIL': its HDF5 storage imports Pillow, which none of its extras names.
# Then, with Pillow there: create_dataset_from_buffers takes an episode whose T steps have T observations instead of
# T + 1, or 2 actions for 5 rewards, or observations that are not in the space, and stores it without a word; the
# dataset reads back as it was given. And a namespace called "data" makes list_local_datasets fail for every dataset
# there is: it takes the root for a dataset, since that holds a folder named data.
# Why it matters here: a learner that reads obs[t + 1] at the last step meets an index error, or another episode, long
# after the export; who writes a dataset has to check lengths and names alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" --quiet --disable-pip-version-check)
"${pip[@]}" install "minari[hdf5]==0.5.4" gymnasium==1.4.0 numpy==2.4.6
"${pip[@]}" check
cd "$folder"
export MINARI_DATASETS_PATH="$folder/datasets"
cat >write.py <<'PYTHON'
import sys
import warnings

import minari
import numpy as np
from gymnasium.spaces import Box
from minari.data_collector import EpisodeBuffer

warnings.simplefilter("ignore")
name, observations, actions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
episode = EpisodeBuffer(
    observations=np.full((observations, 3), 9.0),
    actions=np.zeros((actions, 1), np.float32),
    rewards=np.zeros(5),
    terminations=np.zeros(5, bool),
    truncations=np.arange(5) == 4,
)
spaces = {"observation_space": Box(-1, 1, (3,)), "action_space": Box(-1, 1, (1,))}
minari.create_dataset_from_buffers(name, [episode], **spaces)
found = minari.load_dataset(name)[0]
print(f"{name}: {len(found.rewards)} rewards, {found.observations.shape} observations, {found.actions.shape} actions")
assert found.observations.shape == (observations, 3) and found.actions.shape == (actions, 1)
PYTHON
"$folder/venv/bin/python" write.py toy/right-v0 6 5 2>&1 | tail -n 1 | tee error || true
grep -q "^ModuleNotFoundError: No module named 'PIL'" error
rm -rf "$MINARI_DATASETS_PATH"
"${pip[@]}" install pillow==13.0.0
"$folder/venv/bin/python" write.py toy/right-v0 6 5
"$folder/venv/bin/python" write.py toy/short-v0 5 5
"$folder/venv/bin/python" write.py toy/few-v0 6 2
list='import minari; print("datasets:", list(minari.list_local_datasets()))'
"$folder/venv/bin/python" -c "$list"
"$folder/venv/bin/python" write.py data/one-v0 6 5
"$folder/venv/bin/python" -c "$list" 2>&1 | tail -n 1 | tee error || true
grep -q "^ValueError: Malformed dataset ID" error
echo "as described: minari 0.5.4"
