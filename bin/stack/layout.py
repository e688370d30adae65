"""Where things are. A clone keeps all it makes in `.local/`; nothing is shared with another clone."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADDONS = ROOT / "addons"
CONNECTOR = ROOT / "connector"
REQUIREMENTS = ROOT / "requirements.txt"

LOCAL = ROOT / ".local"  # made by set-up, readable by the service user
VENV = LOCAL / "venv"
PYTHON = VENV / "bin" / "python"
ODOO_PREFIX = LOCAL / "odoo"  # Odoo 19, unpacked
DOWNLOADS = LOCAL / "downloads"
LOGS = LOCAL / "setup-log"
INDEPENDENTS = LOCAL / "independents"  # programs of others that the tests talk to

VAR = LOCAL / "var"  # everything below belongs to the service user
PG_DATA = VAR / "postgres"
ODOO_DATA = VAR / "odoo-data"
SITE_DATA = VAR / "site"  # connector and simulator

SERVICE_USER = "prepaid"
OUR_ADDONS = (
    "property_utility",
    "meter_gateway",
    "prepaid_billing",
    "tenant_portal",
    "payment_reconciliation",
    "payment_wechatpay",
    "payment_alipay",
)

# A socket's path is limited to 107 bytes by the kernel; deep clones get a short directory instead.
_SOCKET_LIMIT = 90


def socket_dir() -> Path:
    """Directory of the database server's socket: inside the clone where the path is short enough."""
    inside = VAR / "run"
    if len(str(inside)) <= _SOCKET_LIMIT:
        return inside
    digest = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    return Path("/tmp") / f"prepaid-{digest}"  # noqa: S108 - owned by the service user, mode 0755


def rerun_in_venv(script: str) -> None:
    """Continue this command inside the virtual environment (it needs psycopg2, PyYAML and the like)."""
    if Path(sys.prefix) != VENV:
        os.execv(PYTHON, [str(PYTHON), str(Path(script).resolve()), *sys.argv[1:]])
