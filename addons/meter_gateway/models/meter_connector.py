import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..const import BACKLOG_PATIENCE_H, CONNECTOR_SILENT_S


class MeterConnector(models.Model):
    """A site server that talks to gateways and meters. One user, one API key, one outbox."""

    _name = "meter.connector"
    _description = "Connector"
    _inherit = ["mail.thread", "property.facts.mixin"]
    _order = "name, id"

    name = fields.Char(required=True, tracking=True)
    code = fields.Char(
        required=True, copy=False, help="Short unique name, used in logs and configuration files."
    )
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    site_id = fields.Many2one("property.site", help="The site whose time zone the connector keeps.")
    user_id = fields.Many2one(
        "res.users",
        string="Connector User",
        copy=False,
        readonly=True,
        ondelete="restrict",
        help="The user whose API key this connector uses. It can do nothing else.",
    )
    gateway_ids = fields.One2many("meter.gateway", "connector_id", string="Gateways")
    gateway_count = fields.Integer(compute="_compute_counts")
    meter_count = fields.Integer(compute="_compute_counts")
    config_version = fields.Integer(
        default=1,
        readonly=True,
        copy=False,
        help="Grows with every change of what the connector must know; it fetches the new configuration by itself.",
    )
    state = fields.Selection(
        [("online", "Online"), ("offline", "Offline"), ("new", "Never Seen")],
        compute="_compute_state",
        search="_search_state",
    )
    last_seen_at = fields.Datetime(readonly=True, copy=False)
    software_version = fields.Char(readonly=True, copy=False)
    started_at = fields.Datetime(readonly=True, copy=False)
    status_json = fields.Text(readonly=True, copy=False, help="What the connector said about itself last.")
    outbox_readings = fields.Integer("Readings Waiting", readonly=True, copy=False)
    outbox_oldest_at = fields.Datetime("Oldest Waiting Since", readonly=True, copy=False)
    outbox_share = fields.Float(
        "Disk Used (%)",
        readonly=True,
        copy=False,
        help="Share of the room for readings on the connector's disk. From 80 % on it reads less often, from 95 % only what orders need.",
    )
    outbox_mb_a_day = fields.Float(
        "Disk per Day (MB)",
        readonly=True,
        copy=False,
        help="What a day of readings takes while Odoo is away.",
    )
    outbox_days_left = fields.Float(
        "Days Without Odoo",
        readonly=True,
        copy=False,
        help="So long Odoo may be away until the connector's disk is full. -1: nothing is read by schedule.",
    )
    outbox_events_dropped = fields.Integer(
        "Events Not Kept",
        readonly=True,
        copy=False,
        help="Events that the connector's disk did not take since the connector was started.",
    )
    backlog_at = fields.Datetime(
        "Catching Up From",
        readonly=True,
        copy=False,
        help="After an outage what meters show now comes first; readings from then on are still on their way.",
    )
    backlog_moved_at = fields.Datetime(
        "Last Caught Up", readonly=True, copy=False, help="When this catching up went on last."
    )
    is_backlog_stuck = fields.Boolean(compute="_compute_is_backlog_stuck")

    _code_uniq = models.UniqueIndex("(code)", "Another connector already has this code.")
    _user_uniq = models.UniqueIndex(
        "(user_id) WHERE user_id IS NOT NULL", "This user already belongs to another connector."
    )

    @api.depends("last_seen_at")
    def _compute_state(self):
        limit = fields.Datetime.now() - timedelta(seconds=CONNECTOR_SILENT_S)
        for connector in self:
            if not connector.last_seen_at:
                connector.state = "new"
            else:
                connector.state = "online" if connector.last_seen_at >= limit else "offline"

    def _search_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        limit = fields.Datetime.now() - timedelta(seconds=CONNECTOR_SILENT_S)
        by_state = {
            "new": Domain("last_seen_at", "=", False),
            "online": Domain("last_seen_at", ">=", limit),
            "offline": Domain("last_seen_at", "<", limit),
        }
        return Domain.OR(by_state[state] for state in value if state in by_state)

    @api.depends("backlog_at", "backlog_moved_at")
    def _compute_is_backlog_stuck(self):
        since = self._get_backlog_limit()
        for connector in self:
            connector.is_backlog_stuck = connector.backlog_at and connector.backlog_moved_at <= since

    @api.model
    def _get_backlog_limit(self):
        """A backlog that did not move since then is not waited for: its connector may be gone for good."""
        return fields.Datetime.now() - timedelta(hours=BACKLOG_PATIENCE_H)

    @api.depends("gateway_ids.bus_ids.meter_ids")
    def _compute_counts(self):
        meters = dict(
            self.env["meter.meter"]._read_group(
                [("connector_id", "in", self.ids)], ["connector_id"], ["__count"]
            )
        )
        for connector in self:
            connector.gateway_count = len(connector.gateway_ids)
            connector.meter_count = meters.get(connector, 0)

    @api.model_create_multi
    def create(self, vals_list):
        connectors = super().create(vals_list)
        for connector in connectors:
            self.env["audit.entry"]._log("connector.create", connector, after={"code": connector.code})
        return connectors

    def write(self, vals):
        result = super().write(vals)
        if {"code", "name", "site_id", "active"} & vals.keys():
            self._bump_config_version()
        return result

    def _bump_config_version(self):
        """Tell the connectors that their configuration changed (they compare on every contact)."""
        if not self:
            return
        self.env.cr.execute(
            "UPDATE meter_connector SET config_version = config_version + 1 WHERE id IN %s", [tuple(self.ids)]
        )
        self.invalidate_recordset(["config_version"])

    def _get_status(self):
        """The last hello's status as a dict, empty when there was none."""
        self.ensure_one()
        try:
            return json.loads(self.status_json or "{}")
        except ValueError:
            return {}

    def action_view_gateways(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_gateway_action")
        return action | {
            "domain": [("connector_id", "=", self.id)],
            "context": {"default_connector_id": self.id},
        }

    def action_view_meters(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("meter_gateway.meter_meter_action")
        return action | {"domain": [("connector_id", "=", self.id)], "context": {}}
