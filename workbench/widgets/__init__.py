"""Draw the parts of a screen: charts, runs, controls, events."""
