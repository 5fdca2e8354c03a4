"""Compare groups of finished or running runs over their seeds: read, group, measure, show."""
