"""Time every hot thing beside the strongest alternatives; ``make bench`` prints the table."""
