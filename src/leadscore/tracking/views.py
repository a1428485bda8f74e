"""Views: what a reader of MLflow sees first, and the links that lead there.

MLflow opens on pages for other trades; a link with `MODE` opens on ours. The saved view
is an experiment tag of a format that MLflow does not document: where it changes, the
reader gets the plain table.
"""

from __future__ import annotations

import base64
import json
import zlib

from leadscore.tracking.registry import MODEL_NAME, Version
from leadscore.tracking.store import Store

__all__ = ["links", "save_marketing_view"]

MODE = "workflowType=machine_learning"
_VIEW = "marketing"
_COLUMNS = (
    "metrics.`precision`",
    "metrics.`points_only`",
    "tags.`status`",
)
_STATE = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": list(_COLUMNS),
    "columnOrder": [],
    "columnWidths": {},
    "runsHiddenMode": "FIRST_10_RUNS",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": False,
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "globalLineChartConfig": {
        "xAxisKey": "step",
        "lineSmoothness": 0,
        "selectedXAxisMetricKey": "",
    },
}


def save_marketing_view(store: Store) -> None:
    """Keep the columns that marketing reads as a saved view of the experiment."""
    state = zlib.compress(json.dumps(_STATE).encode())
    view = {
        "name": "For marketing",
        "createdAt": 0,
        "updatedAt": 0,
        "state": "deflate;" + base64.b64encode(state).decode(),
    }
    store.client.set_experiment_tag(
        store.experiment_id, f"mlflow.sharedViewState.{_VIEW}", json.dumps(view)
    )


def links(base: str, experiment_id: str, version: Version | None) -> dict[str, str]:
    """Return the pages worth opening, by what they show.

    Parameters
    ----------
    base : str
        Of the server, like ``http://127.0.0.1:5000``.
    experiment_id : str
    version : Version or None
        Whose report, run and version page; None where nothing was trained yet.
    """
    pages = {"all retrains": f"experiments/{experiment_id}/runs"}
    if version is not None:
        run = f"experiments/{experiment_id}/runs/{version.run_id}"
        pages |= {
            "the report": f"{run}/artifacts/report/index.html",
            "its run": run,
            "the model": f"models/{MODEL_NAME}",
            "its version": f"models/{MODEL_NAME}/versions/{version.number}",
        }
    shown = {what: f"{base}/#/{page}?{MODE}" for what, page in pages.items()}
    shown["all retrains"] += f"&viewStateShareKey={_VIEW}"
    return shown
