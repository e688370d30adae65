"""An Odoo server with a database of its own: configuration, installation, prefork start, scripts."""

from __future__ import annotations

import configparser
import hashlib
import subprocess
from pathlib import Path

from . import layout, postgres
from .console import StackError, note
from .odoo_source import OdooSource
from .services import Service, answers, free_port, own_by_service
from .system import demoted, service_env

READY_TIMEOUT_S = 180
FOREIGN_ADDONS = (
    "l10n_cn",
    "contract",
    "queue_job",
    "report_xlsx",
    "payment_demo",
    "account_payment",
    "portal",
)


class OdooServer:
    """Odoo in prefork on free ports, over one database.

    name: used for file names below .local/var. database: its database. Ports are chosen anew by each
    instance, so that clones and tests run side by side.
    """

    def __init__(self, source: OdooSource, database: str, *, workers: int = 2, http_port: int | None = None):
        self.source = source
        self.database = database
        self.workers = workers
        self.http_port = http_port or free_port()
        self.gevent_port = free_port()
        self.config = layout.VAR / f"{database}.conf"
        self.log = layout.VAR / "log" / f"{database}-odoo.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        own_by_service(self.log.parent)
        self._write_config()
        self.service = Service("Odoo", [*self._command(), "server", "-c", str(self.config)], self.log)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def _command(self) -> list[str]:
        return [str(layout.PYTHON), str(self.source.command)]

    def _write_config(self) -> None:
        parser = configparser.ConfigParser(interpolation=None, comment_prefixes=(";", "#"))
        parser.read(layout.ROOT / "odoo.conf")
        database = postgres.server()
        parser["options"].update(
            {
                "addons_path": ",".join(str(path) for path in [*self.source.addons, layout.ADDONS]),
                "data_dir": str(layout.ODOO_DATA),
                "db_host": database.host,
                "db_port": str(database.port),
                "db_user": database.user,
                # names the only database there is; a dbfilter besides would make Odoo ask the server for its databases at
                # every request that carries no session, as those of the connector
                "db_name": self.database,
                "workers": str(self.workers),
                "http_port": str(self.http_port),
                "gevent_port": str(self.gevent_port),
                "pidfile": "",
            }
        )
        if database.password:
            parser["options"]["db_password"] = database.password
        if not parser.has_section("queue_job"):
            parser.add_section("queue_job")
        parser["queue_job"].update({"host": "127.0.0.1", "port": str(self.http_port), "scheme": "http"})
        with self.config.open("w") as file:
            parser.write(file)
        self.config.chmod(0o600)
        own_by_service(self.config)

    def run(self, *words: str, stdin: str | None = None, log: Path | None = None) -> str:
        """Run one `odoo` command to its end and return what it printed. Raises StackError if it fails."""
        subcommand = [words[0]] if words and not words[0].startswith("-") else ["server"]
        rest = words[1:] if words and not words[0].startswith("-") else words
        done = subprocess.run(
            [*self._command(), *subcommand, "-c", str(self.config), *rest],
            input=stdin,
            capture_output=True,
            text=True,
            env=service_env(),
            cwd=layout.VAR,
            check=False,
            **demoted(),
        )
        if log:
            log.write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            tail = "\n".join(f"    | {line}" for line in done.stderr.strip().splitlines()[-25:])
            raise StackError(
                f"`odoo {' '.join(words)[:80]}` failed with exit code {done.returncode}.\n{tail}"
            )
        return done.stdout

    def _one_shot(self) -> list[str]:
        """Options of commands that must not open ports or run jobs."""
        return ["--stop-after-init", "--workers", "0", "--max-cron-threads", "0", "--no-http"]

    def exists(self) -> bool:
        """Whether the database exists and has our addons."""
        import psycopg2

        try:
            with psycopg2.connect(**postgres.server().dsn(self.database)) as connection:
                cursor = connection.cursor()
                cursor.execute(
                    "SELECT count(*) FROM ir_module_module WHERE state = 'installed' AND name = 'contract'"
                )
                return cursor.fetchone()[0] == 1
        except psycopg2.Error:
            return False

    def drop(self) -> None:
        """Remove the database (and nothing else) if it exists."""
        import psycopg2

        connection = psycopg2.connect(**postgres.server().dsn("postgres"))
        connection.autocommit = True
        try:
            connection.cursor().execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')
        finally:
            connection.close()

    def install_company(self) -> None:
        """A fresh database with what our addons build on, and a company with the Chinese chart of accounts.

        Before our addons: they set up their accounts and journals from what the company has by then.
        """
        self.install([*FOREIGN_ADDONS])
        self.script(Path(__file__).with_name("company.py"))

    def install(self, addons: list[str], log: Path | None = None) -> None:
        words = ["-i", ",".join(addons), "--load-language", "zh_CN", *self._one_shot()]
        self.run(*words, log=log)

    def update(self, addons: list[str]) -> None:
        """Bring the database up to the code; an addon that is new to it is installed."""
        names = ",".join(addons)
        self.run("-i", names, "-u", names, "--load-language", "zh_CN", *self._one_shot())

    def script(self, path: Path, **arguments: str) -> str:
        """Run a Python file inside an Odoo shell, as Odoo's own superuser; `arguments` arrive as environment."""
        env = {f"STACK_{key.upper()}": value for key, value in arguments.items()}
        done = subprocess.run(
            [
                *self._command(),
                "shell",
                "-c",
                str(self.config),
                "--no-http",
                "--log-level",
                "warn",
                "--workers",
                "0",
            ],
            input=path.read_text(),
            capture_output=True,
            text=True,
            env=service_env(**env, PYTHONWARNINGS="ignore"),
            cwd=layout.VAR,
            check=False,
            **demoted(),
        )
        # The shell goes on after an exception and ends with 0, so the script says itself that it arrived.
        if "SCRIPT COMPLETE" not in done.stdout:
            tail = "\n".join(
                f"    | {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-25:]
            )
            raise StackError(f"{path.name} did not complete.\n{tail}")
        return done.stdout

    def start(self) -> None:
        self.service.start()
        self.service.wait_until(
            lambda: answers(f"{self.url}/web/health"), READY_TIMEOUT_S, "its web page answered"
        )

    def stop(self) -> None:
        self.service.stop()

    def kill(self) -> None:
        self.service.kill()


def addons_fingerprint() -> str:
    """Digest over all files of our addons: tells whether an existing database must be updated."""
    digest = hashlib.sha256()
    for path in sorted(layout.ADDONS.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and "/static/" not in str(path):
            digest.update(str(path.relative_to(layout.ADDONS)).encode() + path.read_bytes())
    return digest.hexdigest()


def ensure_database(server: OdooServer, addons: list[str]) -> bool:
    """Install or update the database as the code demands. True if it was made anew."""
    stamp = layout.VAR / f"{server.database}.fingerprint"
    fingerprint = addons_fingerprint()
    if not server.exists():
        note(f"installing {', '.join(addons)} with Chinese (a minute or two, once)")
        server.drop()
        server.install_company()
        server.install(addons)
        stamp.write_text(fingerprint)
        return True
    if not stamp.exists() or stamp.read_text() != fingerprint:
        note("the addons have changed: updating the database")
        server.update(addons)
        stamp.write_text(fingerprint)
    return False
