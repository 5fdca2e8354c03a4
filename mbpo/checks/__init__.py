"""Look at an environment or a run directory, and say in words what to mend."""
