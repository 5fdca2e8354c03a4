"""When to trust the model: the theorems, their estimates, and rules for k."""
