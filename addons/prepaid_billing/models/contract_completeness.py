"""Money waits for readings: a month's invoice while too many are missing, invoice and refund while stored ones still come."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from odoo import models
from odoo.exceptions import UserError

UTC = ZoneInfo("UTC")


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    def _get_month_completeness(self, month):
        """{meter: percent of the readings due that are there}, of the tenancy's own days of the month."""
        self.ensure_one()
        zone = self._get_zone()
        found = {}
        for occupancy in self._get_all_occupancies()[self]:
            first = max(month, _local_day(occupancy.start_at, zone))
            last = month + relativedelta(months=1, days=-1)
            if occupancy.end_at:
                last = min(last, _local_day(occupancy.end_at, zone))
            if first > last:
                continue
            meters = self._get_meters_sudo(occupancy.unit_id.service_point_ids, first, last, zone)
            percents = self.env["meter.completeness"].sudo()._get_percent(meters, first, last)
            for meter in meters.filtered(lambda meter, percents=percents: meter.id in percents):
                found[meter] = min(percents[meter.id], found.get(meter, 100.0))
        return found

    def _get_meters_sudo(self, points, first, last, zone):
        """Meters that measured these service points on any of these days. As superuser: counted, not shown."""
        begin = datetime.combine(first, time(), zone).astimezone(UTC).replace(tzinfo=None)
        end = datetime.combine(last + relativedelta(days=1), time(), zone).astimezone(UTC)
        domain = [
            ("service_point_id", "in", points.ids),
            ("start_at", "<", end.replace(tzinfo=None)),
            "|", ("end_at", "=", False), ("end_at", ">", begin),
        ]  # fmt: skip
        return self.env["meter.installation"].sudo().search(domain).meter_id

    def _check_month_complete(self, month):
        """Raise UserError while a meter misses more readings than the company allows; 0 = never."""
        self._check_caught_up(month + relativedelta(months=1))
        limit = self.company_id.sudo().prepaid_invoice_completeness  # a setting, not a secret
        if not limit or self._get_month_invoice(month):
            return
        missing = [
            f"{meter.display_name} {percent:.1f} %"
            for meter, percent in self._get_month_completeness(month).items()
            if percent < limit
        ]
        if missing:
            raise UserError(
                self.env._(
                    "Readings of %(month)s are missing (%(limit)s %% are asked for): %(meters)s",
                    month=f"{month:%Y-%m}",
                    limit=limit,
                    meters=", ".join(missing),
                )
            )

    def _check_caught_up(self, day):
        """Raise UserError while charges from before this local day wait for readings that a connector still brings."""
        self.ensure_one()
        before = datetime.combine(day, time(), self._get_zone()).astimezone(UTC).replace(tzinfo=None)
        waiting = self.env["prepaid.cursor"].sudo()  # whether there is any, not what it says
        for occupancy in self._get_all_occupancies()[self]:
            waiting |= waiting.search(
                [
                    ("is_waiting", "=", True),
                    ("at", "<", min(before, occupancy.end_at or before)),
                    ("installation_id.service_point_id.unit_id", "=", occupancy.unit_id.id),
                ]
            )
        if waiting:
            raise UserError(
                self.env._(
                    "%(points)s: readings stored during an outage are still on their way; charges wait for them.",
                    points=", ".join(waiting.installation_id.service_point_id.mapped("display_name")),
                )
            )


def _local_day(moment, zone):
    return moment.replace(tzinfo=UTC).astimezone(zone).date()
