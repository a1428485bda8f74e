"""The recipe: one classifier with scikit-learn's contract, and what it is made of."""

from __future__ import annotations

from leadscore.recipe.classifier import RECIPES, LeadClassifier

__all__ = ["RECIPES", "LeadClassifier"]
