from odoo import api, fields, models


class UtilityServicePoint(models.Model):
    _inherit = "utility.service.point"

    assignment_ids = fields.One2many("utility.tariff.assignment", "service_point_id", string="Tariff History")
    tariff_id = fields.Many2one(
        "utility.tariff",
        compute="_compute_tariff_id",
        inverse="_inverse_tariff_id",
        search="_search_tariff_id",
        string="Tariff",
        help="Tariff in force now. A change here begins now.",
    )
    tariff_sentence = fields.Text(related="tariff_id.sentence", string="Price")
    review_count = fields.Integer(compute="_compute_review_count", string="Readings to Review")
    is_waiting = fields.Boolean(
        "Waits for Stored Readings",
        compute="_compute_is_waiting",
        help="Charges over the end of a month, a move or a change of price wait for what the connector stored.",
    )

    @api.depends("assignment_ids.valid_from", "assignment_ids.tariff_id")
    def _compute_tariff_id(self):
        current = {
            a.service_point_id: a.tariff_id for a in self.env["utility.tariff.assignment"]._get_current(self)
        }
        for point in self:
            point.tariff_id = current.get(point._origin, False)

    def _inverse_tariff_id(self):
        now = fields.Datetime.now()
        self.env["utility.tariff.assignment"].create(
            [
                {
                    "service_point_id": point.id,
                    "tariff_id": point.tariff_id.id,
                    "valid_from": now if point.assignment_ids else point._get_first_instant() or now,
                }
                for point in self
                if point.tariff_id
            ]
        )

    def _get_first_instant(self):
        """Begin of the first installation: a first tariff holds from there, so that no use stays without a price."""
        self.env.cr.execute(
            "SELECT min(start_at) FROM meter_installation WHERE service_point_id = %s", [self.id]
        )
        return self.env.cr.fetchone()[0]

    def _search_tariff_id(self, operator, value):
        assignments = self.env["utility.tariff.assignment"]._get_current()
        return [("assignment_ids", "in", assignments.filtered_domain([("tariff_id", operator, value)]).ids)]

    def _compute_is_waiting(self):
        waiting = self.env["prepaid.cursor"].search(
            [("is_waiting", "=", True), ("installation_id.service_point_id", "in", self.ids)]
        )
        points = waiting.installation_id.service_point_id
        for point in self:
            point.is_waiting = point in points

    def _compute_review_count(self):
        counts = dict(
            self.env["prepaid.review"]._read_group(
                [("service_point_id", "in", self.ids), ("state", "=", "open")],
                ["service_point_id"],
                ["__count"],
            )
        )
        for point in self:
            point.review_count = counts.get(point, 0)

    def action_view_reviews(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_review_action")
        return action | {
            "domain": [("service_point_id", "=", self.id)],
            "context": {"search_default_open": 1},
        }

    def action_view_charges(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_charge_action")
        return action | {"domain": [("service_point_id", "=", self.id)], "context": {}}

    def action_view_daily_use(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.prepaid_use_daily_action")
        return action | {
            "domain": [("service_point_id", "=", self.id)],
            "context": {"search_default_last_month": 1},
        }

    def action_open_tariff_assign(self):
        """The wizard that gives these points a tariff from a moment on."""
        action = self.env["ir.actions.act_window"]._for_xml_id("prepaid_billing.utility_tariff_assign_action")
        return action | {"context": {"default_service_point_ids": self.ids}}

    def _request_settlement(self):
        """Settle these points soon: their prices, tenants or reviews changed. What waited for a price waits no more."""
        self.env.flush_all()
        self.env.cr.execute(
            """UPDATE prepaid_cursor p SET is_blocked = false FROM meter_installation i
                WHERE i.id = p.installation_id AND i.service_point_id = ANY(%s) AND p.is_blocked
                  AND NOT EXISTS (SELECT 1 FROM prepaid_review v WHERE v.installation_id = i.id AND v.state = 'open'
                                     AND v.kind NOT IN ('no_tariff', 'no_rates', 'error'))""",
            [self.ids],
        )
        self.env.cr.execute(
            "SELECT array_agg(circuit_id) FROM meter_installation WHERE service_point_id = ANY(%s)",
            [self.ids],
        )
        circuit_ids = self.env.cr.fetchone()[0]
        if circuit_ids:
            self.env["prepaid.settlement"]._mark_due(circuit_ids)
