"""Real environments: made, stepped, evaluated, and the rules by which they terminate."""
