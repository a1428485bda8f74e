"""The model as MLflow keeps and serves it: built from code, nothing pickled.

Goes in: a bundle and its folder. Comes out: a folder that ``mlflow models serve`` and
``mlflow.pyfunc.load_model`` understand. It holds the bundle as it is, digests and all,
our source, a signature, and the exact libraries: without a list of them mlflow would
find out by running the model in another process, for half a minute.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from leadscore.bundle import Bundle
from leadscore.judge import feature_columns

__all__ = ["write_package"]

_CODE = Path(__file__).with_name("pyfunc.py")
_SOURCE = Path(__file__).parent.parent
_LIBRARIES = (
    "joblib",
    "mlflow",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "scipy",
    "skops",
    "threadpoolctl",
    "tzdata",
)


def write_package(
    bundle: Bundle, folder: Path, target: Path, *, run_id: str, model_id: str
) -> None:
    """Write the model to ``target``, which must not exist.

    Parameters
    ----------
    bundle : Bundle
    folder : Path
        Where it lies; it is copied.
    target : Path
    run_id, model_id : str
        MLflow's names of the run and of the logged model.
    """
    with warnings.catch_warnings():
        # It asks for type hints and for an example, of its own code, too. The signature
        # says it all, and an example would be a row of somebody.
        warnings.simplefilter("ignore", UserWarning)
        import mlflow.pyfunc
        from mlflow.models import Model

        mlflow.pyfunc.save_model(
            target,
            python_model=str(_CODE),
            artifacts={"bundle": str(folder.resolve())},
            code_paths=[str(_SOURCE)],
            signature=_signature(bundle),
            pip_requirements=_requirements(bundle),
            mlflow_model=Model(run_id=run_id, model_id=model_id),
        )


def _requirements(bundle: Bundle) -> list[str]:
    """Return the libraries that the model needs, optional ones only if it does."""
    extras = bundle.agreement.training.extras if bundle.model else ()
    return [f"{name}=={version(name)}" for name in (*_LIBRARIES, *extras)]


def _signature(bundle: Bundle) -> Any:
    """Return what goes in and out.

    A number is a double: counts may be null. A word may be of any type: pandas makes a
    column of words that are all null a column of numbers. Our own code checks both.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    taken = [
        ColSpec(AnyType() if kind == "string" else kind, name)  # type: ignore[no-untyped-call]
        for name, kind in feature_columns(bundle).items()
    ]
    said = {"probability": "double", "points": "long", "label": "string"}
    return ModelSignature(
        Schema([*taken, ColSpec("string", "status", required=False)]),
        Schema([ColSpec(kind, name) for name, kind in said.items()]),
    )
