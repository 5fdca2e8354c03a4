"""Rules for k, one file each."""
