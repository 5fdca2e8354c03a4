"""Run one learner process per seed: plan, pool, display, summary. Imports no torch."""
