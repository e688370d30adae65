"""The cards of the overview page. Upper addons add theirs by overriding ``_get_cards``."""

from odoo import api, models

METERS_SQL = """
SELECT k.code, count(*), count(*) FILTER (WHERE m.state = 'online')
  FROM meter_meter m JOIN utility_kind k ON k.id = m.kind_id
 WHERE m.active AND m.building_id = ANY(%s) GROUP BY k.code
"""


class MeterOverview(models.AbstractModel):
    _inherit = "meter.overview"

    @api.model
    def _get_cards(self, buildings):
        """[{"key", "label", "value": text, "unit", "detail", "icon", "state": ok/info/warning/danger/muted,
        "action": xmlid, "domain", "sequence"}] in the order of ``sequence``."""
        cards = [
            self._prepare_unit_card(buildings),
            *self._prepare_meter_cards(buildings),
            self._prepare_gateway_card(buildings),
            self._prepare_switch_card(buildings),
            self._prepare_alarm_card(buildings),
        ]
        return sorted(filter(None, cards), key=lambda card: card["sequence"])

    @api.model
    def _prepare_card(self, key, label, value, sequence, **vals):
        return {
            "key": key,
            "label": label,
            "value": str(value),
            "sequence": sequence,
            "unit": "",
            "detail": "",
            "icon": "fa-square-o",
            "state": "info",
            "action": False,
            "domain": False,
        } | vals

    @api.model
    def _prepare_unit_card(self, buildings):
        counts = dict(
            self.env["property.unit"]._read_group(
                [("building_id", "in", buildings.ids)], ["state"], ["__count"]
            )
        )
        total = sum(counts.values())
        return self._prepare_card(
            "units",
            self.env._("Units Occupied"),
            counts.get("occupied", 0),
            10,
            unit=f"/ {total}",
            detail=self.env._("%s vacant", counts.get("vacant", 0)),
            icon="fa-building",
            action="property_utility.property_unit_action_board",
        )

    @api.model
    def _prepare_meter_cards(self, buildings):
        self.env.cr.execute(METERS_SQL, [buildings.ids])
        rows = {code: (total, online) for code, total, online in self.env.cr.fetchall()}
        shown = [
            (
                "power",
                self.env._("Power Meters Online"),
                "fa-bolt",
                "meter_gateway.meter_meter_action_power",
                20,
            ),
            (
                "water",
                self.env._("Water Meters Online"),
                "fa-tint",
                "meter_gateway.meter_meter_action_water",
                30,
            ),
        ]
        cards = []
        for code, label, icon, action, sequence in shown:
            total, online = rows.get(code, (0, 0))
            away = total - online
            cards.append(
                self._prepare_card(
                    f"meters_{code}",
                    label,
                    online,
                    sequence,
                    unit=f"/ {total}",
                    detail=self.env._("%s not online", away)
                    if away
                    else self.env._("All online")
                    if total
                    else "",
                    icon=icon,
                    state="muted" if not total else "warning" if away else "ok",
                    action=action,
                )
            )
        return cards

    @api.model
    def _prepare_gateway_card(self, buildings):
        domain = [("building_id", "in", [*buildings.ids, False])]
        counts = dict(self.env["meter.gateway"]._read_group(domain, ["state"], ["__count"]))
        total, offline = sum(counts.values()), counts.get("offline", 0)
        return self._prepare_card(
            "gateways",
            self.env._("Gateways Online"),
            counts.get("online", 0),
            40,
            unit=f"/ {total}",
            detail=self.env._("%s offline", offline) if offline else "",
            icon="fa-sitemap",
            state="muted" if not total else "danger" if offline else "ok",
            action="meter_gateway.meter_gateway_action",
        )

    @api.model
    def _prepare_switch_card(self, buildings):
        domain = [("building_id", "in", buildings.ids)]
        off = self.env["meter.switch"].search_count([*domain, ("reported", "=", "off")])
        mismatch = self.env["meter.switch"].search_count([*domain, ("is_mismatch", "=", True)])
        return self._prepare_card(
            "switched_off",
            self.env._("Switched Off"),
            off,
            50,
            detail=self.env._("%s not as ordered", mismatch) if mismatch else "",
            icon="fa-power-off",
            state="danger" if mismatch else "warning" if off else "ok",
            action="meter_gateway.meter_switch_action",
            domain=[("is_mismatch", "=", True)] if mismatch else [("reported", "=", "off")],
        )

    @api.model
    def _prepare_alarm_card(self, buildings):
        domain = [("state", "!=", "resolved"), ("building_id", "in", [*buildings.ids, False])]
        counts = dict(self.env["meter.alarm"]._read_group(domain, ["severity"], ["__count"]))
        critical, total = counts.get("critical", 0), sum(counts.values())
        return self._prepare_card(
            "alarms",
            self.env._("Open Alarms"),
            total,
            60,
            detail=self.env._("%s critical", critical) if critical else "",
            icon="fa-bell",
            state="danger" if critical else "warning" if total else "ok",
            action="meter_gateway.meter_alarm_action",
        )
