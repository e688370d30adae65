"""What the tenant's pages show of one tenancy. All `_get_portal_*` run on a record that `controllers.access` has checked."""

from datetime import datetime

import pytz
from odoo import fields, models
from odoo.tools import format_date

USED_UP = ("due", "trip", "tripped")  # states of the policy in which there is no money left
LONG_DAYS = 365


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
            "units": " · ".join(sorted(units.mapped("code"))),
            "place": " ".join(filter(None, (self.site_id.name, units.building_id[:1].name))),
            "is_ended": self.tenancy_state == "ended",
        }

    # --- the money --------------------------------------------------------------------------------------------

    def _get_portal_summary(self):
        """{balance, days_left, cut_off_day, state, is_prepaid, fees_waiting, suggested, can_topup}; money as Decimal.

        The only place that reads `_get_supply_summary`. state: see the policy's STATES.
        """
        self.ensure_one()
        given = self._get_supply_summary()
        balance, is_running = given["balance"], self.tenancy_state != "ended"
        return {
            "balance": balance,
            "days_left": given["days_left"] if is_running else None,
            "cut_off_day": given["cutoff_date"] if is_running else None,
            "state": given["state"] if is_running else "normal",
            "is_prepaid": self.env["prepaid.policy"]._get_for(self)[self.id].is_prepaid,
            "fees_waiting": self._get_fees_waiting(),
            "suggested": self._get_portal_suggestion(given["suggested_topup"]),
            "can_topup": self._get_portal_can_topup(balance),
        }

    def _get_portal_can_topup(self, balance):
        """Who has moved out may still pay what he owes, nothing more."""
        return bool(self.wallet_id) and self.active and (self.tenancy_state != "ended" or balance < 0)

    def _get_portal_suggestion(self, suggested):
        """What lasts for about a month, within what may be topped up."""
        smallest, largest = self._get_portal_topup_limits()
        return min(max(suggested, smallest), largest)

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
            "forecast": self._get_portal_forecast(summary),
        }

    def _get_portal_forecast(self, summary):
        """How long the money lasts, in words."""
        _ = self.env._
        days = summary["days_left"]
        if self.tenancy_state == "ended":
            return _("This account is closed.")
        if summary["state"] in USED_UP:
            return _("Used up")
        if days is None:
            return _("The forecast starts after the first day of use.")
        if days < 1:
            return _("Lasts less than a day")
        if days > LONG_DAYS:
            return _("Lasts for more than a year")
        day = self._get_portal_day_text(summary["cut_off_day"])
        return _("Lasts about %(days)s days, until about %(day)s", days=int(days), day=day)

    def _get_portal_warnings(self, summary, points):
        """[{level: danger|warning|info, icon, text}] in the order of what presses most."""
        _ = self.env._
        found = [self._get_portal_money_warning(summary, points)]
        if self.tenancy_state == "ended":
            found.append(("info", "fa-archive", _("You have moved out. Your history stays here.")))
            if summary["balance"] > 0:
                text = _("Please ask the property office to pay back the money that is left.")
                found.append(("info", "fa-reply", text))
        if summary["fees_waiting"]:
            fees = _format_yuan(self, summary["fees_waiting"])
            text = _("Fees of %s are due and wait for money in your account.", fees)
            found.append(("warning", "fa-clock-o", text))
        until = self.special_supply_until
        if until and until > fields.Datetime.now():
            text = _("You are not cut off for money until %s.", self._get_portal_time(until))
            found.append(("info", "fa-shield", text))
        return [{"level": row[0], "icon": row[1], "text": row[2]} for row in found if row]

    def _get_portal_money_warning(self, summary, points):
        _ = self.env._
        if any(point["state"] == "off" and point["is_for_money"] for point in points):
            text = _("Supply is off because the balance is used up. Top up and it comes back by itself.")
            return "danger", "fa-power-off", text
        if summary["state"] in USED_UP:
            if summary["is_prepaid"]:
                text = _("The balance is used up. Top up now so that the power is not cut off.")
                return "danger", "fa-exclamation-triangle", text
            return "warning", "fa-exclamation-triangle", _("The balance is used up. Please top up.")
        if summary["state"] == "warned":
            return "warning", "fa-exclamation-triangle", _("Your balance is low. Please top up soon.")
        if self.tenancy_state == "ended" and summary["balance"] < 0:
            return (
                "warning",
                "fa-exclamation-triangle",
                _("There is still money to pay. You can top up here."),
            )
        return None


def _format_yuan(contract, amount):
    return contract.wallet_id.currency_id.format(float(amount))
