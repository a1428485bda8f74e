"""The registered model: feature rows in, probability, points and label out.

MLflow runs this file when it loads the model. Rows are those that ``leadscore score
--features`` writes; ``status`` may be absent, then every lead is taken to be eligible.
What is said of a row is what `leadscore score` says, by the same function; but nothing
is remembered here: the label is the one that the row alone would have, without
quarantine, and none is entered into a ledger.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from leadscore.bundle import load_bundle
from leadscore.judge import judge, typed_features
from leadscore.snapshots import ELIGIBLE

__all__ = ["LeadscoreModel"]


class LeadscoreModel(PythonModel):
    """A bundle behind MLflow's interface."""

    def load_context(self, context: Any) -> None:
        """Read the bundle, with all the checks that scoring makes."""
        folder = Path(context.artifacts["bundle"])
        self.bundle = load_bundle(folder.parent, folder.name)

    def predict(
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return ``probability, points, label`` of each row, in the order given."""
        features = typed_features(self.bundle, model_input)
        nothing = pd.Series("", features.index, dtype="str")
        status = nothing.replace("", ELIGIBLE)
        if "status" in model_input:
            status = model_input["status"].fillna(ELIGIBLE).astype("str")
        said = judge(self.bundle, features, status, nothing).said
        return said[["probability", "points", "label"]]


mlflow.models.set_model(LeadscoreModel())
