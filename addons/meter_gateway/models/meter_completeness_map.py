"""Data of the map of a month (client action ``meter_gateway.completeness``): gateways, or the meters of one."""

import re

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models

MAX_ROWS = 400


class MeterCompleteness(models.Model):
    _inherit = "meter.completeness"

    @api.model
    def action_get_map(self, options=None):
        """One row a gateway (or a meter of ``gateway_id``), one cell a day.

        :param dict options: {"month": "2026-11", "gateway_id": 5}; both may be missing
        :return: {"month", "days": [dates], "title", "gateway_id", "rows": [{"id", "name", "cells": [cell or False]}],
            "threshold"}; a cell is {"percent", "expected", "received", "late", "missing"}
        """
        self.browse().check_access("read")
        options = options or {}
        first = self._read_month(options.get("month"))
        last = first + relativedelta(months=1, days=-1)
        gateway = self.env["meter.gateway"].browse(options.get("gateway_id") or []).exists()
        by = "meter_id" if gateway else "gateway_id"
        domain = [("day", ">=", first), ("day", "<=", last)]
        if gateway:
            gateway.check_access("read")
            domain.append(("gateway_id", "=", gateway.id))
        days = [first + relativedelta(days=offset) for offset in range((last - first).days + 1)]
        return {
            "month": f"{first:%Y-%m}",
            "days": [fields.Date.to_string(day) for day in days],
            "gateway_id": gateway.id,
            "title": gateway.display_name or "",
            "rows": self._get_map_rows(domain, by, days),
            "threshold": self._get_threshold(),
        }

    @api.model
    def _read_month(self, text):
        if isinstance(text, str) and re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
            return fields.Date.to_date(f"{text}-01")
        return fields.Date.context_today(self).replace(day=1)

    @api.model
    def _get_map_rows(self, domain, by, days):
        names = ("expected", "received", "late", "missing")
        found = {}
        for holder, day, *sums in self._read_group(
            domain, [by, "day:day"], [f"{name}:sum" for name in names]
        ):
            cell = dict(zip(names, sums, strict=True))
            cell["percent"] = (
                round(100.0 * cell["received"] / cell["expected"], 1) if cell["expected"] else 100.0
            )
            found.setdefault(holder, {})[day] = cell
        rows = [
            {
                "id": holder.id,
                "name": holder.display_name or "—",
                "cells": [cells.get(day, False) for day in days],
            }
            for holder, cells in found.items()
        ]
        rows.sort(key=lambda row: row["name"])
        return rows[:MAX_ROWS]
