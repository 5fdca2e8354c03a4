"""The run directory: the contract between learner, app, command line and cluster."""
