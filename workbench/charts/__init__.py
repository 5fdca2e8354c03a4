"""Say what each chart shows of a run, and of several: a file for each, and a row in ``table``."""
