"""System packages, the service user, and running processes as that user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import layout
from .console import StackError, note, run, step

# What the product itself needs, then what its tests need. "a|b": b is the name in a later Debian.
PACKAGES = (
    "ca-certificates",
    "postgresql",
    "postgresql-client",
    "python3-venv",
    "acl",  # lets the service user pass through a private parent directory
    "libpango-1.0-0",  # WeasyPrint: PDF documents with Chinese text
    "libpangoft2-1.0-0",
    "libharfbuzz-subset0",
    "libmagic1|libmagic1t64",
    "fontconfig",
    "fonts-noto-cjk",
    "chromium",  # browser tests
    "poppler-utils",  # tests look at PDF pages
    "socat",  # tests: a pair of pseudo-terminals as a serial line
    "mbpoll",  # tests: a Modbus master that others wrote
    "git",
)


def is_root() -> bool:
    return os.geteuid() == 0


def _privileged(command: Sequence[str]) -> list[str]:
    if is_root():
        return list(command)
    if not shutil.which("sudo"):
        raise StackError(
            f"Installing system packages needs root. Run as root, install sudo, or install by hand: {' '.join(PACKAGES)}"
        )
    return ["sudo", *command]


def missing_packages() -> list[str]:
    """Those of PACKAGES of which dpkg reports no alternative as installed."""
    names = [name for package in PACKAGES for name in package.split("|")]
    result = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {line.split()[0] for line in result.stdout.splitlines() if line.endswith(" installed")}
    return [package.split("|")[0] for package in PACKAGES if not installed & set(package.split("|"))]


def install_packages() -> None:
    if not shutil.which("dpkg-query"):
        note("This is not a Debian-based system: skipping system packages.")
        note("Needed are: " + " ".join(PACKAGES))
        return
    missing = missing_packages()
    if not missing:
        return
    step("Installing system packages: " + " ".join(missing))
    log = layout.LOGS / "apt.log"
    advice = "Is this machine online, and are its package sources up to date?"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(_privileged(["apt-get", "update", "-q"]), log=log, advice=advice, attempts=3, env=env)
    with _no_default_cluster():
        command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing]
        run(_privileged(command), log=log, advice=advice, attempts=3, env=env)


class _no_default_cluster:  # noqa: N801 - reads as a statement where it is used
    """Debian's PostgreSQL starts a server of its own when installed; we only want the programs."""

    _path = Path("/etc/postgresql-common/createcluster.conf")

    def __enter__(self) -> None:
        self._made = is_root() and not self._path.exists() and not Path("/usr/lib/postgresql").exists()
        if self._made:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("create_main_cluster = false\n")

    def __exit__(self, *_exc) -> None:
        # Removed only if the package did not put its own (conffile) version there meanwhile.
        if self._made and self._path.exists() and self._path.read_text() == "create_main_cluster = false\n":
            self._path.unlink()


def service_user() -> str:
    """Who PostgreSQL, Odoo and the connector run as: never root."""
    return layout.SERVICE_USER if is_root() else pwd.getpwuid(os.geteuid()).pw_name


def ensure_service_user() -> None:
    """As root: make the system user and let it reach this clone. Otherwise nothing is to do."""
    if is_root():
        try:
            pwd.getpwnam(layout.SERVICE_USER)
        except KeyError:
            step(
                f"Making the system user '{layout.SERVICE_USER}' (the database and Odoo must not run as root)"
            )
            command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent"]
            run(
                [*command, "--shell", "/usr/sbin/nologin", layout.SERVICE_USER],
                log=layout.LOGS / "user.log",
                advice="Make the user by hand and run set-up again.",
            )
    layout.LOCAL.mkdir(exist_ok=True)
    layout.VAR.mkdir(exist_ok=True)
    for directory in (layout.ODOO_DATA, layout.SITE_DATA, layout.socket_dir()):
        directory.mkdir(parents=True, exist_ok=True)
    if is_root():
        for directory in (layout.VAR, layout.ODOO_DATA, layout.SITE_DATA, layout.socket_dir()):
            shutil.chown(directory, layout.SERVICE_USER, layout.SERVICE_USER)
        _let_service_user_reach_clone()


def _let_service_user_reach_clone() -> None:
    """Give the service user passage (execute only, not reading) through private parent directories."""
    for parent in [*reversed(layout.ROOT.parents), layout.ROOT, layout.LOCAL]:
        if _can_pass(parent):
            continue
        note(f"Letting '{layout.SERVICE_USER}' pass through {parent} (execute permission only)")
        acl = ["setfacl", "-m", f"u:{layout.SERVICE_USER}:x", str(parent)]
        if subprocess.run(acl, capture_output=True, check=False).returncode != 0:
            parent.chmod(parent.stat().st_mode | 0o001)
    if not _can_pass(layout.LOCAL):
        raise StackError(
            f"The user '{layout.SERVICE_USER}' cannot reach {layout.ROOT}. Clone to a directory that others may enter."
        )


def _can_pass(directory: Path) -> bool:
    probe = ["test", "-x", str(directory)]
    return subprocess.run(probe, check=False, **demoted()).returncode == 0


def demoted() -> dict[str, object]:
    """Keyword arguments for subprocess that make the child run as the service user."""
    if not is_root():
        return {}
    entry = pwd.getpwnam(layout.SERVICE_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def service_env(**extra: str) -> dict[str, str]:
    """Environment of service processes: compiled files and home inside the clone's own directory."""
    return {
        **os.environ,
        "HOME": str(layout.VAR),
        "PYTHONPYCACHEPREFIX": str(layout.VAR / "pycache"),
        "XDG_CACHE_HOME": str(layout.VAR / "cache"),
        **extra,
    }
