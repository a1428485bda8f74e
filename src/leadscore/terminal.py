"""The terminal: progress on one stream, results on the other.

Progress goes to the error stream once a command takes longer than people wait in
silence: one line that is rewritten where a person looks, one line a step where it is
piped. Results go to the output stream, as lines or as one JSON object, so that
``leadscore score ... --json | jq`` works.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["Terminal"]

PATIENCE_S = 2.0


class Terminal:
    """Where a verb speaks.

    Parameters
    ----------
    is_quiet : bool
        Say nothing but errors.
    is_json : bool
        Results as one JSON object.
    patience_s : float, default=2.0
        Seconds of silence before progress is shown.
    """

    def __init__(
        self, *, is_quiet: bool, is_json: bool, patience_s: float = PATIENCE_S
    ) -> None:
        self._is_quiet = is_quiet
        self._is_json = is_json
        self._is_watched = sys.stderr.isatty()
        self._started = time.monotonic()
        self._patience_s = patience_s
        self._step, self._counted, self._shown = "", "", ""
        self._turn = threading.Lock()  # the timer speaks, too
        self._timer: threading.Timer | None = None

    def tell(self, step: str, *, done: int = 0, total: int = 0) -> None:
        """Show which step is running, and how much of it is done."""
        if self._is_quiet:
            return
        with self._turn:
            self._step = step
            self._counted = _counted(done, total)
            self._speak()

    def show(self, lines: Sequence[str], facts: dict[str, Any]) -> None:
        """Show what came out, as lines or as JSON."""
        self.clear()
        if self._is_json:
            print(json.dumps(facts, indent=2, allow_nan=False, default=str))
        elif not self._is_quiet:
            print("\n".join(lines))

    def clear(self) -> None:
        """Take the progress away; what follows begins on a line of its own."""
        with self._turn:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._is_watched and self._shown:
                print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._step, self._shown = "", ""

    @property
    def seconds(self) -> float:
        """Seconds since the verb began."""
        return time.monotonic() - self._started

    def _speak(self) -> None:
        wait_s = self._patience_s - self.seconds
        if wait_s > 0:
            if self._timer is None:
                self._timer = threading.Timer(wait_s, self._speak_late)
                self._timer.daemon = True
                self._timer.start()
            return
        line = f"[{self.seconds:4.0f} s] {self._step}"
        if self._is_watched:
            rewritten = f"\r\033[K{line}{self._counted}"
            print(rewritten, end="", file=sys.stderr, flush=True)
        elif self._step != self._shown:
            print(line, file=sys.stderr, flush=True)
        self._shown = self._step

    def _speak_late(self) -> None:
        with self._turn:
            if self._timer is not None and self._step:
                self._timer = None
                self._speak()


def _counted(done: int, total: int) -> str:
    """Say how much of a step is done, where that is known."""
    if total:
        return f": {done} of {total}"
    return f": {done:,}" if done else ""
