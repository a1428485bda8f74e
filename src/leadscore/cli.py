"""The command line: one thin command a verb.

It is the only place that asks what day it is, that prints, and that turns an error into
one line and an exit code; ``--debug`` shows the traceback. Workflows are imported when
their verb runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore import __version__
from leadscore.errors import (
    EXIT_DEGRADED,
    EXIT_OK,
    DataError,
    LeadscoreError,
    RefusedError,
    UsageError,
)
from leadscore.terminal import Terminal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["main", "parse_as_of"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = _parser().parse_args(argv)
    terminal = Terminal(is_quiet=arguments.quiet, is_json=arguments.json)
    try:
        return int(arguments.run(arguments, terminal))
    except LeadscoreError as error:
        terminal.clear()
        if arguments.debug:
            raise
        print(f"leadscore: {error}", file=sys.stderr)
        rejects = getattr(error, "rejects", None)
        if rejects is not None:
            where = _keep_rejects(rejects, _rejects_path(arguments))
            print(*where, sep="\n", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        terminal.clear()
        print("leadscore: interrupted; nothing half-written is left", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leadscore",
        description="Predict which leads convert, and label them MQL or SQL.",
        epilog="Exit codes: 0 done, 10 done but degraded, 2 usage or agreement, "
        "65 data refused, 66 input missing, 73 output not possible, 74 disk or server, "
        "75 busy, 77 refused for safety, 130 interrupted, 1 a bug.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in (
        _add_init,
        _add_check,
        _add_train,
        _add_score,
        _add_audit,
        _add_plan,
        _add_promote,
        _add_forget,
        _add_log,
        _add_ui,
        _add_simulate,
    ):
        add(verbs)
    return parser


def _verb(
    verbs: Any,
    name: str,
    run: Callable[[argparse.Namespace, Terminal], int],
    help_: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=help_, description=help_[0].upper() + help_[1:] + "."
    )
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing but errors and DEGRADED"
    )
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(run=run)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of tables")


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("models"),
        help="where models lie (default: models)",
    )


def _add_init(verbs: Any) -> None:
    parser = _verb(verbs, "init", _init, "draft an agreement from your own files")
    _add_data(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an agreement that is there"
    )


def _add_check(verbs: Any) -> None:
    parser = _verb(verbs, "check", _check, "say what can be trained from a data folder")
    _add_data(parser)
    parser.add_argument(
        "--columns",
        action="store_true",
        help="say of every column whether it is proven not to see the future",
    )


def _add_train(verbs: Any) -> None:
    parser = _verb(verbs, "train", _train, "train a model from a data folder")
    _add_data(parser)
    _add_models(parser)


def _add_score(verbs: Any) -> None:
    parser = _verb(verbs, "score", _score, "score the leads of a data folder")
    _add_data(parser)
    parser.add_argument(
        "--as-of",
        required=True,
        metavar="D",
        help="2026-01-01 (the start of that day), an instant with an offset, or today",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PATH")
    parser.add_argument(
        "--features",
        type=Path,
        metavar="PATH",
        help="also write what the model saw",
    )
    parser.add_argument(
        "--model",
        metavar="ID",
        help="default: the model in use; any other gives a look, no labels are issued",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--ledger",
        type=Path,
        metavar="PATH",
        help="where labels are entered (default: ledger.sqlite below the models)",
    )
    which.add_argument(
        "--no-ledger",
        action="store_true",
        help="look without issuing: the ledger is read, nothing is entered",
    )
    _add_models(parser)


def _add_audit(verbs: Any) -> None:
    parser = _verb(verbs, "audit", _audit, "say whether each promise was kept")
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        metavar="DATA",
        help="folder of tables; without it only the ledger is checked (--verify)",
    )
    parser.add_argument(
        "--as-of",
        metavar="D",
        help="as in score; what was known then (default: the end of the data)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check that the ledger is as it was written, and say what is not",
    )
    parser.add_argument(
        "--ledger",
        type=Path,
        metavar="PATH",
        help="default: ledger.sqlite below the models",
    )
    _add_models(parser)


def _add_plan(verbs: Any) -> None:
    parser = _verb(verbs, "plan", _plan, "say what a capacity of sales would bring")
    _add_data(parser)
    parser.add_argument(
        "--capacity",
        metavar="N",
        help="25/week, or 100/month (default: capacity_per_week of the agreement)",
    )
    parser.add_argument(
        "--label",
        choices=["SQL", "MQL"],
        default="SQL",
        help="what goes to sales; MQL means MQL or better (default: SQL)",
    )
    parser.add_argument(
        "--per-rep",
        type=float,
        metavar="N",
        help="leads a week that one rep works (default: a quarter of the capacity)",
    )
    parser.add_argument("--model", metavar="ID", help="default: the model in use")
    _add_models(parser)


def _add_promote(verbs: Any) -> None:
    parser = _verb(verbs, "promote", _promote, "put a trained model into use")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "model", nargs="?", metavar="MODEL_ID", help="default: the challenger"
    )
    which.add_argument(
        "--rollback", action="store_true", help="the one that was in use before"
    )
    parser.add_argument(
        "--because",
        metavar="WHY",
        help="why, though it was not shown to be better than the one in use; is kept",
    )
    _add_models(parser)


def _add_forget(verbs: Any) -> None:
    parser = _verb(verbs, "forget", _forget, "erase a lead from the ledger")
    parser.add_argument("lead", metavar="LEAD_ID", help="as the leads table says it")
    parser.add_argument(
        "--ledger", type=Path, metavar="PATH", help="default: MODELS/ledger.sqlite"
    )
    _add_models(parser)


def _add_log(verbs: Any) -> None:
    parser = _verb(verbs, "log", _log, "log a trained model to MLflow, if it was not")
    parser.add_argument("model", metavar="MODEL_ID")
    _add_models(parser)


def _add_ui(verbs: Any) -> None:
    parser = _verb(verbs, "ui", _ui, "open MLflow's pages on this machine")
    parser.add_argument("--port", type=int, default=5000, help="default: 5000")
    _add_models(parser)


def _add_simulate(verbs: Any) -> None:
    parser = _verb(verbs, "simulate", _simulate, "write the data of a made-up firm")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--leads", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, required=True, metavar="S")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an agreement that is there"
    )


def _init(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.workflows.init import init

    drafted = init(arguments.data, overwrite=arguments.overwrite, tell=terminal.tell)
    lines = summary.init_lines(drafted, arguments.data)
    terminal.show(lines, summary.init_facts(drafted))
    return EXIT_OK


def _check(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.workflows.check import check

    checked = check(arguments.data, tell=terminal.tell)
    lines = summary.check_lines(checked, with_columns=arguments.columns)
    terminal.show(lines, summary.check_facts(checked))
    if not (checked.is_trainable and checked.is_proven):
        if arguments.quiet:
            print(f"leadscore: {summary.refusal(checked)}", file=sys.stderr)
        return DataError.exit_code
    return _done(checked.why if checked.is_degraded else "", arguments)


def _train(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.workflows.train import train

    trained = train(arguments.data, arguments.models, now=_now(), tell=terminal.tell)
    lines = [
        *summary.train_lines(trained),
        *_keep_rejects(trained.tables.rejects, _rejects_path(arguments)),
        _cost(terminal.seconds),
    ]
    terminal.show(lines, summary.train_facts(trained))
    return _done(trained.bundle.provenance["degraded"], arguments)


def _score(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.bundle import current_model, load_bundle
    from leadscore.workflows.doubts import UNFINISHED
    from leadscore.workflows.journal import is_unfinished
    from leadscore.workflows.live import in_use
    from leadscore.workflows.score import score
    from leadscore.workflows.verdicts import LEDGER

    model_id = arguments.model or current_model(arguments.models)
    is_issued = model_id == in_use(arguments.models) and not arguments.no_ledger
    bundle = load_bundle(arguments.models, model_id)
    as_of = parse_as_of(arguments.as_of, bundle.agreement.zone)
    scored = score(
        arguments.data,
        bundle,
        as_of=as_of,
        out=arguments.out,
        features=arguments.features,
        ledger=arguments.ledger or arguments.models / LEDGER,
        is_issued=is_issued,
        tell=terminal.tell,
    )
    if is_unfinished(arguments.models):
        scored = dataclasses.replace(scored, warnings=(*scored.warnings, UNFINISHED))
    lines = summary.score_lines(scored, as_of, arguments.out)
    lines += _keep_rejects(scored.tables.rejects, _rejects_path(arguments))
    facts = summary.score_facts(scored, as_of, arguments.out)
    terminal.show(lines, facts)
    return _done("; ".join(facts["warnings"]), arguments)


def _audit(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.bundle import current_model, load_bundle
    from leadscore.workflows.audit import audit
    from leadscore.workflows.verdicts import LEDGER

    ledger = arguments.ledger or arguments.models / LEDGER
    if arguments.verify and not _is_whole(ledger, arguments, terminal):
        return RefusedError.exit_code
    if arguments.data is None:
        if arguments.verify:
            return EXIT_OK
        msg = "audit wants the folder of tables: leadscore audit DATA, or --verify."
        raise UsageError(msg)
    bundle = load_bundle(arguments.models, current_model(arguments.models))
    zone = bundle.agreement.zone
    as_of = parse_as_of(arguments.as_of, zone) if arguments.as_of else None
    audited = audit(
        arguments.data,
        bundle,
        arguments.models,
        ledger=ledger,
        as_of=as_of,
        tell=terminal.tell,
    )
    lines = summary.audit_lines(audited)
    lines += _keep_rejects(audited.tables.rejects, _rejects_path(arguments))
    facts = summary.audit_facts(audited)
    terminal.show(lines, facts)
    return _done(facts["degraded"], arguments)


def _plan(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.bundle import current_model, load_bundle
    from leadscore.workflows.plan import parse_capacity, plan

    given = arguments.capacity
    capacity = None if given is None else parse_capacity(given)
    model_id = arguments.model or current_model(arguments.models)
    planned = plan(
        arguments.data,
        load_bundle(arguments.models, model_id),
        label=arguments.label,
        capacity=capacity,
        per_rep=arguments.per_rep,
        tell=terminal.tell,
    )
    lines = summary.plan_lines(planned)
    lines += _keep_rejects(planned.tables.rejects, _rejects_path(arguments))
    terminal.show(lines, summary.plan_facts(planned))
    return EXIT_OK


def _is_whole(ledger: Path, arguments: argparse.Namespace, terminal: Terminal) -> bool:
    """Check the ledger; show it where that is all, or where something is wrong."""
    from leadscore import summary
    from leadscore.ledger import verify

    terminal.tell("going through the ledger")
    verified = verify(ledger)
    lines = summary.ledger_lines(verified, ledger)
    if verified.problems or arguments.data is None:
        head = [f"head: {verified.head}"]
        terminal.show([*lines, *head], summary.ledger_facts(verified, ledger))
    if verified.problems and arguments.quiet:
        print(*lines, sep="\n", file=sys.stderr)
    return not verified.problems


def _promote(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.workflows.promote import promote, roll_back

    terminal.tell("asking the registry")
    because = arguments.because
    if arguments.rollback and because is not None:
        msg = "--rollback needs no reason: leave --because out."
        raise UsageError(msg)
    if arguments.rollback:
        promoted = roll_back(arguments.models, now=_now())
    else:
        models, model = arguments.models, arguments.model
        promoted = promote(models, model, now=_now(), because=because)
    terminal.show(summary.promote_lines(promoted), summary.promote_facts(promoted))
    return EXIT_OK


def _forget(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.workflows.forget import forget

    terminal.tell("erasing the lead's rows, writing the ledger anew")
    forgotten = forget(
        arguments.lead, arguments.models, now=_now(), ledger=arguments.ledger
    )
    terminal.show(summary.forget_lines(forgotten), summary.forget_facts(forgotten))
    return EXIT_OK


def _log(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import summary
    from leadscore.workflows.promote import log_later

    terminal.tell("logging the run")
    recorded = log_later(arguments.models, arguments.model)
    lines = summary.recorded_lines(recorded, arguments.model, arguments.models)
    if not recorded.is_new:
        lines = ["it was logged before; nothing to do", *lines]
    terminal.show(lines, summary.recorded_facts(recorded))
    return EXIT_OK


def _ui(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore import tracking
    from leadscore.bundle import check_models

    check_models(arguments.models)
    # A stop signal ends the server, too: without this it would stay behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    terminal.tell("starting MLflow's pages; the first start takes half a minute")
    with tracking.serve(arguments.models, port=arguments.port) as server:
        lines = [f"{what + ':':<14}{link}" for what, link in server.pages.items()]
        if server.process is not None:
            lines.append("Ctrl-C stops it. Only this machine can reach it.")
        terminal.show(lines, server.pages)
        sys.stdout.flush()
        try:
            server.wait()
        except KeyboardInterrupt:
            terminal.tell("stopping")
    terminal.clear()
    return EXIT_OK


def _simulate(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from leadscore.workflows.simulate import simulate_folder

    made = simulate_folder(
        arguments.folder,
        n_leads=arguments.leads,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    counts = {
        "leads": made.leads["lead_id"].nunique(),
        "interactions": len(made.interactions),
        "outcomes": len(made.outcomes),
    }
    said = ", ".join(f"{n:,} {name}" for name, n in counts.items())
    terminal.show([f"{arguments.folder}: {said}"], counts)
    return EXIT_OK


def _done(why: str, arguments: argparse.Namespace) -> int:
    """Return the exit code; a job that is quiet still says why it is not 0."""
    if why and arguments.quiet:
        print(f"leadscore: DEGRADED: {why}", file=sys.stderr)
    return EXIT_DEGRADED if why else EXIT_OK


def _now() -> pd.Timestamp:
    import pandas as pd

    return pd.Timestamp(datetime.datetime.now(datetime.UTC))  # noqa: TID251 - the one place


def parse_as_of(text: str, zone: datetime.tzinfo) -> pd.Timestamp:
    """Return the instant that ``--as-of`` means.

    Parameters
    ----------
    text : str
        A date (the start of that day in the agreement's time zone), an ISO 8601 instant
        with an offset, or ``today``, resolved here and nowhere else.
    zone : tzinfo
        Of the agreement.

    Raises
    ------
    UsageError
        It is none of these, or an instant without an offset.
    """
    import pandas as pd

    if text == "today":
        day = datetime.datetime.now(zone).date()  # noqa: TID251 - the one place
        text = day.isoformat()
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"--as-of {text!r} is no date. Write 2026-01-31, or today."
        raise UsageError(msg) from error
    if at.tzinfo is None:
        if len(text) > len("2026-01-31"):
            msg = f"--as-of {text!r} lacks an offset. Write {text}Z, or {text}+01:00."
            raise UsageError(msg)
        at = at.replace(tzinfo=zone)
    return pd.Timestamp(at).tz_convert("UTC").as_unit("us")


def _rejects_path(arguments: argparse.Namespace) -> Path:
    if hasattr(arguments, "out"):
        return Path(f"{arguments.out}.rejects.csv")
    if not hasattr(arguments, "models"):  # beside the tables: they are as personal
        return Path(arguments.data / "set-aside.rejects.csv")
    name = f"{arguments.data.resolve().name}.csv"
    return Path(arguments.models / "rejects" / name)


def _keep_rejects(rejects: pd.DataFrame | None, path: Path) -> list[str]:
    """Keep the rows that were set aside; they hold personal data: the owner's only."""
    if rejects is None or len(rejects) == 0:
        return []
    from leadscore import files

    files.write_table(path, rejects, mode=0o600)
    return [f"{len(rejects):,} rows were set aside, with reasons: {path}"]


def _cost(seconds: float) -> str:
    # Linux counts kilobytes. Children are the parallel fits.
    peaks = [
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return (
        f"took {seconds:.0f} s, peak memory {peaks[0]:,.0f} MB"
        f" (largest helper process {peaks[1]:,.0f} MB)"
    )
