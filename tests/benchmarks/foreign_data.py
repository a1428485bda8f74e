"""The public data sets as a stranger would bring them: other names, other marks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from . import completejourney

__all__ = ["write_bank_log", "write_campaigns"]


def write_bank_log(source: Path, target: Path, *, every_nth: int = 1) -> None:
    """Write bpi2012 as two files, cases and one log of everything, split at ``;``.

    Parameters
    ----------
    source : Path
        Holds ``bpi2012_cases.csv`` and ``bpi2012_events.csv.gz``.
    target : Path
        Gets ``dossiers.csv`` and ``journal.csv.gz``.
    every_nth : int, default=1
        Take every so many cases only.
    """
    target.mkdir(parents=True, exist_ok=True)
    cases = pd.read_csv(source / "bpi2012_cases.csv", dtype=str).iloc[::every_nth]
    events = pd.read_csv(source / "bpi2012_events.csv.gz", dtype=str)
    events = events[events["case_id"].isin(cases["case_id"])]
    cases = cases.rename(
        columns={
            "case_id": "N° dossier",
            "reg_date": "Date de dépôt",
            "amount_req": "Montant demandé",
        }
    )
    events = events.rename(
        columns={
            "case_id": "N° dossier",
            "seq": "Rang",
            "activity": "Action",
            "lifecycle": "Cycle",
            "timestamp": "Horodatage",
            "resource": "Agent",
        }
    )
    cases.to_csv(target / "dossiers.csv", sep=";", index=False)
    events.to_csv(target / "journal.csv.gz", sep=";", index=False)


CAMPAIGN_NAMES = {
    "leads": {
        "lead_id": "Contact ID",
        "created_at": "Début le",
        "account_id": "N° foyer",
        "campaign_type": "Type de campagne",
        "age": "Tranche d'âge",
        "income": "Revenu du foyer",
        "home_ownership": "Logement",
        "marital_status": "Situation familiale",
        "household_size": "Taille du foyer",
        "household_comp": "Composition",
        "kids_count": "Enfants",
    },
    "interactions": {
        "lead_id": "Contact ID",
        "occurred_at": "Quand",
        "kind": "Quoi",
        "content": "Produit",
    },
    "outcomes": {
        "lead_id": "Contact ID",
        "stage": "Étape",
        "occurred_at": "Utilisé le",
    },
}
CAMPAIGN_FILES = {
    "leads": "foyers.csv",
    "interactions": "achats.csv",
    "outcomes": "utilisations.csv",
}


def write_campaigns(source: Path, target: Path) -> None:
    """Write completejourney as its benchmark does, under French names, ``;`` and ``,``.

    The households' size stands with a decimal comma.
    """
    completejourney.write_folder(source, target)
    (target / "agreement.toml").unlink()
    for table, file in CAMPAIGN_FILES.items():
        frame = pd.read_csv(target / f"{table}.csv", dtype=str, keep_default_na=False)
        (target / f"{table}.csv").unlink()
        if table == "leads":
            sizes = frame["household_size"].str.replace("+", "", regex=False)
            frame["household_size"] = sizes.where(sizes == "", sizes + ",0")
        frame = frame.rename(columns=CAMPAIGN_NAMES[table])
        frame.to_csv(target / file, sep=";", index=False)
