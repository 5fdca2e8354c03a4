"""Choose actions by planning with the model."""
