from odoo import models

#: When meters are read, by read group. Seconds; 0 = not at all; clock_at is site time, empty = never.
DEFAULT_SCHEDULE = {"energy_s": 60, "live_s": 60, "switch_s": 60, "clock_at": "03:10"}


class MeterConnector(models.Model):
    """The document a connector works by (``api_config``)."""

    _inherit = "meter.connector"

    def _prepare_config(self):
        """Everything the connector must know; see docs/rpc.md for the shape."""
        self.ensure_one()
        gateways = self.gateway_ids
        meters = gateways.bus_ids.meter_ids.filtered("active")
        return {
            "version": self.config_version,
            "connector": {"id": self.id, "code": self.code, "timezone": self._get_timezone()},
            "models": {model.code: model._prepare_document() for model in meters.model_id},
            "schedules": self._get_schedules(meters),
            "nbiot": self._prepare_nbiot(),
            "gateways": [self._prepare_gateway(gateway) for gateway in gateways],
        }

    def _get_timezone(self):
        self.ensure_one()
        return self.site_id.tz or self.gateway_ids.building_id.site_id[:1].tz or "Asia/Shanghai"

    def _get_schedules(self, meters):
        """{read group: schedule}; a group without its own goes by the default one."""
        groups = self.env["meter.read.group"].search([])
        schedules = {group.code: group._prepare_schedule() for group in groups}
        return {"default": DEFAULT_SCHEDULE, **schedules}

    def _prepare_gateway(self, gateway):
        return {
            "id": gateway.id,
            "name": gateway.name,
            "buses": [self._prepare_bus(bus) for bus in gateway.bus_ids],
        }

    def _prepare_bus(self, bus):
        return {
            "id": bus.id,
            "number": bus.number,
            "baudrate": int(bus.baudrate),
            "bytesize": int(bus.bytesize),
            "parity": bus.parity,
            "stopbits": int(bus.stopbits),
            "framing": bus.framing,
            "extra_latency_ms": bus.extra_latency_ms,
            "link": bus._get_link(),
            "meters": [self._prepare_meter(meter) for meter in bus.meter_ids],
        }

    def _prepare_meter(self, meter):
        plan, profile = meter._get_configured_plan(), meter.parameter_profile_id
        recovers = meter.has_switch and profile.is_auto_recovery
        return {
            "id": meter.id,
            "serial": meter.serial,
            "address": meter.address,
            "model": meter.model_id.code,
            "password": meter.password or "",
            "operator": meter.operator_code or "",
            "read_group": meter.read_group,
            **({"supply_plan": plan._prepare_document()} if plan else {}),
            **({"auto_recovery": profile._prepare_auto_recovery()} if recovers else {}),
            **({"imei": meter.imei} if meter.imei else {}),
            "circuits": [
                {"id": circuit.id, "number": circuit.number, "has_switch": bool(circuit.switch_ids)}
                for circuit in meter.circuit_ids
            ],
        }
