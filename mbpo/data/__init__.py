"""Transitions and the buffers that hold them."""
