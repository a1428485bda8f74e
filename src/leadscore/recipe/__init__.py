"""The recipe: one classifier with scikit-learn's contract, and what it is made of."""

from __future__ import annotations

from leadscore.recipe.classifier import EXTRAS, RECIPES, LeadClassifier, recipes

__all__ = ["EXTRAS", "RECIPES", "LeadClassifier", "recipes"]
