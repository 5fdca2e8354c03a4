"""The learned model of the environment: ensemble, refits and imagined rollouts."""
