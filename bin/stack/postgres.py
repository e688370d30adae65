"""The clone's own PostgreSQL cluster (socket only), or the server that environment or odoo.conf name."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import layout
from .console import StackError, note, step
from .system import demoted, service_env, service_user

OLDEST_SERVER = 13  # xid8 snapshot functions
ROLE = "odoo"  # not a superuser: the append-only triggers bind it


@dataclass(frozen=True)
class Server:
    """How to reach a database server. `own` is false when somebody else runs it."""

    host: str
    port: int
    user: str
    password: str | None = None
    own: bool = True

    def dsn(self, database: str) -> dict[str, object]:
        """Keyword arguments for psycopg2.connect."""
        found: dict[str, object] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "dbname": database,
        }
        return found | ({"password": self.password} if self.password else {})


def server() -> Server:
    """The server to use; starts nothing."""
    if os.environ.get("PGHOST"):
        return Server(
            os.environ["PGHOST"],
            int(os.environ.get("PGPORT", "5432")),
            os.environ.get("PGUSER", ROLE),
            os.environ.get("PGPASSWORD"),
            own=False,
        )
    config = configparser.ConfigParser(interpolation=None)
    config.read(layout.ROOT / "odoo.conf")
    options = config["options"] if config.has_section("options") else {}
    if options.get("db_host", "False") not in ("", "False"):
        return Server(
            options["db_host"],
            int(options.get("db_port", "5432")),
            options.get("db_user", ROLE),
            options.get("db_password"),
            own=False,
        )
    return Server(str(layout.socket_dir()), 5432, ROLE)


def _programs() -> Path:
    """Directory of the newest installed server, or of the one that made the existing cluster."""
    version_file = layout.PG_DATA / "PG_VERSION"
    found = {
        int(path.parent.parent.name): path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if path.parent.parent.name.isdigit()
    }
    if version_file.exists():
        made_by = int(version_file.read_text())
        if made_by not in found:
            raise StackError(
                f"{layout.PG_DATA} was made by PostgreSQL {made_by}, which is no longer installed. "
                f"Install postgresql-{made_by}, or remove {layout.PG_DATA} (demo data is lost)."
            )
        return found[made_by]
    if found:
        return found[max(found)]
    initdb = shutil.which("initdb")
    if initdb:
        return Path(initdb).resolve().parent
    raise StackError("No PostgreSQL server programs found. Install the package postgresql.")


def _local_users() -> list[str]:
    return sorted({service_user(), "root"} if os.geteuid() == 0 else {service_user()})


def _settings() -> str:
    return f"""
# written by set-up; only a socket, reachable for the service user and whoever set it up
listen_addresses = ''
unix_socket_directories = '{layout.socket_dir()}'
max_connections = 120
shared_buffers = 256MB
max_wal_size = 2GB
timezone = 'UTC'
log_timezone = 'UTC'
# durability stays as delivered: fsync, full_page_writes and synchronous_commit are on
"""


def ensure_cluster() -> None:
    """Make the cluster if there is none."""
    if not server().own or (layout.PG_DATA / "PG_VERSION").exists():
        return
    step("Making a PostgreSQL cluster in .local/var/postgres")
    log = layout.VAR / "postgres-setup.log"
    words = ["-D", str(layout.PG_DATA), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=peer"]
    _as_service([str(_programs() / "initdb"), *words], log)
    _check_version()
    with (layout.PG_DATA / "postgresql.conf").open("a") as config:
        config.write(_settings())
    (layout.PG_DATA / "pg_hba.conf").write_text("local all all peer map=clone\n")
    names = [f"clone {user} {role}\n" for user in _local_users() for role in ("postgres", ROLE)]
    (layout.PG_DATA / "pg_ident.conf").write_text("".join(names))


def _check_version() -> None:
    version = int(re.match(r"\d+", (layout.PG_DATA / "PG_VERSION").read_text()).group())
    if version < OLDEST_SERVER:
        raise StackError(f"PostgreSQL {version} is too old; {OLDEST_SERVER} or newer is needed.")


def _as_service(words: list[str], log: Path) -> None:
    with log.open("ab") as sink:
        done = subprocess.run(
            words,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=service_env(),
            check=False,
            cwd=layout.VAR,
            **demoted(),
        )
    if done.returncode != 0:
        tail = log.read_text(errors="replace").strip().splitlines()[-6:]
        raise StackError(f"`{Path(words[0]).name}` failed. " + " ".join(tail) + f" (all of it: {log})")


def is_running() -> bool:
    words = [str(_programs() / "pg_ctl"), "-D", str(layout.PG_DATA), "status"]
    return subprocess.run(words, capture_output=True, check=False, cwd="/", **demoted()).returncode == 0


def start() -> bool:
    """Start the cluster if it is ours and stopped. True if this call started it (its caller stops it)."""
    if not server().own:
        note(f"Using the database server {server().host}")
        return False
    if is_running():
        return False
    log = layout.VAR / "postgres.log"
    # The server is a child of pg_ctl, not of this process: Ctrl-C in the terminal must not reach it first.
    words = [
        str(_programs() / "pg_ctl"),
        "-D",
        str(layout.PG_DATA),
        "-l",
        str(log),
        "-w",
        "-t",
        "60",
        "start",
    ]
    _as_service(words, layout.VAR / "postgres-setup.log")
    _ensure_role()
    return True


def stop() -> None:
    if server().own and is_running():
        words = [str(_programs() / "pg_ctl"), "-D", str(layout.PG_DATA), "-m", "fast", "-w", "stop"]
        _as_service(words, layout.VAR / "postgres-setup.log")


def _psql(role: str, database: str, sql: str) -> str:
    words = [str(_programs() / "psql"), "-h", server().host, "-U", role, "-d", database, "-tAc", sql]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"The database refused `{sql[:60]}`: {done.stderr.strip()}")
    return done.stdout.strip()


def _ensure_role() -> None:
    if not _psql("postgres", "postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
        _psql("postgres", "postgres", f"CREATE ROLE {ROLE} LOGIN CREATEDB")
