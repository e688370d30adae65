"""Getting Odoo 19: a path the user names, an importable one, Debian's package unpacked, or a shallow clone.

Debian's package is unpacked into the clone, never installed, through an apt state of its own: the
machine's package sources and its installed packages stay as they are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import layout
from .console import StackError, note, run, step

UPSTREAM = "https://github.com/odoo/odoo.git"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DEFAULT_MIRROR = "http://deb.debian.org/debian"

# Odoo's web addon links to these by relative path inside the same prefix. Two come from the machine's own
# suite because unstable has renamed the files that the links name.
FROM_UNSTABLE = (
    "odoo-19",
    "libjs-jquery",
    "libjs-underscore",
    "libjs-jquery-form",
    "fonts-roboto-unhinted",
    "fonts-montserrat",
    "fonts-ocr-b",
)
FROM_STABLE = ("fonts-inconsolata", "fonts-font-awesome")


class OdooSource:
    """Where Odoo's command and its Python package are."""

    def __init__(self, command: Path, python_path: Path | None, addons: list[Path]):
        self.command = command
        self.python_path = python_path
        self.addons = addons


def ensure() -> OdooSource:
    """Find or fetch Odoo 19. Raises StackError with what to do when no way is open."""
    named = os.environ.get("ODOO_DIR")
    if named:
        return _from_checkout(Path(named).expanduser())
    if (layout.ODOO_PREFIX / "usr/bin/odoo").exists():
        return _from_package()
    if (layout.ODOO_PREFIX / "odoo-bin").exists():
        return _from_checkout(layout.ODOO_PREFIX)
    if shutil.which("apt-get") and KEYRING.exists():
        try:
            _unpack_debian_package()
            return _from_package()
        except StackError as error:
            note(f"Debian's package could not be had: {error}")
    _clone_upstream()
    return _from_checkout(layout.ODOO_PREFIX)


def _from_package() -> OdooSource:
    packages = layout.ODOO_PREFIX / "usr/lib/python3/dist-packages"
    return OdooSource(layout.ODOO_PREFIX / "usr/bin/odoo", packages, [packages / "odoo/addons"])


def _from_checkout(directory: Path) -> OdooSource:
    release = directory / "odoo" / "release.py"
    if not release.exists():
        raise StackError(f"ODOO_DIR={directory} is not an Odoo source tree: {release} is missing.")
    version = re.search(r"version_info = \((\d+)", release.read_text())
    if not version or version.group(1) != "19":
        raise StackError(
            f"ODOO_DIR={directory} is not Odoo 19. Name a checkout of branch 19.0, or unset ODOO_DIR."
        )
    addons = [path for path in (directory / "addons", directory / "odoo/addons") if path.is_dir()]
    return OdooSource(directory / "odoo-bin", directory, addons)


def _clone_upstream() -> None:
    step("Cloning Odoo 19.0 from upstream (shallow, about 250 MB)")
    run(
        ["git", "clone", "--depth", "1", "--branch", "19.0", UPSTREAM, layout.ODOO_PREFIX],
        log=layout.LOGS / "odoo.log",
        advice="Get Odoo 19 by other means and name its directory: ODOO_DIR=/path/to/odoo bin/setup",
        attempts=2,
    )


def _machine_mirror() -> str:
    """The mirror this machine already uses, so that a company's own mirror keeps working."""
    pattern = re.compile(r"^(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(https?://\S*debian/?)\s*", re.MULTILINE)
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if file.is_file() and (found := pattern.search(file.read_text(errors="replace"))):
            return found.group(1).rstrip("/")
    return DEFAULT_MIRROR


def _apt_options(state: Path) -> list[str]:
    settings = {
        "Dir::Etc::SourceList": state / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": state / "lists",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "Acquire::Retries": "3",
        # Mirrors that follow unstable slowly serve an expired index; its signature is checked all the same.
        "Acquire::Check-Valid-Until": "false",
    }
    return [word for key, value in settings.items() if value for word in ("-o", f"{key}={value}")]


def _unpack_debian_package() -> None:
    step("Fetching Odoo 19 (Debian's package, 123 MB, unpacked into .local/odoo, not installed)")
    state = layout.DOWNLOADS / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_machine_mirror()} sid main\n")
    log = layout.LOGS / "odoo.log"
    advice = "Is the Debian mirror reachable? Otherwise name a source tree: ODOO_DIR=/path/to/odoo bin/setup"
    debs = layout.DOWNLOADS / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    options = _apt_options(state)
    run(["apt-get", *options, "update", "-q"], log=log, advice=advice, attempts=3)
    run(["apt-get", *options, "download", "-q", *FROM_UNSTABLE], log=log, advice=advice, attempts=3, cwd=debs)
    run(["apt-get", "download", "-q", *FROM_STABLE], log=log, advice=advice, attempts=3, cwd=debs)
    _unpack(debs, log)


def _unpack(debs: Path, log: Path) -> None:
    """Unpack all archives into a fresh directory, check its links, then move it into place at once."""
    fresh = layout.LOCAL / "odoo.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for archive in sorted(debs.glob("*.deb")):
        run(["dpkg", "-x", archive, fresh], log=log, advice="Remove .local/downloads and try again.")
    dangling = [path for path in fresh.rglob("*") if path.is_symlink() and not path.exists()]
    if dangling:
        raise StackError(f"The unpacked Odoo has links to nowhere, first: {dangling[0].relative_to(fresh)}")
    shutil.rmtree(layout.ODOO_PREFIX, ignore_errors=True)
    fresh.rename(layout.ODOO_PREFIX)
    shutil.rmtree(layout.DOWNLOADS)


def check(source: OdooSource) -> None:
    """Ask the found Odoo for its version; a broken source is told now, not by the first server start."""
    done = subprocess.run(
        [layout.PYTHON, source.command, "--version"], capture_output=True, text=True, timeout=120, check=False
    )
    if "19.0" not in done.stdout:
        raise StackError(
            f"Odoo does not start: {(done.stderr or done.stdout).strip()[-400:]}\n"
            "Remove .local and run bin/setup again, or name a working tree by ODOO_DIR."
        )
