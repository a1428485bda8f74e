"""The bundle: one trained model as one self-describing folder.

    models/<model_id>/
        agreement.toml    as it was read      agreement.json   with every default
        catalogue.json    columns and words   model.json       columns, settings
        classifier.skops  the classifier      policy.json      thresholds, edges
        metrics.json      the contest         provenance.json  data, code, versions
        manifest.json     sha256 of each of the above

Goes in: a `Bundle`. Comes out: the same. Nothing is unpickled: the classifier is read
by skops with the fixed list `TRUSTED_TYPES`, after the digests of all files were
checked on the very bytes that are then used. A file too many is refused like one that
is missing or altered. Digests find accidents and careless edits; they are no signature.
Where there was too little to learn from, ``model`` is None and ``classifier.skops`` is
absent.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sklearn
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from leadscore import files
from leadscore.agreement import Agreement
from leadscore.errors import InputError, RefusedError
from leadscore.features import Catalogue
from leadscore.model import FittedModel
from leadscore.policy import Threshold
from leadscore.recipe.lightgbm_trees import is_installed

__all__ = [
    "MODEL_ID",
    "TRUSTED_TYPES",
    "Bundle",
    "check_models",
    "current_model",
    "load_bundle",
    "name_current",
    "save_bundle",
    "set_current",
]

FORMAT = 5
MODEL_ID = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{8}")
MANIFEST = "manifest.json"
CLASSIFIER = "classifier.skops"

# What our candidates are made of and skops does not trust by itself. A type that is not
# here is refused on loading: the list is never taken from the file.
TRUSTED_TYPES = (
    "leadscore.calibration.Sigmoid",
    "leadscore.recipe.blend.Blend",
    "leadscore.recipe.boosting.Boosting",
    "leadscore.recipe.classifier.LeadClassifier",
    "leadscore.recipe.columns.Columns",
    "leadscore.recipe.design.Design",
    "leadscore.recipe.lightgbm_trees.LightGBM",
    "leadscore.recipe.linear.Linear",
    "leadscore.recipe.prior.Prior",
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)


@dataclass(frozen=True)
class Bundle:
    """A trained model with everything that scoring needs.

    Parameters
    ----------
    model_id : str
    agreement : Agreement
    agreement_text : str
        The file as marketing and sales wrote it.
    catalogue : Catalogue
    model : FittedModel or None
        None: too little to learn from, points serve alone.
    typical : dict
        The typical row, for the reasons.
    thresholds : dict of str to Threshold
    engagement_edges : tuple of float
    metrics, provenance : dict
        Plain data.
    """

    model_id: str
    agreement: Agreement
    agreement_text: str
    catalogue: Catalogue
    model: FittedModel | None
    typical: dict[str, float | str | None]
    thresholds: dict[str, Threshold]
    engagement_edges: tuple[float, float, float]
    metrics: dict[str, Any]
    provenance: dict[str, Any]


def save_bundle(bundle: Bundle, models: Path) -> Path:
    """Write the bundle as ``models/<model_id>`` and return the folder.

    Raises
    ------
    OutputError, StorageError
        The folder exists or cannot be written; nothing half-written is visible.
    """
    contents = _contents(bundle)
    digests = {
        name: hashlib.sha256(data).hexdigest() for name, data in contents.items()
    }
    manifest = {"format": FORMAT, "model_id": bundle.model_id, "files": digests}
    folder = models / bundle.model_id
    with files.new_folder(folder) as building:
        for name, data in (contents | {MANIFEST: _json(manifest)}).items():
            files.write_bytes(building / name, data)
    return folder


def load_bundle(models: Path, model_id: str) -> Bundle:
    """Return a bundle after checking every byte of it.

    Raises
    ------
    InputError
        There is no such model, or it needs LightGBM, which is not here.
    RefusedError
        A file is missing, altered or too many; the classifier holds a type that is not
        trusted; or it was trained with another scikit-learn.
    """
    if not MODEL_ID.fullmatch(model_id):
        msg = f"{model_id!r} is no model id; one looks like 2026-01-01-7a96b90a."
        raise InputError(msg)
    folder = models / model_id
    contents = _checked_contents(folder, model_id)
    read = {
        name.removesuffix(".json"): json.loads(data)
        for name, data in contents.items()
        if name.endswith(".json")
    }
    agreement_text = contents["agreement.toml"].decode()
    thresholds = {
        label: Threshold(**values) for label, values in read["policy"]["labels"].items()
    }
    low, middle, high = read["policy"]["engagement_edges"]
    return Bundle(
        model_id,
        Agreement.model_validate_json(contents["agreement.json"]),
        agreement_text,
        Catalogue.model_validate_json(contents["catalogue.json"]),
        _load_model(folder, contents, read),
        read["model"]["typical"],
        thresholds,
        (low, middle, high),
        read["metrics"],
        read["provenance"],
    )


def current_model(models: Path) -> str:
    """Return the id of the model in use.

    Raises
    ------
    InputError
        No model is in use yet.
    """
    try:
        named = (models / "current").read_text().strip()
    except OSError as error:
        msg = (
            f"{models / 'current'} cannot be read: no model is in use. Run `leadscore "
            "train DATA` first, or name one with --model."
        )
        raise InputError(msg) from error
    if not named:
        msg = f"{models / 'current'} is empty. Run `leadscore promote MODEL_ID`."
        raise InputError(msg)
    return named


def set_current(models: Path, model_id: str) -> None:
    """Put a model into use: ``models/current`` names it.

    Raises
    ------
    InputError, RefusedError
        The model does not exist or does not pass its checks.
    """
    load_bundle(models, model_id)
    name_current(models, model_id)


def check_models(models: Path) -> None:
    """Refuse a folder that holds no models: a mistyped one must not be made.

    Raises
    ------
    InputError
    """
    if not any(models.glob(f"*/{MANIFEST}")):
        what = "holds no models" if models.is_dir() else "is not a folder of models"
        msg = (
            f"{models} {what}. Name the folder with --models, or make a model with "
            f"`leadscore train DATA --models {models}`."
        )
        raise InputError(msg)


def name_current(models: Path, model_id: str) -> None:
    """Write which model is in use, unchecked; an empty id: none is."""
    if model_id:
        files.write_text(models / "current", f"{model_id}\n")
    else:
        (models / "current").unlink(missing_ok=True)


def _contents(bundle: Bundle) -> dict[str, bytes]:
    model = bundle.model
    described: dict[str, Any] = {"typical": bundle.typical, "name": None}
    if model is not None:
        described |= {
            "name": model.name,
            "columns": model.columns,
            "grid": model.grid,
            "settings": model.settings,
            "level": model.level,
        }
    policy = {
        "labels": {name: asdict(t) for name, t in bundle.thresholds.items()},
        "engagement_edges": bundle.engagement_edges,
    }
    contents = {
        "agreement.toml": bundle.agreement_text.encode(),
        "agreement.json": bundle.agreement.model_dump_json(indent=2).encode(),
        "catalogue.json": bundle.catalogue.model_dump_json(indent=2).encode(),
        "model.json": _json(described),
        "policy.json": _json(policy),
        "metrics.json": _json(bundle.metrics),
        "provenance.json": _json(bundle.provenance),
    }
    if model is not None:
        contents[CLASSIFIER] = skops.io.dumps(model.classifier)
        _check_types(contents[CLASSIFIER])  # never write what could not be read
    return contents


def _check_types(classifier: bytes) -> None:
    untrusted = skops.io.get_untrusted_types(data=classifier)
    odd = sorted(set(untrusted) - set(TRUSTED_TYPES))
    if odd:
        msg = f"{CLASSIFIER} holds types that are not trusted: {', '.join(odd)}."
        raise RefusedError(msg)


def _checked_contents(folder: Path, model_id: str) -> dict[str, bytes]:
    """Read each file once, and check the bytes that were read."""
    if not (folder / MANIFEST).is_file():
        known = sorted(p.parent.name for p in folder.parent.glob(f"*/{MANIFEST}"))
        msg = (
            f"{folder} is not a model. Models here: {', '.join(known) or 'none'}. "
            "Run `leadscore train DATA` to make one."
        )
        raise InputError(msg)
    manifest = _manifest(folder)
    if manifest.get("format") != FORMAT or manifest.get("model_id") != model_id:
        msg = (
            f"{folder / MANIFEST} speaks of model {manifest.get('model_id')!r} in "
            f"format {manifest.get('format')!r}, expected {model_id!r} in format "
            f"{FORMAT}. Retrain with this version."
        )
        raise RefusedError(msg)
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    odd = sorted(present ^ set(manifest["files"]))
    if odd:
        msg = f"{folder}: file missing or too many: {', '.join(odd)}. {_RETRAIN}"
        raise RefusedError(msg)
    contents = {name: (folder / name).read_bytes() for name in sorted(present)}
    for name, data in contents.items():
        if hashlib.sha256(data).hexdigest() != manifest["files"][name]:
            msg = f"{folder / name} was altered after training. {_RETRAIN}"
            raise RefusedError(msg)
    return contents


_RETRAIN = "Restore it from a backup, or remove the folder and train again."


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except ValueError as error:
        msg = f"{folder / MANIFEST} is damaged: {error}. {_RETRAIN}"
        raise RefusedError(msg) from error
    return manifest if isinstance(manifest, dict) else {}


def _load_model(
    folder: Path, contents: dict[str, bytes], read: dict[str, Any]
) -> FittedModel | None:
    described = read["model"]
    if described["name"] is None:
        return None
    trained_with = read["provenance"]["versions"]["scikit-learn"]
    if trained_with != sklearn.__version__:
        msg = (
            f"{folder.name} was trained with scikit-learn {trained_with}, here is "
            f"{sklearn.__version__}: its numbers are not sure to be the same. Train "
            "again, or install the version it was trained with."
        )
        raise RefusedError(msg)
    if "lightgbm" in described["settings"] and not is_installed():
        msg = (
            f"{folder.name} has trees of LightGBM, which cannot be used on this "
            "machine. Install it with pip install 'leadscore[lightgbm]' (Linux needs "
            "libgomp, macOS libomp, too)."
        )
        raise InputError(msg)
    return FittedModel(
        described["name"],
        _classifier(contents[CLASSIFIER]),
        tuple(described["columns"]),
        tuple(described["grid"]),
        described["settings"],
        described["level"],
    )


def _classifier(data: bytes) -> Any:
    """Return the classifier; skops checks all types before it makes anything."""
    try:
        return skops.io.loads(data, trusted=list(TRUSTED_TYPES))
    except UntrustedTypesFoundException:
        _check_types(data)  # says it in our words
        raise


def _json(content: Any) -> bytes:
    return json.dumps(_plain(content), indent=2, allow_nan=False).encode() + b"\n"


def _plain(content: Any) -> Any:
    """Return the content with nulls where it is not a number: JSON has no NaN."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
