"""Run studies, tasks × rules × seeds, on one machine or on a cluster: each run a process in its own run directory.

Whatever engine starts a run, it starts :mod:`mbpo.studies.task`, which begins it or goes on with it. What a study has
come to is read from the run directories alone, so that an engine that starts a run twice changes no result.
"""
