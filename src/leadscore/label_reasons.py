"""Label reasons: why a lead has its label, in a sentence a salesperson reads.

Goes in: what was seen of a row, where the lead stood and stands, the thresholds. Comes
out: the label, the road and the reason.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.movement import LEVELS, NOBODY, RAISED, ROADS, State
from leadscore.policy import Threshold
from leadscore.snapshots import ELIGIBLE, NEVER

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
        label, road = LEVELS[int(after.level)], ROADS[int(after.road)]
        if row.status == "disqualified":
            label, words = (
                "DISQUALIFIED",
                self._ended(row, before, "disqualified by then"),
            )
        elif after.road == RAISED:
            words = [_raised(row), _fit_words(row.fit_grade), *self._without(row)]
        elif after.level == NOBODY:
            words = self._not_labelled(row, before, after)
        else:
            words = self._nurtured(label, row, before, after)
        return label, road, _sentence(words)

    def _nurtured(self, label: str, row: Any, before: State, after: State) -> list[str]:
        words = self._standing(label, row, before, after)
        words.append(_fit_words(row.fit_grade))
        if row.is_raised:
            words.append(f"it has {_raised(row)}, too")
        elif row.is_asking:
            words.append(f"{_raised(row)}, but {self._hand_down(row)}")
        if label == "MQL":
            words += self._not_yet(["SQL"], row, after)
        if label in self.suspended:
            words.append(f"the promise of {label} is suspended")
        return words

    def _standing(self, label: str, row: Any, before: State, after: State) -> list[str]:
        """Return what the probability says for a label, and why there is no better."""
        at, p = self.at[label], row.probability
        said, line = _percents(p, at)
        keep = _percents(p, at * self.agreement.movement.keep_share)[1]
        if before.level <= after.level:
            if p >= at:
                return [f"probability {said} reaches {label}'s {line}"]
            return [
                f"{label} kept: probability {said} is below the {line} at which it is "
                f"issued, but not below the {keep} at which it is taken back"
            ]
        was = LEVELS[int(before.level)]
        stays = (
            f"reaches {label}'s {line}" if p >= at else f"keeps {label} down to {keep}"
        )
        return [f"{label} after {was}: {self._gone(row, before)}", f"{said} {stays}"]

    def _gone(self, row: Any, before: State) -> str:
        """Return why a lead does not have the label any more that it had."""
        was = LEVELS[int(before.level)]
        if before.road == RAISED:
            if row.is_asking:
                return f"{_raised(row)}, but {self._hand_down(row)}"
            return "the raised hand no longer counts"
        why = getattr(row, f"not_{was.lower()}")
        if why:
            return self._forbidden(why, was, row)
        if was not in self.at or pd.isna(row.probability):
            return f"{was} is not issued by probability any more"
        keep = self.at[was] * self.agreement.movement.keep_share
        said, line = _percents(row.probability, keep)
        return f"probability {said} fell below the {line} at which {was} is taken back"

    def _ended(self, row: Any, before: State, why: str) -> list[str]:
        """Return that a lead is not to be labelled, and what that ends."""
        words = [why]
        if before.level > NOBODY:
            words = [f"{LEVELS[int(before.level)]} withdrawn: {why}"]
        if row.is_asking and row.status != "disqualified":
            words.append(f"{_raised(row)}, but {self._hand_down(row)}")
        return words

    def _not_labelled(self, row: Any, before: State, after: State) -> list[str]:
        if row.status != ELIGIBLE:
            return self._ended(row, before, self._off_list(row))
        words = []
        if before.level > NOBODY:
            was = LEVELS[int(before.level)]
            words.append(f"{was} withdrawn: {self._gone(row, before)}")
        elif row.is_asking:
            words.append(f"{_raised(row)}, but {self._hand_down(row)}")
        if pd.isna(row.probability):
            return [*words, *self._without(row)]
        if before.level == NOBODY or before.road == RAISED:
            words.append(self._below(row))
        elif row.not_mql:
            return words  # the same would be said again
        return words + self._not_yet(["SQL", "MQL"], row, after)

    def _without(self, row: Any) -> list[str]:
        """Return why a lead has no probability, where it has none."""
        if not pd.isna(row.probability):
            return []
        why = "too little was known when the model was made"
        if row.status != ELIGIBLE:
            why = self._off_list(row)
        return [f"no probability: {why}"]

    def _off_list(self, row: Any) -> str:
        said = _STATUS.get(row.status, row.status)
        if row.status == "too old":
            return f"{said} (over {self.agreement.snapshots.max_age_days} days)"
        return said

    def _hand_down(self, row: Any) -> str:
        if row.rejected_days <= row.raised_days:
            return f"{self._rejected(row)} since"
        if row.left_days <= row.raised_days:
            return "the lead unsubscribed since"
        return _fit_words(row.fit_grade)

    def _below(self, row: Any) -> str:
        at, p = self.at.get("MQL"), row.probability
        if at is None:
            return f"probability {p:.1%}; MQL is not issued by probability"
        said, of = _percents(p, at)
        return f"probability {said} {'is below' if p < at else 'reaches'} MQL's {of}"

    def _not_yet(self, labels: list[str], row: Any, after: State) -> list[str]:
        """Return why thresholds that are reached give no label yet; a reason once."""
        reached = [name for name in labels if row.probability >= self.at.get(name, 2)]
        reasons: dict[str, list[str]] = {}
        for label in reached:
            why = self._why_not_yet(label, row, after)
            if why:
                reasons.setdefault(why, []).append(label)
        return [
            why.format(" or ".join(reversed(names))) for why, names in reasons.items()
        ]

    def _why_not_yet(self, label: str, row: Any, after: State) -> str:
        """Return why; the label's place is left open."""
        why = getattr(row, f"not_{label.lower()}")
        if why:
            return f"not {{}}: {_plain(self._forbidden(why, label, row))}"
        if label in self.suspended:
            return "not {}: its promise is suspended, the list is ranked only"
        since = int(after.sql_since if label == "SQL" else after.mql_since)
        if since == NEVER:
            return ""
        due = pd.Timestamp(since, unit="us", tz="UTC").tz_convert(self.agreement.zone)
        day = (due + pd.DateOffset(days=self.agreement.quarantine_days)).date()
        return f"{{}} from {day} on, if it stays at {self.at[label]:.1%} or above"

    def _forbidden(self, why: str, label: str, row: Any) -> str:
        rule = getattr(self.agreement.labels, label)
        match why:
            case "status":
                return self._off_list(row)
            case "rejected":
                rest = self.agreement.movement.rest_days
                when = _ago(row.rejected_days)
                return f"{self._rejected(row)} {when}, it rests for {rest} days"
            case "left":
                return f"the lead unsubscribed {_ago(row.left_days)}"
            case "fit unknown":
                return f"fit unknown{_ask(row.missing)}"
            case "fit":
                return f"fit {row.fit_grade} is below {rule.min_fit}"
            case "engagement":
                return (
                    f"engagement {row.engagement_level} is below {rule.min_engagement}"
                )
            case "missing":
                return f"too little is known{_ask(row.missing)}"
            case _:
                kinds = ", ".join(map(_words, self.agreement.movement.curiosity))
                return f"nothing but curiosity so far ({kinds})"

    def _rejected(self, row: Any) -> str:
        reason = "" if pd.isna(row.rejected_reason) else f" ({row.rejected_reason})"
        return f"sales rejected the lead{reason}"


# Said of leads that are shown all the same, because they asked to be contacted.
_STATUS = {
    "objects": "the lead objects to profiling",
    "merged": "the lead was merged into another one",
    "converted": "the lead has converted",
    "too old": "the lead is too old for the list",
    "disqualified": "disqualified by then",
    "lost": "the lead is lost",
}


def _sentence(words: list[str]) -> str:
    text = "; ".join(words)
    return f"{text[:1].upper()}{text[1:]}."


def _raised(row: Any) -> str:
    return f"asked to be contacted ({_words(row.raised_kind)}, {_ago(row.raised_days)})"


def _words(kind: Any) -> str:
    return str(kind).replace("_", " ")


def _ask(missing: Any) -> str:
    return f", ask for {missing}" if isinstance(missing, str) and missing else ""


def _plain(text: str) -> str:
    """Return a text that `str.format` leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def _ago(days: float) -> str:
    return "within a day" if days < 1 else f"{int(days)} day{'s' * (days >= 2)} ago"


def _percents(probability: float, line: float) -> tuple[str, str]:
    """Return both with as many decimals as it takes to tell them apart."""
    for decimals in range(1, 7):
        said, at = f"{probability:.{decimals}%}", f"{line:.{decimals}%}"
        if said != at:
            return said, at
    return f"{probability:.1%}", f"{line:.1%}"


def _fit_words(grade: Any) -> str:
    return "fit unknown" if pd.isna(grade) else f"fit {grade}"
