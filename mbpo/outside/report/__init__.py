"""Write a run, or several side by side, as one HTML file that opens from disk and asks nobody for anything."""
