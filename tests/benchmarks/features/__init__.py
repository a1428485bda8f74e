"""What the feature columns cost: our engine against what people use instead."""
