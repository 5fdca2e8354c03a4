"""Declare every setting of a run once. Imports no torch."""
