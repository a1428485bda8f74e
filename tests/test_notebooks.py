"""The notebooks run from the first cell to the last, and are kept without outputs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_not_in_version_control(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert cells
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        (
            "01_first_model",
            [
                "a conversion with this model",
                "rows, the same to the last bit",
                "hand_raised",
            ],
        ),
        (
            "02_your_own_data",
            [
                "horizon 90 days",
                "A model can be trained and judged",
                "judged on",
                "leads scored as of 2026-01-01",
            ],
        ),
        (
            "03_promises_kept",
            [
                "MQL or better promises 10%",
                "TOO EARLY",
                "MQL or better at least 10 %",
                "all as it was written",
                "receipt 1: ",
            ],
        ),
    ],
)
def test_a_notebook_runs_and_says_what_it_should(
    name: str, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbclient import NotebookClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    notebook = read(ROOT / "notebooks" / f"{name}.ipynb")
    resources = {"metadata": {"path": str(ROOT / "notebooks")}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the kernel's own, not ours
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    shown = "".join(
        output.get("text", "") + str(output.get("data", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    for sentence in sentences:
        assert sentence in shown, sentence
    assert "Traceback" not in shown
