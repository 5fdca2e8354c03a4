"""Film an episode of a saved policy, and beside it what the model imagines from the same start and actions."""
