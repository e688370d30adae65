"""Coverage-guided fuzzing of a target, in an environment of its own:

    python3 -m venv fuzz-venv && fuzz-venv/bin/pip install -r connector/tests/fuzz/requirements.txt -e connector
    fuzz-venv/bin/python connector/tests/fuzz/atheris_run.py dial-in -max_total_time=600 CORPUS_FOLDER

What stands behind the target's name goes to libFuzzer. A failing input is written to crash-…; as an argument it is played again.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("fuzz", "nbiot", "drivers", "support")]

with atheris.instrument_imports(include=["meter_connector"]):
    import targets


def _sow(folder: Path) -> None:
    """Something to begin with, cut as the targets cut."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(targets.SEEDS):
        cut = b"".join(b"\x3f" + seed[at : at + 64] for at in range(0, len(seed), 64))
        (folder / f"seed-{place}").write_bytes(seed)
        (folder / f"seed-{place}-cut").write_bytes(cut)


def main() -> None:
    names = ", ".join(targets.TARGETS)
    if len(sys.argv) < 2 or sys.argv[1] not in targets.TARGETS:
        sys.exit(f"usage: atheris_run.py TARGET [libFuzzer options] [corpus folders]; targets: {names}")
    name = sys.argv.pop(1)
    for folder in [
        Path(word) for word in sys.argv[1:] if not word.startswith("-") and not Path(word).is_file()
    ]:
        _sow(folder)
    logging.disable(logging.CRITICAL)
    target = targets.TARGETS[name]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
