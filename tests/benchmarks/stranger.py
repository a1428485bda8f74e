"""How long a stranger takes from three exported files to a scored list.

The firm is a simulated one, with another seed than the sample's, exported as a French
CRM would: other file names, column names, words, marks. Run as
``python -m tests.benchmarks.stranger``: it starts the command line as a person would,
prints each command with its seconds and exit code, and how much of the mapping that
only we know was recovered.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from leadscore.agreement import Agreement
from leadscore.store import read_agreement
from leadscore.store.header import plain_name
from leadscore.workflows.simulate import simulate_folder
from tests.foreign import FILES, KINDS, STAGES, TRUTH, write_french

N_LEADS, SEED = 2000, 7
AS_OF = "2026-01-01"

Recovered = tuple[str, int, int]


def main() -> int:
    """Run the four commands, print what each took; 1 if one of them was not done."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, models, out = folder / "data", folder / "models", folder / "scores.csv"
        simulate_folder(folder / "firm", n_leads=N_LEADS, seed=SEED)
        write_french(folder / "firm", data)
        commands = [
            ["init", str(data)],
            ["check", str(data)],
            ["train", str(data), "--models", str(models)],
            ["score", str(data), "--as-of", AS_OF, "--out", str(out)],
        ]
        commands[-1] += ["--models", str(models)]
        taken = [_timed(command) for command in commands]
        print(f"total: {sum(seconds for seconds, _ in taken):.1f} s")
        agreement, _ = read_agreement(data)
        for what, n, of in recovered(agreement):
            print(f"recovered: {what} {n} of {of}")
        n_scored = len(out.read_text().splitlines()) - 1
        print(f"scored: {n_scored:,} leads as of {AS_OF}")
    return 0 if all(code in (0, 10) for _, code in taken) else 1  # 10: done, degraded


def _timed(command: list[str]) -> tuple[float, int]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "leadscore", *command],
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - started
    shown = " ".join(part.rsplit("/", 1)[-1] for part in command)
    print(f"leadscore {shown}: {seconds:.1f} s, exit {done.returncode}")
    if done.returncode not in (0, 10):
        print(done.stdout, done.stderr, sep="\n")
    return seconds, done.returncode


def recovered(agreement: Agreement) -> list[Recovered]:
    """Return (what, how many are right, of how many) of the drafted agreement."""
    source = agreement.source
    files = source.files.model_dump()
    right_files = sum(files[table] == file for table, file in FILES.items())
    columns = source.columns.model_dump()
    own = [
        (table, ours, theirs)
        for table, names in TRUTH.items()
        for ours, theirs in names.items()
        if (table, ours) not in _ATTRIBUTES
    ]
    right = sum(columns[table].get(ours) == theirs for table, ours, theirs in own)
    attributes = {plain_name(TRUTH["leads"][ours]) for _, ours in _ATTRIBUTES}
    attributes -= {plain_name(TRUTH["leads"]["objects_to_profiling"])}
    denied = {KINDS[kind] for kind in ("call", "sales_email", "quote")}
    conversion = agreement.conversion
    ends = (conversion.stage, *conversion.lost, *conversion.disqualified)
    ends += conversion.recycled
    wanted = [STAGES[s] for s in ("opportunity", "lost", "disqualified", "recycled")]
    return [
        ("files", right_files, len(FILES)),
        ("columns", right, len(own)),
        ("attributes", len(attributes & set(agreement.attributes)), len(attributes)),
        ("sales actions", len(denied & set(agreement.features.deny)), len(denied)),
        ("stages", sum(s in ends for s in wanted), len(wanted)),
        ("hand raises", len(agreement.hand_raise.kinds), 2),
    ]


_ATTRIBUTES = {
    ("leads", name)
    for name in (
        "source",
        "country",
        "industry",
        "employees",
        "job_function",
        "seniority",
        "newsletter",
        "message",
        "objects_to_profiling",
    )
}


if __name__ == "__main__":
    sys.exit(main())
