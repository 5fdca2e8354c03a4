"""Soft actor-critic, over transitions of any origin."""
