"""What all parts of the demo data go by."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import yaml


class Demo:
    """`env`: Odoo's own. The rest comes from the environment, see `load.py`."""

    def __init__(self, env):
        self.env = env(context={"lang": "zh_CN", "tracking_disable": True, "mail_create_nolog": True})
        self.site_file = yaml.safe_load(Path(os.environ["STACK_SITE"]).read_text())
        self.ready = json.loads(Path(os.environ["STACK_READY"]).read_text())
        self.password = os.environ["STACK_PASSWORD"]
        self.history_days = int(os.environ["STACK_HISTORY_DAYS"])
        opened_at = datetime.utcnow() - timedelta(days=self.history_days, minutes=10)
        self.opened_at = opened_at.replace(microsecond=0)

    def find_or_create(self, model, domain, values):
        """The record of `domain`, made with `values` if there is none."""
        records = self.env[model].with_context(active_test=False)
        return records.search(domain, limit=1) or records.create(values)
