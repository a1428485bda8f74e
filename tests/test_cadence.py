"""The cadence replay: nothing is learned before its day, and staleness is seen."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from leadscore import metrics
from leadscore.agreement import Agreement, Conversion, Snapshots, Training
from leadscore.errors import DataError
from leadscore.level import next_level
from leadscore.periods import groups_of, is_held_out
from leadscore.report.cadence import beyond_chance, cadence_section, standing
from leadscore.report.words import percent
from leadscore.snapshots import known_before, label_snapshots
from leadscore.summary.cadence import cadence_lines
from leadscore.workflows import cadence, retrained
from leadscore.workflows.cadence import Cadence, Fit, replay_cadence
from leadscore.workflows.rows import Rows
from tests.histories import (
    AGREEMENT,
    DAY,
    moment,
    outcomes_of,
    snapshots_of,
    us,
)

BEGIN = us("2024-01-01T00:00Z")
HORIZON, LAG = 30, 7
LISTS = 80  # one a week
SINCE = 30 * 7  # day of the first retraining


def agreed(every: int = 30, *, ages: bool = False, needed: int = 20) -> Agreement:
    looked_at = {"at_age_hours": (24.0,)} if ages else {"every_days": 7}
    return AGREEMENT.model_copy(
        update={
            "conversion": Conversion(horizon_days=HORIZON, reporting_lag_days=LAG),
            "snapshots": Snapshots(**looked_at),
            "training": Training(retrain_every_days=every, min_conversions=needed),
        }
    )


def since(day: float = SINCE) -> pd.Timestamp:
    """Return a microsecond after a midnight, as the origins of the backtest are."""
    return moment(BEGIN + int(day * DAY) + 1)


@dataclasses.dataclass(frozen=True)
class Past:
    """Rows, and the outcomes behind them."""

    rows: Rows
    outcomes: pd.DataFrame

    def replay(self, fit: Fit, agreement: Agreement, **asked: Any) -> Cadence | None:
        with joblib.parallel_config(backend="sequential"):
            return replay_cadence(
                self.rows,
                self.outcomes,
                agreement,
                fit,
                **{"since": since(), "taken": 0.1} | asked,
            )

    @property
    def signal(self) -> np.ndarray:
        return self.rows.features["signal"].to_numpy()


def past(*, before: tuple[float, float], after: tuple[float, float]) -> Past:
    """Return 40 leads a week, each on one list.

    ``before, after``: (log odds, weight of the signal) in the weeks until the first
    retraining and since.
    """
    rng = np.random.default_rng(5)
    places = np.repeat(np.arange(LISTS), 40)
    signal = rng.normal(size=len(places))
    is_new = (places * 7 > SINCE - HORIZON)[:, None]
    base, weight = np.where(is_new, after, before).T
    converts = rng.random(len(places)) < 1 / (1 + np.exp(-base - weight * signal))
    leads = [f"L{n}" for n in range(len(places))]
    as_ofs = BEGIN + places * 7 * DAY
    within = as_ofs + rng.integers(0, HORIZON * DAY, len(places))
    outcomes = outcomes_of(
        (leads[n], "opportunity", int(within[n]), int(within[n] + 2 * DAY))
        for n in np.flatnonzero(converts)
    )
    snapshots = snapshots_of(list(zip(leads, as_ofs.tolist(), strict=True)))
    return Past(_rows(snapshots, outcomes, signal), outcomes)


def _rows(snapshots: pd.DataFrame, outcomes: pd.DataFrame, signal: np.ndarray) -> Rows:
    end = moment(BEGIN + 10_000 * DAY)
    labelled = label_snapshots(snapshots, outcomes, agreed(), end)
    nothing = pd.DataFrame(index=labelled.index)
    return Rows(labelled, pd.DataFrame({"signal": signal}), *[nothing] * 4)


STEADY = past(before=(-2.0, 1.0), after=(-2.0, 1.0))
JUMPED = past(before=(-3.0, 1.0), after=(-1.0, 1.0))
TURNED = past(before=(-1.5, 1.5), after=(-1.5, -1.5))


def base_rate(places: np.ndarray, converted: np.ndarray) -> retrained.Predict:
    share = converted.mean()
    return lambda asked: np.full(len(asked), share)


@dataclasses.dataclass(frozen=True)
class Newest:
    """The base rate of the newest rows."""

    n: int

    def __call__(self, places: np.ndarray, converted: np.ndarray) -> retrained.Predict:
        return base_rate(places[-self.n :], converted[-self.n :])


class Slope:
    """A one-column ridge logistic regression, by Newton's method."""

    def __init__(self, signal: np.ndarray, *, newest: int = 400) -> None:
        self.signal, self.newest = signal, newest

    def __call__(self, places: np.ndarray, converted: np.ndarray) -> retrained.Predict:
        """Learn from the newest rows only, so that what is new shows."""
        places, converted = places[-self.newest :], converted[-self.newest :]
        design = np.column_stack([np.ones(len(places)), self.signal[places]])
        weights = np.zeros(2)
        for _ in range(15):
            p = 1 / (1 + np.exp(-design @ weights))
            hessian = (design * (p * (1 - p))[:, None]).T @ design + np.eye(2)
            gradient = design.T @ (converted - p) - weights
            weights = weights + np.linalg.solve(hessian, gradient)
        return lambda asked: (
            1 / (1 + np.exp(-weights[0] - weights[1] * self.signal[asked]))
        )


@dataclasses.dataclass
class Recorder:
    """A fit that remembers what it was given, and what was asked of it."""

    calls: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)
    asked: list[np.ndarray] = dataclasses.field(default_factory=list)

    def __call__(self, places: np.ndarray, converted: np.ndarray) -> retrained.Predict:
        self.calls.append((places, converted))
        number = len(self.calls)

        def predict(asked: np.ndarray) -> np.ndarray:
            self.asked.append(asked)
            return np.full(len(asked), number / 100)

        return predict


def table_of(found: Cadence | None) -> dict[str, dict[str, Any]]:
    assert found is not None
    return {row["name"]: row for row in found.table}


def bundle_of(found: Cadence | None, agreement: Agreement) -> Any:
    kept = None if found is None else json.loads(json.dumps(found.as_dict()))
    return SimpleNamespace(metrics={"cadence": kept}, agreement=agreement)


# ------------------------------------------------------------ what staleness costs


def test_where_the_base_rate_jumps_never_is_worse_and_the_sentence_says_so() -> None:
    found = JUMPED.replay(base_rate, agreed())
    rows = table_of(found)
    assert list(rows) == ["every 30 days", "every 91 days", "never"]
    assert rows["never"]["difference"][1] > 0
    assert rows["never"]["gap"][2] < 0
    assert abs(rows["never"]["gap"][0]) > abs(rows["every 30 days"]["gap"][0])
    assert standing(rows["never"]) == "worse"
    (section,) = cadence_section(bundle_of(found, agreed()))
    never = next(s for s in section.paragraphs if s.startswith("Never retrained"))
    assert "the probabilities were worse by more than chance" in never
    assert f"said {percent(rows['never']['said'])} where" in never
    assert (
        "said 23% where 31% converted, more than chance explains"
        in (section.paragraphs[1])
    )
    assert "the top cannot be told apart" in never  # a base rate ranks nobody
    assert any("never retraining" in s for s in section.paragraphs)
    lines = " ".join(cadence_lines({"cadence": found.as_dict()}))
    assert "never: worse beyond chance" in lines


def test_the_level_follows_a_jump_half_of_the_way_and_the_sentences_say_so() -> None:
    found = JUMPED.replay(base_rate, agreed())
    followed, row = table_of(found)["every 30 days"], found.as_fitted
    assert row["said"] < followed["said"] < row["happened"]
    assert row["difference"][1] > 0
    assert found.level > 0
    text = " ".join(cadence_section(bundle_of(found, agreed()))[0].paragraphs)
    assert (
        f"the probabilities above would have said {percent(row['said'])} where 31% "
        "converted (log loss" in text
    )
    assert "): worse by more than chance. The model that ships says" in text
    says = float(expit(logit(0.1) + found.level))
    assert f"ships says {says:.1%} where it was fitted to say 10.0%" in text
    lines = " ".join(" ".join(cadence_lines({"cadence": found.as_dict()})).split())
    assert f"lately: odds times {np.exp(found.level):.2f} (always as fitted:" in lines


def test_what_came_of_held_out_leads_moves_no_level() -> None:
    converted = JUMPED.rows.snapshots["converted"].to_numpy()
    kept_out = is_held_out(JUMPED.rows.snapshots, agreed())
    turned = JUMPED.rows.snapshots.assign(
        converted=np.where(kept_out, 1 - converted, converted)
    )
    other = Past(dataclasses.replace(JUMPED.rows, snapshots=turned), JUMPED.outcomes)
    found = other.replay(base_rate, agreed())
    assert found.level == JUMPED.replay(base_rate, agreed()).level != 0


def test_where_following_was_worse_beyond_chance_the_model_ships_as_fitted() -> None:
    # One that learns from the newest rows only has caught up by itself.
    found = JUMPED.replay(Newest(120), agreed())
    assert found.as_fitted["difference"][2] < 0
    assert found.level == 0
    text = " ".join(cadence_section(bundle_of(found, agreed()))[0].paragraphs)
    assert "better by more than chance. The model that ships stays as it" in text


def test_without_drift_the_level_stays() -> None:
    found = STEADY.replay(Slope(STEADY.signal, newest=10_000), agreed())
    assert found.level == 0
    text = " ".join(cadence_section(bundle_of(found, agreed()))[0].paragraphs)
    assert "The model that ships stays as it was fitted." in text
    lines = " ".join(cadence_lines({"cadence": found.as_dict()}))
    assert "lately: as fitted (always" in " ".join(lines.split())


def test_where_the_signal_turns_round_the_top_of_the_lists_suffers() -> None:
    found = TURNED.replay(Slope(TURNED.signal), agreed())
    rows = table_of(found)
    value, _, high = rows["never"]["precision_difference"]
    assert high < 0
    assert value == pytest.approx(
        rows["never"]["precision"][0] - rows["every 30 days"]["precision"][0]
    )
    (section,) = cadence_section(bundle_of(found, agreed()))
    text = " ".join(section.paragraphs)
    assert f"{100 * -value:.0f} fewer were followed by a conversion" in text


@pytest.mark.parametrize("fit", [base_rate, Slope(STEADY.signal, newest=10_000)])
def test_without_drift_no_cadence_can_be_told_from_the_agreed_one(fit: Fit) -> None:
    found = STEADY.replay(fit, agreed())
    for row in table_of(found).values():
        assert row["difference"][1] <= 0 <= row["difference"][2]
        assert row["precision_difference"][1] <= 0 <= row["precision_difference"][2]
        assert standing(row) == "level"
    (section,) = cadence_section(bundle_of(found, agreed()))
    text = " ".join(section.paragraphs)
    assert "Never retrained, it cannot be told apart from every 30 days" in text
    assert "nothing shows that the cadence matters" in text
    assert "worse" not in text
    assert "worse" not in " ".join(cadence_lines({"cadence": found.as_dict()}))


def test_a_sign_is_given_only_where_the_interval_leaves_zero_out() -> None:
    assert beyond_chance((0.1, 0.01, 0.2)) == 1
    assert beyond_chance((-0.1, -0.2, -0.01)) == -1
    for held in ((0.1, -0.01, 0.2), (0.0, 0.0, 0.0), (0.1, 0.0, 0.2), (0.1, None, 1)):
        assert beyond_chance(held) == 0


@pytest.mark.parametrize(
    ("top", "loss", "said"),
    [
        (1, 0, "better"),
        (0, -1, "better"),
        (-1, 1, "worse"),
        (0, 1, "worse"),
        (1, 1, "mixed"),
        (-1, -1, "mixed"),
        (0, 0, "level"),
    ],
)
def test_better_is_more_at_the_top_and_less_log_loss(
    top: int, loss: int, said: str
) -> None:
    row = {
        "precision_difference": (top, top - 0.5, top + 0.5),
        "difference": (loss, loss - 0.5, loss + 0.5),
    }
    assert standing(row) == said


# ----------------------------------------------------------------- the rules of time


def recorded(history: Past, agreement: Agreement, **asked: Any) -> Recorder:
    recorder = Recorder()
    assert history.replay(recorder, agreement, **asked) is not None
    return recorder


def test_no_fit_sees_what_was_known_on_its_day_or_later() -> None:
    """With the future of a day deleted, all fits up to that day are the same."""
    agreement = agreed()
    full = recorded(JUMPED, agreement)
    days = list(range(0, 343, 30))
    assert len(full.calls) == len(days)
    for n, day in enumerate(days):
        at = since(SINCE + day)
        then = dataclasses.replace(JUMPED, outcomes=known_before(JUMPED.outcomes, at))
        alone = recorded(then, agreement)
        for one, other in zip(full.calls[: n + 1], alone.calls, strict=False):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])


def test_a_conversion_known_at_a_day_counts_the_microsecond_after() -> None:
    recorder = recorded(JUMPED, agreed())
    places, converted = recorder.calls[1]
    place = places[np.flatnonzero(converted == 1)[-1]]
    is_lead = JUMPED.outcomes["lead_id"] == JUMPED.rows.snapshots["lead_id"][place]
    day = since(SINCE + 30)
    seen = {}
    for by in (-1, 0):
        outcomes = JUMPED.outcomes.copy()
        outcomes.loc[is_lead, "known_at"] = day + pd.Timedelta(microseconds=by)
        late = recorded(dataclasses.replace(JUMPED, outcomes=outcomes), agreed())
        seen[by] = late.calls[1][1][places == place].item()
    assert seen == {-1: 1.0, 0: 0.0}


def test_every_window_learned_from_ends_before_the_first_row_asked_for() -> None:
    ahead = pd.Timedelta(days=HORIZON + LAG)
    as_of = JUMPED.rows.snapshots["as_of"]
    recorder = recorded(JUMPED, agreed())
    for (places, _), asked in zip(recorder.calls, recorder.asked, strict=True):
        assert as_of.iloc[places].max() + ahead < as_of.iloc[asked].min()


def test_a_split_that_reaches_into_the_test_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if labels were those of the end of the data."""

    def leaking(snapshots, outcomes, agreement, at):  # type: ignore[no-untyped-def]
        later = at + pd.Timedelta(days=8)
        return label_snapshots(snapshots, outcomes, agreement, later)

    monkeypatch.setattr(retrained, "label_snapshots", leaking)
    with pytest.raises(DataError, match="error in the split"):
        JUMPED.replay(base_rate, agreed())


# --------------------------------------------------------------- what is fitted when


def test_cadences_share_their_fits() -> None:
    """Quarterly and never use models that the agreed cadence has anyway."""
    recorder = Recorder()
    found = STEADY.replay(recorder, agreed())
    rows = table_of(found)
    n_days = len(range(0, LISTS * 7 - SINCE - 7, 30))
    assert len(recorder.calls) == found.n_fits == n_days == 12
    assert [rows[name]["n_fits"] for name in rows] == [n_days, 4, 1]
    whole = np.flatnonzero(STEADY.rows.snapshots["as_of"] >= since())
    np.testing.assert_array_equal(recorder.asked[0], whole)  # never asks for all


def test_days_that_know_the_same_share_a_fit() -> None:
    """A list a week, retrained every day: there is something new once a week."""
    recorder = Recorder()
    found = STEADY.replay(recorder, agreed(1))
    rows = table_of(found)
    n_weeks = LISTS - 1 - SINCE // 7
    known = {call[0].tobytes() + call[1].tobytes() for call in recorder.calls}
    assert len(known) == len(recorder.calls) == found.n_fits
    # A list a week to predict; late news of the lists learned from come daily.
    assert rows["every day"]["n_fits"] <= n_weeks
    assert list(rows) == ["every day", "every 30 days", "every 91 days", "never"]


@pytest.mark.parametrize(
    ("every", "last", "days"),
    [
        (30, 200, {30: [0, 30, 60, 90, 120, 150, 180], 91: [0, 90, 180]}),
        (91, 200, {91: [0, 91, 182], 30: [0, 30, 60, 91, 120, 150, 182]}),
        (14, 100, {91: [0, 90], 30: [0, 28, 60, 90]}),
        (60, 130, {60: [0, 60, 120], 30: [0, 30, 60, 90, 120], 91: [0, 90]}),
        (7, 40, {7: [0, 7, 14, 21, 28, 35], 30: [0, 28], 91: [0]}),
    ],
)
def test_a_day_moves_to_one_that_is_there_by_a_tenth_of_the_cadence_at_most(
    every: int, last: int, days: dict[int, list[int]]
) -> None:
    plans = retrained._plans(every, last)
    assert {name: plans[name] for name in days} == days
    assert plans[0] == [0]
    assert plans[every] == list(range(0, last + 1, every))


def test_the_model_in_use_is_the_last_one_trained_before_a_row() -> None:
    """Day 29 is said by the model of day 0, day 30 by that of day 30."""
    trained = np.array([0, 30, 60, 90])
    plans = {30: [0, 30, 60, 90], 0: [0], 45: [0, 45, 90], 91: [0, 91]}
    used = retrained._in_use(plans, trained, np.array([0, 29, 30, 59, 60, 90, 95]))
    assert {k: v.tolist() for k, v in used.items()} == {
        30: [0, 0, 30, 30, 60, 90, 90],
        0: [0, 0, 0, 0, 0, 0, 0],
        45: [0, 0, 0, 0, 0, 90, 90],  # nothing was trained on day 45
    }


def test_on_a_day_with_too_few_conversions_nothing_is_retrained() -> None:
    agreement = agreed()
    places, converted = recorded(JUMPED, agreement).calls[3]
    groups = groups_of(JUMPED.rows.snapshots)[places]
    needed = len(np.unique(groups[converted == 1]))
    assert JUMPED.replay(base_rate, agreed(needed=needed)) is None  # by the first day
    later = {"since": since(SINCE + 90)}
    assert JUMPED.replay(base_rate, agreed(needed=needed), **later) is not None
    assert JUMPED.replay(base_rate, agreed(needed=needed + 1), **later) is None


def test_without_a_second_retraining_nothing_is_compared() -> None:
    assert STEADY.replay(base_rate, agreed(342)) is not None
    assert STEADY.replay(base_rate, agreed(343)) is None
    assert STEADY.replay(base_rate, agreed(), since=since(LISTS * 7)) is None
    assert cadence_section(bundle_of(None, agreed())) == ()
    assert cadence_section(SimpleNamespace(metrics={}, agreement=agreed())) == ()
    assert cadence_lines({}) == cadence_lines({"cadence": None}) == []


# -------------------------------------------------------------------- the comparison


def test_paired_differences_are_those_of_brute_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Model by model, row by row, group by group, with loops instead of arrays."""
    monkeypatch.setattr(cadence, "N_DRAWS", 30)
    fit, agreement = Slope(TURNED.signal), agreed(60)
    rows = table_of(TURNED.replay(fit, agreement))
    said = {
        name: brute_said(fit, agreement, days)
        for name, days in (("every 60 days", range(0, 343, 60)), ("never", [0]))
    }
    snapshots = TURNED.rows.snapshots
    test = np.flatnonzero(snapshots["as_of"] >= since())
    y = snapshots["converted"].to_numpy()[test]
    names = np.unique(groups_of(snapshots)[test])
    drawn = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=cadence.N_DRAWS
    )
    times = pd.DataFrame(drawn.T, index=names).loc[groups_of(snapshots)[test]]
    differences = {"log_loss": [], "precision": []}
    for weights in (np.ones(len(test)), *times.to_numpy().T):
        for metric, found in differences.items():
            never, often = (
                brute_metric(metric, y, said[name], snapshots["as_of"][test], weights)
                for name in ("never", "every 60 days")
            )
            found.append(never - often)
    for metric, name in (
        ("log_loss", "difference"),
        ("precision", "precision_difference"),
    ):
        value, *draws = differences[metric]
        low, high = np.quantile(draws, [0.025, 0.975])
        assert rows["never"][name] == pytest.approx((value, low, high), abs=1e-12)
        assert rows["every 60 days"][name] == (0.0, 0.0, 0.0)


def brute_said(fit: Fit, agreement: Agreement, days: Any) -> np.ndarray:
    snapshots, outcomes = TURNED.rows.snapshots, TURNED.outcomes
    said = []
    for place in np.flatnonzero(snapshots["as_of"] >= since()):
        day = max(d for d in days if since(SINCE + d) <= snapshots["as_of"][place])
        predict = _fitted(fit, agreement, outcomes, day)
        said.append((day, predict(np.array([place]))[0]))
    levels = {d: brute_level(agreement, said, d) for d in {day for day, _ in said}}
    return np.array([expit(logit(p) + levels[day]) for day, p in said])


def brute_level(agreement: Agreement, said: list[tuple[int, float]], day: int) -> float:
    """By hand: the later rows known on the day, two windows back from the newest."""
    snapshots, outcomes = TURNED.rows.snapshots, TURNED.outcomes
    then = label_snapshots(snapshots, outcomes, agreement, since(SINCE + day))
    then = then.assign(group=groups_of(then), kept_out=is_held_out(then, agreement))
    asked = then[(snapshots["as_of"] >= since()).to_numpy()]
    asked = asked.assign(said=[p for _, p in said])
    known = asked[asked["converted"].notna() & ~asked["kept_out"]]
    if known.empty:
        return 0.0
    age = known["as_of"].max() - known["as_of"]
    near = known[age < pd.Timedelta(days=2 * HORIZON)]
    return next_level(*(near[c].to_numpy() for c in ("said", "converted", "group")))


_FITTED: dict[int, Any] = {}


def _fitted(fit: Fit, agreement: Agreement, outcomes: pd.DataFrame, day: int) -> Any:
    if day not in _FITTED:
        at = since(SINCE + day)
        then = label_snapshots(TURNED.rows.snapshots, outcomes, agreement, at)
        kept_out = is_held_out(then, agreement)
        places = np.flatnonzero(then["converted"].notna() & ~kept_out)
        _FITTED[day] = fit(places, then["converted"].to_numpy()[places])
    return _FITTED[day]


def brute_metric(
    metric: str, y: np.ndarray, p: np.ndarray, as_of: pd.Series, weights: np.ndarray
) -> float:
    if metric == "log_loss":
        loss = -np.where(y == 1, np.log(p), np.log(1 - p))
        return float(np.average(loss, weights=weights))
    hits = 0.0
    codes = as_of.to_numpy()
    for at in np.unique(codes):
        on_list = np.flatnonzero(codes == at)
        left = 0.1 * weights[on_list].sum()
        for place in on_list[np.argsort(-p[on_list])]:
            hits += min(weights[place], left) * y[place]
            left -= min(weights[place], left)
    return hits / (0.1 * weights.sum())


def test_every_cadence_is_judged_on_the_same_rows() -> None:
    found = STEADY.replay(base_rate, agreed())
    assert len({row["happened"] for row in found.table}) == 1
    at = STEADY.rows.snapshots["as_of"]
    assert found.n_rows == (at >= since()).sum()
    assert (found.since, found.until) == (since().isoformat(), at.max().isoformat())
    for row in found.table:
        assert row["gap"][0] == pytest.approx(row["said"] - row["happened"])


def test_accounts_are_drawn_whole() -> None:
    """With all rows in two accounts, each draw holds an account or not."""
    accounts = np.where(np.arange(len(JUMPED.signal)) % 2, "A", "B")
    snapshots = JUMPED.rows.snapshots.assign(account_id=pd.Series(accounts).astype(str))
    rows = dataclasses.replace(JUMPED.rows, snapshots=snapshots)
    found = dataclasses.replace(JUMPED, rows=rows).replay(base_rate, agreed(needed=1))
    at = np.flatnonzero(snapshots["as_of"] >= since())
    y, p = snapshots["converted"].to_numpy()[at], table_of(found)["never"]["said"]
    ends = [
        metrics.log_loss(y[s], np.full(s.sum(), p)).mean()
        for s in (accounts[at] == "A", accounts[at] == "B")
    ]
    assert table_of(found)["never"]["log_loss"][1:] == pytest.approx(sorted(ends))


def test_where_snapshots_stand_at_ages_each_agreed_model_has_one_list() -> None:
    agreement = agreed(60, ages=True)
    found = STEADY.replay(Slope(STEADY.signal), agreement)
    assert list(table_of(found)) == [
        "every 60 days",
        "every 30 days",
        "every 91 days",
        "never",
    ]
    later = retrained.later_rows(STEADY.rows.snapshots, since())
    days = later.day // 60 * 60
    replayed = SimpleNamespace(trained={60: days})
    lists = cadence._lists(replayed, later, agreement)  # type: ignore[arg-type]
    assert lists.tolist() == (later.day // 60).tolist()
    (section,) = cadence_section(bundle_of(found, agreement))
    assert "counts as one list" in section.paragraphs[0]


def test_fits_that_run_beside_each_other_find_the_same() -> None:
    rows, outcomes = TURNED.rows, TURNED.outcomes
    fit, agreement = Slope(TURNED.signal), agreed(120)
    asked = {"since": since(), "taken": 0.1}
    told: list[tuple[int, int]] = []

    def tell(step: str, *, done: int = 0, total: int = 0) -> None:
        told.append((done, total))

    with joblib.parallel_config(backend="threading"):
        found = replay_cadence(rows, outcomes, agreement, fit, tell=tell, **asked)
    assert found == TURNED.replay(fit, agreement)
    assert told == [(n + 1, found.n_fits) for n in range(found.n_fits)]


def test_the_table_holds_every_cadence_and_marks_the_agreed_one() -> None:
    found = TURNED.replay(Slope(TURNED.signal), agreed(45))
    (section,) = cadence_section(bundle_of(found, agreed(45)))
    (table,) = section.tables
    assert [cells[0] for cells in table.rows] == [row["name"] for row in found.table]
    assert table.strong == "every 45 days"
    assert all(len(cells) == len(table.columns) for cells in table.rows)


def test_the_terminal_lines_are_no_wider_than_a_terminal() -> None:
    found = JUMPED.replay(base_rate, agreed())
    assert all(len(line) <= 80 for line in cadence_lines({"cadence": found.as_dict()}))


def test_retraining_is_agreed_on_monthly_unless_said_otherwise() -> None:
    assert Training().retrain_every_days == 30
    with pytest.raises(ValueError, match="greater than 0"):
        Training(retrain_every_days=0)
