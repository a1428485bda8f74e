"""Label reasons: why a lead has its label, in a sentence a salesperson reads.

Goes in: what was seen of a row, where the lead stood and stands, the thresholds. Comes
out: the label, the road and the reason.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.movement import LEVELS, RAISED, ROADS, State
from leadscore.policy import Threshold
from leadscore.snapshots import DAY_US, NEVER

__all__ = ["say_labels"]


def say_labels(
    seen: pd.DataFrame,
    before: State,
    after: State,
    thresholds: dict[str, Threshold],
    agreement: Agreement,
    *,
    suspended: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """Return label, road and reason of each row.

    Parameters
    ----------
    seen : DataFrame of shape (n_rows, ...)
        From `leadscore.policy.observe`, with ``probability`` (null: no model or not
        eligible) and ``as_of``.
    before, after : State, arrays of shape (n_rows,)
        Where each lead stood, and stands.
    thresholds : dict of str to Threshold
        Empty where there is no model.
    agreement : Agreement
    suspended : frozenset of str
        Labels whose promise is suspended.

    Returns
    -------
    DataFrame of str of shape (n_rows, 3), index of ``seen``
        ``label, road, label_reason``; the road is null where the label is neither MQL
        nor SQL.
    """
    speaker = _Speaker(thresholds, agreement, suspended)
    said = [
        speaker.say(row, _place(before, i), _place(after, i))
        for i, row in enumerate(seen.itertuples())
    ]
    columns = ["label", "road", "label_reason"]
    return pd.DataFrame(said, index=seen.index, columns=columns).astype("str")


def _place(state: State, i: int) -> State:
    return State(*(int(values[i]) for values in state))  # type: ignore[arg-type]


class _Speaker:
    """Says why, for one list."""

    def __init__(
        self,
        thresholds: dict[str, Threshold],
        agreement: Agreement,
        suspended: frozenset[str],
    ) -> None:
        self.at = {
            name: t.probability
            for name, t in thresholds.items()
            if t.probability is not None
        }
        self.agreement = agreement
        self.suspended = suspended

    def say(self, row: Any, before: State, after: State) -> tuple[str, str | None, str]:
        if row.status == "disqualified":
            return "DISQUALIFIED", None, "Disqualified by then."
        label, road = LEVELS[int(after.level)], ROADS[int(after.road)]
        if after.road == RAISED:
            return label, road, f"{_raised(row)}; {_fit_words(row.fit_grade)}."
        if label == "NURTURE":
            return label, None, self._not_labelled(row, before, after)
        return label, road, self._nurtured(label, row, before, after)

    def _nurtured(self, label: str, row: Any, before: State, after: State) -> str:
        at, p = self.at[label], row.probability
        fit = _fit_words(row.fit_grade)
        words = [f"Probability {_percents(p, at)[0]} reaches {label}'s "]
        words[0] += f"{_percents(p, at)[1]}; {fit}"
        if p < at:
            keep = at * self.agreement.movement.keep_share
            said = _percents(p, at)
            words = [
                f"{label} kept: probability {said[0]} is below the {said[1]} from "
                f"which it is issued, and above the {keep:.1%} at which it is taken "
                f"back; {fit}"
            ]
        if before.level > after.level:
            words.insert(0, self._fallen(label, row, before))
        if label == "MQL":
            words += self._not_yet("SQL", row, after)
        if label in self.suspended:
            words.append(f"the promise of {label} is suspended")
        return "; ".join(words) + "."

    def _fallen(self, label: str, row: Any, before: State) -> str:
        was = LEVELS[int(before.level)]
        if before.road == RAISED:
            return f"{label} after {was}: the raised hand no longer counts"
        return f"{label} after {was}: {self._why_gone(was, row)}"

    def _why_gone(self, was: str, row: Any) -> str:
        why = getattr(row, f"not_{was.lower()}")
        if why:
            return self._forbidden(why, was, row)
        keep = self.at.get(was, 1.0) * self.agreement.movement.keep_share
        return f"probability {row.probability:.1%} fell below {keep:.1%}"

    def _not_labelled(self, row: Any, before: State, after: State) -> str:
        words = []
        if before.level > 0:
            was = LEVELS[int(before.level)]
            gone = "the raised hand no longer counts"
            if before.road != RAISED:
                gone = self._why_gone(was, row)
            words.append(f"{was} withdrawn: {gone}")
        raised = _raised(row)
        if raised is not None:
            words.append(f"{raised}, but {self._hand_down(row)}")
        if row.status != "eligible":
            return _sentence([*words, f"lead {row.status}"])
        if pd.isna(row.probability):
            said = "no probability: too little was known when the model was made"
            return _sentence([*words, said])
        if before.level == 0 or before.road == RAISED:
            words.append(self._below(row))
        waiting = self._not_yet("SQL", row, after) + self._not_yet("MQL", row, after)
        return _sentence(words + waiting)

    def _hand_down(self, row: Any) -> str:
        if row.rejected_days <= row.raised_days:
            return "sales rejected the lead since"
        if row.left_days <= row.raised_days:
            return "the lead unsubscribed since"
        return _fit_words(row.fit_grade)

    def _below(self, row: Any) -> str:
        at, p = self.at.get("MQL"), row.probability
        if at is None:
            return f"probability {p:.1%}; MQL is not issued by probability"
        said, of = _percents(p, at)
        return f"probability {said} {'is below' if p < at else 'reaches'} MQL's {of}"

    def _not_yet(self, label: str, row: Any, after: State) -> list[str]:
        """Return why a threshold that is reached gives no label yet, if it is."""
        at = self.at.get(label)
        if at is None or not row.probability >= at:
            return []
        why = getattr(row, f"not_{label.lower()}")
        if why:
            return [f"not {label}: {self._forbidden(why, label, row)}"]
        if label in self.suspended:
            return [f"not {label}: its promise is suspended, the list is ranked only"]
        since = int(after.sql_since if label == "SQL" else after.mql_since)
        if since == NEVER:
            return []
        days = self.agreement.quarantine_days
        due = pd.Timestamp(since + days * DAY_US, unit="us", tz="UTC")
        day = due.tz_convert(self.agreement.zone).date()
        return [f"{label} from {day} on, if it stays above {at:.1%}"]

    def _forbidden(self, why: str, label: str, row: Any) -> str:
        rule = getattr(self.agreement.labels, label)
        if why == "status":
            return f"lead {row.status}"
        if why == "rejected":
            return self._rejected(row)
        if why == "left":
            return f"the lead unsubscribed {_ago(row.left_days)}"
        if why == "fit unknown":
            return f"fit unknown, ask for {row.missing}"
        if why == "fit":
            return f"fit {row.fit_grade} is below {rule.min_fit}"
        if why == "engagement":
            level = row.engagement_level
            return f"engagement {level} is below {rule.min_engagement}"
        if why == "missing":
            return f"too little is known, ask for {row.missing}"
        return "curiosity alone (opens, likes, reading)"

    def _rejected(self, row: Any) -> str:
        reason = "" if pd.isna(row.rejected_reason) else f" ({row.rejected_reason})"
        rest = self.agreement.movement.rest_days
        return (
            f"sales rejected the lead{reason} {_ago(row.rejected_days)}; it rests for "
            f"{rest} days"
        )


def _sentence(words: list[str]) -> str:
    text = "; ".join(words)
    return f"{text[:1].upper()}{text[1:]}."


def _raised(row: Any) -> str | None:
    if pd.isna(row.raised_days) or not row.is_asking:
        return None
    words = str(row.raised_kind).replace("_", " ")
    return f"Asked to be contacted ({words}, {_ago(row.raised_days)})"


def _ago(days: float) -> str:
    return "within a day" if days < 1 else f"{int(days)} day{'s' * (days >= 2)} ago"


def _percents(probability: float, threshold: float) -> tuple[str, str]:
    """Return both with as many decimals as it takes to tell them apart."""
    for decimals in (1, 2, 3):
        said, at = f"{probability:.{decimals}%}", f"{threshold:.{decimals}%}"
        if said != at:
            return said, at
    return f"{probability:.1%}", f"{threshold:.1%}"


def _fit_words(grade: Any) -> str:
    return "fit unknown" if pd.isna(grade) else f"fit {grade}"
