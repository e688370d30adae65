"""Data of the overview page (client action ``meter_gateway.overview``). The cards are in
``meter_overview_cards.py``; upper addons add theirs by overriding ``_get_cards``."""

from datetime import datetime, time, timedelta

import pytz
from odoo import api, fields, models

#: Units shown at once; a larger estate shows one site after the other.
MAX_UNITS = 2000
MAX_ALARMS = 8

#: Use of each hour: first reading of the next hour (or the newest reading) minus the first of the hour.
ENERGY_SQL = """
SELECT kind_id, hour, sum(GREATEST(COALESCE(next_total, live_total) - first_total, 0) * multiplier)::float8
  FROM (SELECT c.kind_id, c.multiplier, d.hour, d.first_total, l.total AS live_total,
               lead(d.first_total) OVER (PARTITION BY d.circuit_id ORDER BY d.hour) AS next_total
          FROM meter_energy_hour_data d
          JOIN meter_circuit c ON c.id = d.circuit_id
          JOIN meter_live l ON l.circuit_id = d.circuit_id
         WHERE d.hour >= %(start)s AND c.building_id = ANY(%(buildings)s)) hours
 GROUP BY kind_id, hour
"""


class MeterOverview(models.AbstractModel):
    _name = "meter.overview"
    _description = "Overview"

    @api.model
    def action_get_data(self, options=None):
        """Everything the page shows, for the buildings of the user.

        :param dict options: {"site_id": only this site, "with_energy": False leaves the hourly sums out}
        :return: {"sites", "site_id", "cards", "energy", "alarms", "buildings", "setup", "server_time"}; see docs in the methods
        """
        self.env["meter.meter"].browse().check_access("read")
        options = options or {}
        buildings = self.env["property.building"].search([])
        sites = buildings.site_id
        site = sites.filtered(lambda site: site.id == options.get("site_id"))
        if not site and len(sites) > 1 and self._count_units(buildings) > MAX_UNITS:
            site = sites[:1]
        if site:
            buildings = buildings.filtered(lambda building: building.site_id == site)
        self.env.flush_all()
        return {
            "sites": [{"id": item.id, "name": item.name} for item in sites],
            "site_id": site.id,
            "title": site.name or ", ".join(sites[:3].mapped("name")),
            "cards": self._get_cards(buildings),
            "energy": self._get_energy(buildings) if options.get("with_energy", True) else False,
            "alarms": self._get_alarms(buildings),
            "buildings": self._get_buildings(buildings),
            "setup": self._get_setup(buildings),
            "server_time": fields.Datetime.to_string(fields.Datetime.now()),
        }

    @api.model
    def _count_units(self, buildings):
        return self.env["property.unit"].search_count([("building_id", "in", buildings.ids)])

    # -- energy -------------------------------------------------------------------------------------

    @api.model
    def _get_energy(self, buildings):
        """Use per hour of the site's day: {"hour": present hour, "kinds": [{"code", "name", "unit", "color", "today": [24],
        "yesterday": [24], "total_today", "total_yesterday", "total_yesterday_so_far"}]}; hours to come are False."""
        zone = pytz.timezone(buildings[:1].site_id.tz or "Asia/Shanghai")
        now = pytz.utc.localize(fields.Datetime.now()).astimezone(zone)
        days = [now.date() - timedelta(days=1), now.date()]
        start = zone.localize(datetime.combine(days[0], time.min)).astimezone(pytz.utc).replace(tzinfo=None)
        self.env.cr.execute(ENERGY_SQL, {"start": start, "buildings": buildings.ids})
        use = {}
        for kind_id, hour, energy in self.env.cr.fetchall():
            local = pytz.utc.localize(hour).astimezone(zone)
            if local.date() in days:
                hours = use.setdefault(kind_id, {day: [0.0] * 24 for day in days})
                hours[local.date()][local.hour] += energy or 0.0
        kinds = (
            self.env["utility.kind"]
            .browse(use)
            .sorted("sequence" if "sequence" in self.env["utility.kind"]._fields else "id")
        )
        return {
            "hour": now.hour,
            "kinds": [self._prepare_energy_kind(kind, use[kind.id], days, now.hour) for kind in kinds],
        }

    @api.model
    def _prepare_energy_kind(self, kind, use, days, hour):
        yesterday, today = (use[day] for day in days)
        return {
            "code": kind.code,
            "name": kind.name,
            "unit": kind.uom_name,
            "today": [round(value, 2) if index <= hour else False for index, value in enumerate(today)],
            "yesterday": [round(value, 2) for value in yesterday],
            "total_today": round(sum(today), 2),
            "total_yesterday": round(sum(yesterday), 2),
            "total_yesterday_so_far": round(sum(yesterday[:hour]), 2),
        }

    # -- alarms -------------------------------------------------------------------------------------

    @api.model
    def _get_alarms(self, buildings):
        """The gravest unresolved alarms."""
        domain = [("state", "!=", "resolved"), ("building_id", "in", [*buildings.ids, False])]
        alarms = self.env["meter.alarm"].search(domain, limit=MAX_ALARMS)
        kinds = dict(alarms._fields["kind"]._description_selection(self.env))
        return [
            {
                "id": alarm.id,
                "kind": alarm.kind,
                "label": kinds.get(alarm.kind, alarm.kind),
                "severity": alarm.severity,
                "state": alarm.state,
                "message": alarm.message,
                "place": alarm.unit_id.display_name or alarm.building_id.display_name or "",
                "opened_at": fields.Datetime.to_string(alarm.opened_at),
            }
            for alarm in alarms
        ]

    # -- rooms --------------------------------------------------------------------------------------

    @api.model
    def _get_buildings(self, buildings):
        """[{"id", "name", "floors": [{"id", "name", "units": [{"id", "name", "state", "label"}]}]}], top floor first."""
        units = self.env["property.unit"].search([("building_id", "in", buildings.ids)])
        states = units._get_overview_state()
        by_floor = units.grouped("floor_id")
        result = []
        for building in buildings:
            floors = building.floor_ids.filtered(lambda floor: floor in by_floor).sorted(
                "sequence", reverse=True
            )
            result.append(
                {
                    "id": building.id,
                    "name": building.name,
                    "floors": [
                        {
                            "id": floor.id,
                            "name": floor.name,
                            "units": [
                                self._prepare_unit(unit, states.get(unit.id, {})) for unit in by_floor[floor]
                            ],
                        }
                        for floor in floors
                    ],
                }
            )
        return result

    @api.model
    def _prepare_unit(self, unit, state):
        key = state.get("state", "vacant")
        if unit.kind == "public" and key == "vacant":
            key = "public"
        return {"id": unit.id, "name": unit.code or unit.name, "state": key, "label": state.get("label", "")}

    # -- empty state --------------------------------------------------------------------------------

    @api.model
    def _get_setup(self, buildings):
        """Steps of the first set-up, until all are done: [{"label", "help", "done", "action"}]; empty afterwards."""
        model = self.env
        steps = [
            (
                bool(self._count_units(buildings)),
                self.env._("Enter the buildings and their units"),
                self.env._("Site, building, floor and room or shop."),
                "property_utility.property_site_action",
            ),
            (
                bool(model["meter.connector"].search_count([("user_id", "!=", False)], limit=1)),
                self.env._("Set up a connector and its key"),
                self.env._("The program on site that talks to the meters."),
                "meter_gateway.meter_connector_action",
            ),
            (
                bool(model["meter.bus"].search_count([], limit=1)),
                self.env._("Add gateways and their buses"),
                self.env._("Address, port and speed of each line."),
                "meter_gateway.meter_gateway_action",
            ),
            (
                bool(model["meter.meter"].search_count([], limit=1)),
                self.env._("Add meters and tie them to service points"),
                self.env._("Number, model, address and opening reading."),
                "meter_gateway.meter_meter_action",
            ),
            (
                bool(model["meter.meter"].search_count([("state", "!=", "new")], limit=1)),
                self.env._("See the first readings arrive"),
                self.env._("Start the connector; this page fills by itself."),
                "meter_gateway.meter_reading_action",
            ),
        ]
        if all(step[0] for step in steps):
            return []
        return [
            {"done": done, "label": label, "help": text, "action": action}
            for done, label, text, action in steps
        ]
