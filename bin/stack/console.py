"""Speaking to the person at the terminal, and running commands that say what to do when they fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class StackError(Exception):
    """A step failed. The text is one or two sentences: what happened, and what the reader does next."""


def _paint(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m" if _COLOUR else text


def step(text: str) -> None:
    """Announce work that takes noticeable time."""
    print(_paint("==>", "1;36"), text, flush=True)


def note(text: str) -> None:
    print("   ", text, flush=True)


def good(text: str) -> None:
    print(_paint(" ok", "1;32"), text, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    advice: str,
    attempts: int = 1,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run `command` with its output in `log`; retry, then fail with `advice`.

    Network steps pass attempts > 1: mirrors hiccup, and a second try is cheaper than a person.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(part) for part in command]
    for attempt in range(1, attempts + 1):
        with log.open("ab") as sink:
            sink.write(f"\n$ {' '.join(words)}\n".encode())
            sink.flush()
            done = subprocess.run(words, stdout=sink, stderr=subprocess.STDOUT, env=env, cwd=cwd, check=False)
        if done.returncode == 0:
            return
        if attempt < attempts:
            note(f"`{words[0]}` failed (try {attempt} of {attempts}), again in {attempt * 3} s …")
            time.sleep(attempt * 3)
    tail = log.read_text(errors="replace").strip().splitlines()[-12:]
    raise StackError(
        f"`{' '.join(words[:6])}` failed with exit code {done.returncode}. {advice}\n"
        + "\n".join(f"    | {line}" for line in tail)
        + f"\n    (all of it: {log})"
    )


def main_guard(function) -> None:
    """Run a command's main function: StackError becomes a sentence and exit code 1, Ctrl-C becomes 130."""
    try:
        sys.exit(function() or 0)
    except StackError as error:
        print(_paint("error:", "1;31"), error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
