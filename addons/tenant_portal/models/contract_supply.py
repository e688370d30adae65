"""Supply of a tenancy's rooms in the tenant's words: on, off, coming back, and what to do about it."""

from odoo import models

#: state: (icon, style). Never told by colour alone: each has a sign and words.
LOOKS = {
    "on": ("fa-check-circle", "on"),
    "off": ("fa-times-circle", "off"),
    "coming": ("fa-refresh fa-spin", "busy"),
    "going": ("fa-hourglass-half", "busy"),
    "unknown": ("fa-question-circle", "unknown"),
    "none": ("fa-check-circle-o", "on"),
}


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    def _get_portal_points(self):
        """[dict] of the service points the tenancy has now, power first; none after moving out."""
        self.ensure_one()
        points = self.service_point_ids.sorted(lambda point: (point.kind_id.sequence, point.code))
        circuits = self.env["meter.circuit"].search([("service_point_id", "in", points.ids)])
        circuits = circuits.grouped("service_point_id")
        live = self.env["meter.live"]._get_rows([c.id for found in circuits.values() for c in found])
        is_many = len(points.unit_id) > 1
        empty = self.env["meter.circuit"]
        return [
            self._get_portal_point(point, circuits.get(point, empty)[:1], live, is_many) for point in points
        ]

    def _get_portal_point(self, point, circuit, live, is_many):
        state, hint, is_for_money = self._get_portal_state(circuit.switch_id, point.kind_id)
        values = live.get(circuit.id, {})
        icon, style = LOOKS[state]
        return {
            "id": point.id,
            "kind": point.kind_id.code,
            "kind_name": point.kind_id.name,
            "kind_icon": point.kind_id.icon or "fa-tachometer",
            "unit": point.unit_id.code if is_many else "",
            "uom": point.kind_id.uom_name or "",
            "state": state,
            "state_icon": icon,
            "style": style,
            "label": self._get_portal_labels(point.kind_id.code)[state],
            "hint": hint,
            "is_for_money": is_for_money,
            "is_silent": bool(circuit) and circuit.live_id.is_silent,
            "has_meter": bool(circuit),
            "serial": circuit.meter_id.serial,
            "total": values.get("total"),
            "power_kw": circuit.meter_id._to_primary("power_kw", values.get("power_kw"))
            if point.kind_id.code == "power"
            else None,
            "at": values.get("total_at") or values.get("at"),
        }

    def _get_portal_state(self, switch, kind):
        """(state, what to do, whether money decides it)."""
        _ = self.env._
        if not switch:
            return "none", "", False
        is_for_money = switch.desired == "off" and switch._is_tripped_by_policy()
        if switch.desired == "off" and switch.reported == "off":
            if is_for_money and switch.is_closed_by_hand:
                return "off", _("Top up; then somebody comes and closes the breaker by hand."), True
            if is_for_money:
                return "off", _("Top up and it comes back by itself within seconds."), True
            return "off", _("Switched off by the property office. Please ask there."), False
        if switch.desired == "on" and switch.reported != "on":
            if switch._get_hand_reason("on"):
                return (
                    "coming",
                    _("The property office has been told; it is back when somebody has closed it by hand."),
                    False,
                )
            if switch.circuit_id.live_id.is_silent:
                text = _("Ordered. The meter does not answer now; it is switched on as soon as it does.")
                return "coming", text, False
            return "coming", _("Ordered. This takes a few seconds; you need do nothing."), False
        if switch.desired == "off":
            return "going", _("It is about to be switched off."), is_for_money
        if switch.reported == "off":
            return "off", _("Please ask at the property office."), False
        return ("on" if switch.reported == "on" else "unknown"), "", False

    def _get_portal_labels(self, code):
        _ = self.env._
        if code == "power":
            return {
                "on": _("Power is on"),
                "off": _("Power is off"),
                "coming": _("Power is coming back"),
                "going": _("Power is being cut off"),
                "unknown": _("Power: not known yet"),
                "none": _("Power is on"),
            }
        if code in ("water", "hot_water"):
            return {
                "on": _("Water is on"),
                "off": _("Water is off"),
                "coming": _("Water is coming back"),
                "going": _("Water is being cut off"),
                "unknown": _("Water: not known yet"),
                "none": _("Water is on"),
            }
        return {
            "on": _("Supply is on"),
            "off": _("Supply is off"),
            "coming": _("Supply is coming back"),
            "going": _("Supply is being cut off"),
            "unknown": _("Supply: not known yet"),
            "none": _("Supply is on"),
        }
