"""The run directory: the contract between learner, app, command line and cluster."""

from mbpo.runs.dataframe import load_runs

__all__ = ["load_runs"]
