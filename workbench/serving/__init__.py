"""Show the app in a browser on this machine, by textual-serve."""
