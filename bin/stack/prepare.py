"""The whole set-up in order; every part does nothing when there is nothing to do."""

from __future__ import annotations

import time

from . import layout, odoo_source, postgres, python_env, system
from .console import good


def prepare(*, quiet: bool = False) -> odoo_source.OdooSource:
    """Make this clone runnable. Returns where Odoo is."""
    began = time.monotonic()
    system.install_packages()
    system.ensure_service_user()
    source = odoo_source.ensure()
    fresh = not layout.PYTHON.exists()
    python_env.ensure(source)
    if fresh:
        odoo_source.check(source)
    postgres.ensure_cluster()
    if not quiet:
        good(f"set-up complete ({time.monotonic() - began:.1f} s)")
    return source
