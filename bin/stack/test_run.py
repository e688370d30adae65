"""Running the tests: connector, Odoo addons, whole system. Each part must execute something."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from . import independents, layout, odoo_source, postgres
from .console import StackError, good, note, step
from .odoo_server import OdooServer
from .services import free_port, own_by_service
from .system import demoted, service_env

PARTS = ("connector", "odoo", "system")
TEST_DATABASE = "addon_tests"

_TOTAL = re.compile(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests when loading database")
_PER_ADDON = re.compile(r"odoo\.tests\.stats: (\w+): (\d+) tests")
_PYTEST_SUMMARY = re.compile(r"^=+ .*(passed|failed|error|no tests ran).* =+$")


def run_parts(parts: list[str]) -> int:
    """Run the named parts. Prints one summary line per part at the end; returns the exit code."""
    began = time.monotonic()
    source = odoo_source.ensure()
    started_cluster = postgres.start() if {"odoo", "system"} & set(parts) else False
    summaries: list[tuple[bool, str]] = []
    try:
        odoo = _OdooPart(source) if "odoo" in parts else None
        if odoo:
            odoo.start()  # beside the connector's tests: one core each
        if "connector" in parts:
            peer = independents.ensure("dlt645", layout.CONNECTOR / "tests" / "peers" / "requirements.txt")
            # "required": what set-up and the line above have brought is talked to, or the run fails.
            settings = {"METER_PEER_DLT645": str(peer), "METER_PEERS": "required"}
            summaries.append(_pytest("connector", [str(layout.CONNECTOR / "tests")], **settings))
        if odoo:
            summaries.append(odoo.finish())
        if "system" in parts:
            # Started alone: the story measures times.
            summaries.append(_pytest("system", [str(layout.ROOT / "tests")]))
    finally:
        if started_cluster:
            postgres.stop()
    print(f"\n{'=' * 30} {time.monotonic() - began:.0f} s in all {'=' * 30}")
    for _passed, line in summaries:
        print(line)
    return 0 if all(passed for passed, _line in summaries) else 1


def _pytest(part: str, paths: list[str], **settings: str) -> tuple[bool, str]:
    """Run pytest with its output on the terminal; the last line it prints is the summary."""
    step(f"Testing: {part}")
    words = [str(layout.PYTHON), "-m", "pytest", "-q", "-rfEs", *paths]
    env = service_env(NO_COLOR="1", **settings)
    summary = ""
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=layout.ROOT, env=env
    ) as run:
        for line in run.stdout:
            print(line, end="", flush=True)
            if re.search(r"\b(passed|failed|error|errors|no tests ran)\b.* in [\d.:]+", line):
                summary = line.strip().strip("= ")
    # pytest exits with 5 when it collected nothing, so an empty part fails by itself.
    return run.returncode == 0, f"{part}: {summary or f'pytest ended with exit code {run.returncode}'}"


class _OdooPart:
    """Install all addons into a fresh database and run their tests with Odoo's own runner."""

    def __init__(self, source: odoo_source.OdooSource):
        self.server = OdooServer(source, TEST_DATABASE, workers=0)
        self.log = layout.VAR / "log" / "addon-tests.log"

    def start(self) -> None:
        step("Testing: Odoo addons (in the background)")
        self.addons = sorted(path.parent.name for path in layout.ADDONS.glob("*/__manifest__.py"))
        self.server.drop()
        self.server.install_company()
        self.log.touch()
        own_by_service(self.log)
        tags = ",".join(f"/{addon}" for addon in self.addons)
        words = [
            "-i",
            ",".join([*self.addons, "payment_demo"]),
            "--load-language",
            "zh_CN",
            "--test-tags",
            tags,
        ]
        words += ["--stop-after-init", "--workers", "0", "--max-cron-threads", "0"]
        words += ["--http-port", str(free_port()), "--gevent-port", str(free_port())]
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(
                [
                    str(layout.PYTHON),
                    str(self.server.source.command),
                    "server",
                    "-c",
                    str(self.server.config),
                    *words,
                ],
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=service_env(),
                cwd=layout.VAR,
                **demoted(),
            )

    def finish(self) -> tuple[bool, str]:
        note("waiting for the Odoo addons' tests …")
        code = self.process.wait()
        text = self.log.read_text(errors="replace")
        self._print_problems(text)
        total = _TOTAL.search(text)
        per_addon = {name: int(count) for name, count in _PER_ADDON.findall(text)}
        if not total:
            return False, f"odoo: the run ended with exit code {code} before any result ({self.log})"
        failed, errors, count = (int(number) for number in total.groups())
        untested = [addon for addon in self.addons if not per_addon.get(addon)]
        counts = ", ".join(f"{addon} {per_addon.get(addon, 0)}" for addon in self.addons)
        line = f"odoo: {count - failed - errors} passed, {failed + errors} failed ({counts})"
        if untested:
            line += f" — no test ran in {', '.join(untested)}"
        return code == 0 and failed + errors == 0 and count > 0 and not untested, line

    @staticmethod
    def _print_problems(text: str) -> None:
        """Print error records with their tracebacks, and warnings; the rest stays in the log file."""
        shown, lines = False, text.splitlines()
        for line in lines:
            record = re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ \d+ (\w+) ", line)
            if record:
                shown = record.group(1) in ("ERROR", "CRITICAL")
            if shown:
                print(line)


def lint() -> int:
    """What CI checks before the tests. Every rule blocks."""
    checks: list[tuple[str, list[str], Path]] = [
        ("format", ["ruff", "format", "--check", "."], layout.ROOT),
        ("ruff", ["ruff", "check", "."], layout.ROOT),
        ("mypy (connector, strict)", ["mypy", "--strict", "src"], layout.CONNECTOR),
        ("pylint-odoo", ["pylint", "--rcfile", ".pylintrc", "--jobs", "2", *_addon_paths()], layout.ROOT),
    ]
    failed = []
    for name, words, directory in checks:
        step(f"Lint: {name}")
        command = [str(layout.VENV / "bin" / words[0]), *words[1:]]
        if subprocess.run(command, cwd=directory, check=False).returncode != 0:
            failed.append(name)
    if failed:
        raise StackError(f"lint failed: {', '.join(failed)}")
    good("lint is clean")
    return 0


def _addon_paths() -> list[str]:
    return sorted(
        str(path.parent.relative_to(layout.ROOT)) for path in layout.ADDONS.glob("*/__manifest__.py")
    )
