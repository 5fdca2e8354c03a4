"""One run as a process: where it begins, what it counts and writes, how it ends."""
