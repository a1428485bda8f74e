"""The simulated firm as others would export it: their names, their words, their marks.

One export is French (``;``, cp1252, decimal comma, ``dd/mm/yyyy``), as from a CRM of a
French firm; `TRUTH` says what every name stands for, so that a draft can be judged.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["FILES", "KINDS", "STAGES", "TRUTH", "truth_of", "write_french"]

FILES = {
    "leads": "contacts.csv",
    "interactions": "activites.csv",
    "outcomes": "affaires.csv",
}

TRUTH = {
    "leads": {
        "lead_id": "N° contact",
        "created_at": "Créé le",
        "known_at": "Modifié le",
        "account_id": "N° société",
        "merged_into": "Fusionné dans",
        "source": "Origine",
        "country": "Pays",
        "industry": "Secteur d'activité",
        "employees": "Effectif",
        "job_function": "Fonction",
        "seniority": "Niveau hiérarchique",
        "newsletter": "Newsletter",
        "message": "Message",
        "objects_to_profiling": "Opposition au profilage",
    },
    "interactions": {
        "lead_id": "N° contact",
        "occurred_at": "Date de l'activité",
        "known_at": "Enregistré le",
        "kind": "Type d'activité",
        "channel": "Canal",
        "content": "Contenu",
        "duration_s": "Durée (s)",
    },
    "outcomes": {
        "lead_id": "N° contact",
        "stage": "Étape",
        "occurred_at": "Date de l'étape",
        "known_at": "Enregistré le",
        "reason": "Motif",
        "amount": "Montant HT",
    },
}

KINDS = {
    "page_view": "Page vue",
    "pricing_view": "Page tarifs vue",
    "service_view": "Page service vue",
    "form_fill": "Formulaire rempli",
    "whitepaper_download": "Livre blanc téléchargé",
    "demo_request": "Demande de démo",
    "contact_request": "Demande de contact",
    "email_open": "E-mail ouvert",
    "email_click": "E-mail cliqué",
    "unsubscribe": "Désabonnement",
    "webinar_registered": "Webinaire inscription",
    "webinar_attended": "Webinaire suivi",
    "event_visit": "Visite salon",
    "call": "Appel",
    "sales_email": "E-mail commercial",
    "quote": "Devis envoyé",
}

STAGES = {
    "opportunity": "Opportunité",
    "customer": "Client gagné",
    "lost": "Perdu",
    "rejected": "Refusé par les ventes",
    "disqualified": "Disqualifié",
    "recycled": "Recyclé",
}

_FLAGS = {"true": "oui", "false": "non"}
_INSTANTS = ("created_at", "occurred_at", "known_at")


def truth_of(table: str, theirs: str) -> str:
    """Return our name of a column of the French export."""
    return next(ours for ours, name in TRUTH[table].items() if name == theirs)


def write_french(source: Path, target: Path) -> None:
    """Write the three tables of a simulated folder as a French export.

    Parameters
    ----------
    source : Path
        Holds ``leads.csv, interactions.csv, outcomes.csv``.
    target : Path
        Gets the files of `FILES`.
    """
    target.mkdir(parents=True, exist_ok=True)
    for table, file in FILES.items():
        frame = pd.read_csv(source / f"{table}.csv", dtype=str, keep_default_na=False)
        frame = _in_french(frame).rename(columns=TRUTH[table])
        text = frame.to_csv(index=False, sep=";", lineterminator="\r\n")
        (target / file).write_bytes(text.encode("cp1252"))


def _in_french(frame: pd.DataFrame) -> pd.DataFrame:
    for column in frame:
        if column in _INSTANTS:
            frame[column] = frame[column].map(_day_first)
        elif column in ("duration_s", "amount", "employees"):
            frame[column] = frame[column].map(_with_comma)
        elif column == "kind":
            frame[column] = frame[column].map(KINDS)
        elif column == "stage":
            frame[column] = frame[column].map(STAGES)
        elif column == "objects_to_profiling":
            frame[column] = frame[column].map(_FLAGS)
    return frame


def _day_first(text: str) -> str:
    if not text:
        return ""
    year, month, day = text[:10].split("-")
    return f"{day}/{month}/{year} {text[11:].removesuffix('Z')}"


def _with_comma(text: str) -> str:
    return f"{text},00" if text and "." not in text else text.replace(".", ",")


def small_firm(n_leads: int = 120) -> dict[str, pd.DataFrame]:
    """Three small tables in our names, all text; every third lead becomes a customer.

    Leads come a day apart; a customer signs 20 to 49 days later, another third is lost.
    """
    created = pd.Timestamp("2024-01-01 09:00") + pd.to_timedelta(range(n_leads), "D")
    ids = [f"P{i:04}" for i in range(n_leads)]
    leads = pd.DataFrame(
        {
            "lead_id": ids,
            "created_at": created,
            "country": [("fr", "de", "es", "it")[i % 4] for i in range(n_leads)],
            "employees": [str(10 + 7 * (i % 40)) for i in range(n_leads)],
        }
    )
    days = [20 + i % 30 for i in range(n_leads)]
    ends = pd.DataFrame(
        {
            "lead_id": ids,
            "stage": [("customer", "lost", "")[i % 3] for i in range(n_leads)],
            "occurred_at": created + pd.to_timedelta(days, "D"),
        }
    )
    visits = [
        pd.DataFrame(
            {
                "lead_id": ids,
                "occurred_at": created + pd.to_timedelta(hours, "h"),
                "kind": kind,
            }
        )
        for kind, hours in (("page_view", 1), ("email_open", 50), ("page_view", 90))
    ]
    calls = ends.assign(
        occurred_at=ends["occurred_at"] - pd.Timedelta(days=2), kind="call"
    )
    calls = calls.loc[calls["stage"] != "", ["lead_id", "occurred_at", "kind"]]
    return {
        "leads": leads,
        "interactions": pd.concat([*visits, calls], ignore_index=True),
        "outcomes": ends[ends["stage"] != ""].reset_index(drop=True),
    }


def write_tables(
    target: Path,
    tables: dict[str, pd.DataFrame],
    *,
    dates: str = "%Y-%m-%d %H:%M:%S",
    separator: str = ",",
) -> Path:
    """Write frames as ``NAME.csv``, instants as ``dates`` says."""
    target.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(
            target / f"{name}.csv", index=False, sep=separator, date_format=dates
        )
    return target
