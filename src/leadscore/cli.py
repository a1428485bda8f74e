"""The command line: one thin command a verb.

It is the only place that asks what day it is, that prints, and that turns an error into
one line and an exit code; ``--debug`` shows the traceback. Workflows are imported when
their verb runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import datetime
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore import __version__
from leadscore.errors import EXIT_DEGRADED, EXIT_OK, LeadscoreError, UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["main", "parse_as_of"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except LeadscoreError as error:
        if arguments.debug:
            raise
        print(f"leadscore: {error}", file=sys.stderr)
        rejects = getattr(error, "rejects", None)
        if rejects is not None:
            _write_rejects(rejects, _rejects_path(arguments))
        return error.exit_code
    except KeyboardInterrupt:
        print("leadscore: interrupted; nothing half-written is left", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leadscore",
        description="Predict which leads convert, and label them MQL or SQL.",
        epilog="Exit codes: 0 done, 10 done but degraded, 2 usage or agreement, "
        "65 data refused, 66 input missing, 73 output not possible, 74 disk, 75 busy, "
        "77 refused for safety, 1 a bug.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_simulate(verbs)
    _add_train(verbs)
    _add_score(verbs)
    _add_promote(verbs)
    return parser


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], help_: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=help_, description=help_[0].upper() + help_[1:] + "."
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.set_defaults(run=run)
    return parser


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("models"),
        help="where models lie (default: models)",
    )


def _add_simulate(verbs: Any) -> None:
    parser = _verb(verbs, "simulate", _simulate, "write the data of a made-up firm")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--leads", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, required=True, metavar="S")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an agreement that is there"
    )


def _add_train(verbs: Any) -> None:
    parser = _verb(verbs, "train", _train, "train a model from a data folder")
    parser.add_argument("data", type=Path, metavar="DATA")
    _add_models(parser)


def _add_score(verbs: Any) -> None:
    parser = _verb(verbs, "score", _score, "score the leads of a data folder")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument(
        "--as-of",
        required=True,
        metavar="D",
        help="2026-01-01 (the start of that day), an instant with an offset, or today",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PATH")
    parser.add_argument("--model", metavar="ID", help="default: the model in use")
    _add_models(parser)


def _add_promote(verbs: Any) -> None:
    parser = _verb(verbs, "promote", _promote, "put a trained model into use")
    parser.add_argument("model", metavar="MODEL_ID")
    _add_models(parser)


def _simulate(arguments: argparse.Namespace) -> int:
    from leadscore.workflows.simulate import simulate_folder

    made = simulate_folder(
        arguments.folder,
        n_leads=arguments.leads,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    print(
        f"{arguments.folder}: {made.leads['lead_id'].nunique():,} leads, "
        f"{len(made.interactions):,} interactions, {len(made.outcomes):,} outcomes"
    )
    return EXIT_OK


def _train(arguments: argparse.Namespace) -> int:
    from leadscore import summary
    from leadscore.workflows.train import train

    started = time.monotonic()
    trained = train(arguments.data, arguments.models)
    _show(summary.train_lines(trained))
    _write_rejects(trained.tables.rejects, _rejects_path(arguments))
    print(_cost(started))
    return EXIT_DEGRADED if trained.is_degraded else EXIT_OK


def _score(arguments: argparse.Namespace) -> int:
    from leadscore import summary
    from leadscore.bundle import current_model, load_bundle
    from leadscore.workflows.score import score

    model_id = arguments.model or current_model(arguments.models)
    bundle = load_bundle(arguments.models, model_id)
    as_of = parse_as_of(arguments.as_of, bundle.agreement.zone)
    scored = score(arguments.data, bundle, as_of=as_of, out=arguments.out)
    _show(summary.score_lines(scored, as_of, arguments.out))
    _write_rejects(scored.tables.rejects, _rejects_path(arguments))
    return EXIT_DEGRADED if scored.is_degraded else EXIT_OK


def _promote(arguments: argparse.Namespace) -> int:
    from leadscore.bundle import set_current

    set_current(arguments.models, arguments.model)
    print(f"{arguments.model} is in use")
    return EXIT_OK


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


def _show(lines: list[str]) -> None:
    for line in lines:
        print(line)


def _rejects_path(arguments: argparse.Namespace) -> Path:
    if hasattr(arguments, "out"):
        return Path(f"{arguments.out}.rejects.csv")
    models: Path = getattr(arguments, "models", Path("models"))
    return models / "rejects" / f"{arguments.data.resolve().name}.csv"


def _write_rejects(rejects: pd.DataFrame | None, path: Path) -> None:
    """Keep the rows that were set aside; they hold personal data: the owner's only."""
    if rejects is None or len(rejects) == 0:
        return
    from leadscore import files

    files.write_table(path, rejects, mode=0o600)
    print(f"{len(rejects):,} rows were set aside, with reasons: {path}")


def _cost(started: float) -> str:
    # Linux counts kilobytes. Children are the parallel fits.
    peaks = [
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return (
        f"took {time.monotonic() - started:.0f} s, peak memory {peaks[0]:,.0f} MB"
        f" (largest helper process {peaks[1]:,.0f} MB)"
    )
