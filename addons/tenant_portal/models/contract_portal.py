"""What the tenant's pages show of one tenancy. All `_get_portal_*` run on a record that `controllers.access` has checked."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytz
from odoo import fields, models
from odoo.addons.prepaid_billing.exact import fetch_exact
from odoo.tools import format_date

AVERAGE_DAYS = 7
SUGGEST_DAYS = 30
SUGGEST_STEP = 10
ZERO = Decimal(0)


class ContractContract(models.Model):
    _inherit = "contract.contract"

    # --- time and words ---------------------------------------------------------------------------------------

    def _get_portal_zone(self):
        return pytz.timezone(self._get_tz())

    def _get_portal_today(self):
        return self._get_local_date(fields.Datetime.now())

    def _get_portal_time(self, at, pattern="%Y-%m-%d %H:%M"):
        """An instant (naive UTC, datetime or ISO text) as the clock of the site shows it."""
        if not at:
            return ""
        at = datetime.fromisoformat(at) if isinstance(at, str) else at
        return pytz.utc.localize(at).astimezone(self._get_portal_zone()).strftime(pattern)

    def _get_portal_utc(self, day):
        """The instant (naive UTC) at which a day of the site begins."""
        start = self._get_portal_zone().localize(datetime.combine(day, datetime.min.time()))
        return start.astimezone(pytz.utc).replace(tzinfo=None)

    def _get_portal_day_text(self, day):
        return format_date(self.env, day, date_format=self.env._("EEE, MMM d")) if day else ""

    def _get_portal_title(self):
        """Units and place, for the head of each page."""
        self.ensure_one()
        units = self.unit_ids or self.occupancy_ids.sorted("end_at")[-1:].unit_id
        return {
            "units": " · ".join(units.mapped("code")),
            "place": " ".join(filter(None, (self.site_id.name, units.building_id[:1].name))),
            "is_ended": self.tenancy_state == "ended",
        }

    # --- the money --------------------------------------------------------------------------------------------

    def _get_portal_summary(self):
        """{balance, available, days_left, cut_off_day, warn_level, state, fees_waiting, suggested, ...}.

        The only place that reads `_get_supply_summary`; what it does not say is worked out here.
        """
        self.ensure_one()
        given = self._get_supply_summary() or {}
        balance = self.wallet_id._get_balance_decimal()
        daily = _to_decimal(given.get("daily_cost"))
        if daily is None:
            daily = self._get_portal_daily_cost()
        days = _to_decimal(given.get("days_left"))
        if days is None and daily > 0:
            days = (max(balance, ZERO) / daily).quantize(Decimal("0.1"))
        return {
            "balance": balance,
            "fees_waiting": self._get_fees_waiting(),
            "daily_cost": daily,
            "days_left": days,
            "cut_off_day": self._get_portal_cut_off_day(given, days),
            "suggested": self._get_portal_suggestion(given, balance, daily),
            "warn_level": given.get("warn_level") or 0,
            "state": given.get("state") or "normal",
            "is_prepaid": given.get("is_prepaid", True),
            "can_topup": self._get_portal_can_topup(balance),
        }

    def _get_portal_can_topup(self, balance):
        """Who has moved out may still pay what he owes, nothing more."""
        return bool(self.wallet_id) and self.active and (self.tenancy_state != "ended" or balance < 0)

    def _get_portal_daily_cost(self):
        """Mean money a day of the last whole days with records, Decimal."""
        today = self._get_portal_today()
        rows = fetch_exact(
            self.env.cr,
            """SELECT sum(amount), (%(today)s - min(day))::numeric FROM prepaid_use_daily
                WHERE contract_id = %(contract)s AND day >= %(since)s AND day < %(today)s""",
            {"contract": self.id, "since": today - timedelta(days=AVERAGE_DAYS), "today": today},
        )
        total, days = rows[0]
        return total / days if total and days else ZERO

    def _get_portal_cut_off_day(self, given, days):
        """The day of the site on which the money is expected to be gone; None without a forecast."""
        at = given.get("cut_off_at")
        if at:
            return self._get_local_date(fields.Datetime.to_datetime(at))
        if days is None or days > 366:
            return None
        return self._get_local_date(fields.Datetime.now() + timedelta(days=float(days)))

    def _get_portal_suggestion(self, given, balance, daily):
        """Round money that lasts for a month, within what may be topped up."""
        suggested = _to_decimal(given.get("suggested_topup"))
        if suggested is None:
            missing = daily * SUGGEST_DAYS - balance + self._get_fees_waiting()
            suggested = -(-missing // SUGGEST_STEP) * SUGGEST_STEP
        smallest, largest = self._get_portal_topup_limits()
        return min(max(suggested, smallest), largest) if suggested > 0 else None

    def _get_portal_subaccounts(self):
        """[{name, icon, amount}]: what came in and went out since the beginning, by kind."""
        self.ensure_one()
        kinds = self.env["utility.kind"].with_context(active_test=False)
        balances = self.wallet_id._get_subaccount_balances().get(self.wallet_id.id, {})
        rows = []
        for kind_id, amount in sorted(balances.items()):
            kind = kinds.browse(kind_id) if kind_id else kinds
            name = kind.name if kind else self.env._("Top-ups and refunds")
            rows.append({"name": name, "icon": kind.icon or "fa-credit-card", "amount": amount})
        return rows

    def _get_portal_card(self):
        """One line of the list of tenancies."""
        summary = self._get_portal_summary()
        return {
            "contract": self,
            "title": self._get_portal_title(),
            "currency": self.wallet_id.currency_id,
            "summary": summary,
            "points": self._get_portal_points(),
        }

    # --- what changes by itself -------------------------------------------------------------------------------

    def _get_portal_live_values(self):
        """What the home page shows and asks for again every few seconds."""
        summary = self._get_portal_summary()
        points = self._get_portal_points()
        return {
            "title": self._get_portal_title(),
            "summary": summary,
            "points": points,
            "today": self._get_portal_use_today(),
            "warnings": self._get_portal_warnings(summary, points),
            "day_text": self._get_portal_day_text(summary["cut_off_day"]),
        }

    def _get_portal_warnings(self, summary, points):
        """[{level: danger|warning|info, icon, text}] in the order of what presses most."""
        _ = self.env._
        is_off = any(point["state"] == "off" and point["is_for_money"] for point in points)
        found = []
        if self.tenancy_state == "ended":
            found.append(("info", "fa-archive", _("You have moved out. Your history stays here.")))
        if is_off:
            text = _("Supply is off because the balance is used up. Top up and it comes back by itself.")
            found.append(("danger", "fa-power-off", text))
        elif summary["balance"] <= 0 and self.tenancy_state == "active":
            text = _("The balance is used up. Top up now so that the supply is not cut off.")
            found.append(("danger", "fa-exclamation-triangle", text))
        elif summary["warn_level"] and self.tenancy_state == "active":
            found.append(
                ("warning", "fa-exclamation-triangle", _("Your balance is low. Please top up soon."))
            )
        if summary["fees_waiting"]:
            text = _(
                "Fees of %s are due and wait for money in your account.",
                _format_yuan(self, summary["fees_waiting"]),
            )
            found.append(("warning", "fa-clock-o", text))
        return [{"level": level, "icon": icon, "text": text} for level, icon, text in found]


def _format_yuan(contract, amount):
    return contract.wallet_id.currency_id.format(float(amount))


def _to_decimal(value):
    """Decimal of what a summary holds (Decimal, text, number), None for nothing."""
    if value is None or value is False:
        return None
    return value if isinstance(value, Decimal) else Decimal(str(value))
