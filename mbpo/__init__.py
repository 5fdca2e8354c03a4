"""Learn a model, trust it for k steps, and show what that trust costs.

The loop is ``mbpo/train.py``. Importing this package imports no torch.
"""

__version__ = "0.1.0"
