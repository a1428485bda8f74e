"""The quality benchmark: our classifier and its rivals on the same tasks."""
