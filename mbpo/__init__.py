"""Learn a model, trust it for k steps, and show what that trust costs.

The loop is ``mbpo/train.py``. Importing this package imports no torch.
"""

import os

__version__ = "0.1.0"

# Torch's CPU threads (libgomp) wait for each other in a loop, 300,000 turns by default, and beside
# another busy process that takes the very core they wait for: a SAC update took 32 ms, not 6.
# A thousand turns are as fast on a quiet machine. Read once, when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
