"""Workflows: one straight-line recipe a verb, the only composers."""
