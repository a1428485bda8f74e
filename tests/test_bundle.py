"""The bundle: what was saved is what is used, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

from leadscore import bundle as module
from leadscore.bundle import (
    TRUSTED_TYPES,
    Bundle,
    current_model,
    load_bundle,
    save_bundle,
    set_current,
)
from leadscore.errors import InputError, OutputError, RefusedError
from leadscore.model import CANDIDATES, fit_model
from leadscore.recipe import EXTRAS
from leadscore.recipe.lightgbm_trees import is_installed
from leadscore.workflows.train import Trained
from tests.test_model import leads


@pytest.fixture
def copy(trained: Trained, tmp_path: Path) -> Path:
    """A folder of models of one's own to spoil."""
    shutil.copytree(trained.folder, tmp_path / trained.folder.name)
    return tmp_path


def only_model(models: Path) -> str:
    return next(path.name for path in models.iterdir() if path.is_dir())


def test_a_loaded_bundle_is_the_saved_one(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path)
    loaded = load_bundle(tmp_path, bundle.model_id)
    for field in dataclasses.fields(Bundle):
        if field.name not in ("model", "metrics"):
            assert getattr(loaded, field.name) == getattr(bundle, field.name)
    assert bundle.model is not None
    assert loaded.model is not None
    for field in dataclasses.fields(loaded.model):
        if field.name != "classifier":
            assert getattr(loaded.model, field.name) == getattr(
                bundle.model, field.name
            )


@pytest.mark.parametrize("name", ["points", "blend"])
def test_every_recipe_survives_the_file_to_the_last_bit(
    name: str, bundle: Bundle, tmp_path: Path
) -> None:
    """And holds no type beyond the list that is fixed in the code."""
    rows, converted, groups = leads(200)
    model = fit_model(name, rows, converted, groups, seed=0)
    save_bundle(dataclasses.replace(bundle, model=model), tmp_path)
    loaded = load_bundle(tmp_path, bundle.model_id).model
    assert loaded is not None
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))
    np.testing.assert_array_equal(
        loaded.predict_interval(rows), model.predict_interval(rows)
    )
    taken = rows[list(model.columns)]
    for recipe in CANDIDATES if name == "blend" else ("points",):
        np.testing.assert_array_equal(
            loaded.classifier.probability(taken, recipe),
            model.classifier.probability(taken, recipe),
        )
    data = (tmp_path / bundle.model_id / "classifier.skops").read_bytes()
    assert set(skops.io.get_untrusted_types(data=data)) <= set(TRUSTED_TYPES)


def test_every_trusted_type_is_needed() -> None:
    """A list that is longer than it must be trusts too much."""
    extras = EXTRAS if is_installed() else ()
    model = fit_model("blend", *leads(200), seed=0, extras=extras)
    data = skops.io.dumps(model.classifier)
    found = set(skops.io.get_untrusted_types(data=data))
    optional = "leadscore.recipe.lightgbm_trees.LightGBM"
    assert set(TRUSTED_TYPES) == found | {optional}
    assert (optional in found) == is_installed()


@pytest.mark.parametrize("name", ["classifier.skops", "policy.json", "agreement.toml"])
def test_an_altered_file_is_refused_by_name(copy: Path, name: str) -> None:
    path = copy / only_model(copy) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RefusedError, match=f"{name} was altered after training"):
        load_bundle(copy, only_model(copy))


def test_a_file_too_many_is_refused(copy: Path) -> None:
    (copy / only_model(copy) / "extra.py").write_text("")
    with pytest.raises(RefusedError, match=r"missing or too many: extra\.py"):
        load_bundle(copy, only_model(copy))


def test_a_missing_file_is_refused(copy: Path) -> None:
    (copy / only_model(copy) / "catalogue.json").unlink()
    with pytest.raises(RefusedError, match=r"missing or too many: catalogue\.json"):
        load_bundle(copy, only_model(copy))


def test_a_bundle_under_another_name_is_refused(copy: Path) -> None:
    (copy / only_model(copy)).rename(copy / "2020-01-01-aaaaaaaa")
    with pytest.raises(RefusedError, match="speaks of model"):
        load_bundle(copy, "2020-01-01-aaaaaaaa")


@pytest.mark.parametrize("model_id", ["../x", "", "latest", "2020-01-01-abc", "/etc"])
def test_what_is_no_model_id_never_becomes_a_path(model_id: str, copy: Path) -> None:
    with pytest.raises(InputError, match="is no model id; one looks like"):
        load_bundle(copy, model_id)


def test_a_damaged_manifest_is_refused(copy: Path) -> None:
    (copy / only_model(copy) / "manifest.json").write_text("{")
    with pytest.raises(RefusedError, match=r"manifest\.json is damaged"):
        load_bundle(copy, only_model(copy))


def test_an_empty_name_of_the_model_in_use_is_said(tmp_path: Path) -> None:
    (tmp_path / "current").touch()
    with pytest.raises(InputError, match=r"current is empty\. Run `leadscore promote"):
        current_model(tmp_path)


def test_a_type_that_is_not_on_the_list_is_refused_before_it_is_made(
    copy: Path,
) -> None:
    """Even when its digest is right: the list is in the code, not in the folder."""
    folder = copy / only_model(copy)
    tree = DecisionTreeClassifier().fit([[0], [1]], [0, 1])
    data = skops.io.dumps(tree)
    (folder / "classifier.skops").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["classifier.skops"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RefusedError, match=r"not trusted: sklearn\.tree\._tree\.Tree"):
        load_bundle(copy, only_model(copy))


def test_another_scikit_learn_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sklearn, "__version__", "9.9")
    with pytest.raises(RefusedError, match=r"here is 9\.9: .* Train again"):
        load_bundle(copy, only_model(copy))


def test_a_model_that_is_not_there_names_those_that_are(copy: Path) -> None:
    with pytest.raises(InputError, match=f"Models here: {only_model(copy)}"):
        load_bundle(copy, "2020-01-01-aaaaaaaa")


def test_no_model_in_use_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model is in use\. Run `leadscore train"):
        current_model(tmp_path)


def test_promoting_names_the_model_in_use_and_checks_it_first(copy: Path) -> None:
    set_current(copy, only_model(copy))
    assert current_model(copy) == only_model(copy)
    with pytest.raises(InputError):
        set_current(copy, "2020-01-01-aaaaaaaa")
    assert current_model(copy) == only_model(copy)


def test_a_bundle_is_never_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path)
    with pytest.raises(OutputError):
        save_bundle(bundle, tmp_path)


def test_a_bundle_without_a_model_is_a_bundle(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(dataclasses.replace(bundle, model=None, thresholds={}), tmp_path)
    assert load_bundle(tmp_path, bundle.model_id).model is None
