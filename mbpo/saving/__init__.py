"""Checkpoints: written so that a crash, or a flipped bit, never passes for one."""
