"""What the kept outbox knows, read without disturbing a connector that runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..config import Settings
from ..errors import SettingsError
from ..model import SiteConfig
from ..outbox import queues
from ..outbox.database import open_database
from ..outbox.outbox import CONFIG_KEY


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The outbox, for looking only. SettingsError when there is none yet."""
    if not path.exists():
        raise SettingsError(f"{path}: there is no outbox yet; the connector has not run with these settings")
    with closing(open_database(path, is_read_only=True)) as db:
        yield db


def kept_site(settings: Settings) -> SiteConfig:
    """The configuration Odoo gave last. SettingsError when there is none."""
    with opened(settings.outbox_file) as db:
        text = queues.kept(db, CONFIG_KEY)
    if not text:
        raise SettingsError(
            f"{settings.outbox_file}: no configuration from Odoo yet; run the connector once with Odoo in reach"
        )
    return SiteConfig.from_document(json.loads(text))
