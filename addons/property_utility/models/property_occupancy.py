from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_datetime


class PropertyOccupancy(models.Model):
    """Who has a unit from when to when: [start_at, end_at) in UTC. A room change is two rows."""

    _name = "property.occupancy"
    _inherit = ["property.scope.mixin"]
    _description = "Occupancy"
    _order = "start_at desc, id desc"

    unit_id = fields.Many2one("property.unit", required=True, index=True, ondelete="restrict")
    contract_id = fields.Many2one(
        "contract.contract",
        string="Tenancy",
        required=True,
        index=True,
        ondelete="restrict",
        domain=[("is_tenancy", "=", True)],
    )
    partner_id = fields.Many2one(related="contract_id.partner_id", string="Tenant")
    start_at = fields.Datetime(string="From", required=True, default=fields.Datetime.now)
    end_at = fields.Datetime(
        string="Until", help="Empty while the tenancy goes on. This moment is not included."
    )
    head_count = fields.Integer(
        compute="_compute_head_count", store=True, readonly=False, help="People, for per-head tiers."
    )
    occupant_ids = fields.One2many("property.occupant", "occupancy_id", string="Occupants")
    building_id = fields.Many2one(related="unit_id.building_id", store=True, index=True)
    company_id = fields.Many2one(related="unit_id.company_id", store=True, index=True)
    state = fields.Selection(
        [("future", "Planned"), ("current", "In Effect"), ("past", "Ended")],
        compute="_compute_state",
        search="_search_state",
        string="Status",
    )
    is_current = fields.Boolean(compute="_compute_state")
    note = fields.Char()

    _period = models.Constraint(
        "CHECK (end_at IS NULL OR end_at > start_at)", "An occupancy must end after its start."
    )
    _no_overlap = models.Constraint(
        "EXCLUDE USING gist (unit_id WITH =, tsrange(start_at, end_at, '[)') WITH &&)",
        "This unit is let to another tenancy in this period already.",
    )

    @api.depends("unit_id")
    def _compute_head_count(self):
        for occupancy in self:
            occupancy.head_count = occupancy.unit_id.head_count

    @api.depends("start_at", "end_at")
    def _compute_state(self):
        now = fields.Datetime.now()
        for occupancy in self:
            occupancy.is_current = occupancy._is_in_effect(now)
            if occupancy.is_current:
                occupancy.state = "current"
            else:
                is_future = not occupancy.start_at or occupancy.start_at > now
                occupancy.state = "future" if is_future else "past"

    def _search_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        now = fields.Datetime.now()
        domains = {
            "future": fields.Domain("start_at", ">", now),
            "current": self._get_domain_at(now),
            "past": fields.Domain("end_at", "<=", now),
        }
        return fields.Domain.OR(domains[state] for state in value if state in domains)

    @api.model
    def _get_domain_at(self, at):
        """Domain of the occupancies in effect at ``at``."""
        started = fields.Domain("start_at", "<=", at)
        return started & (fields.Domain("end_at", "=", False) | fields.Domain("end_at", ">", at))

    @api.depends("unit_id", "contract_id")
    def _compute_display_name(self):
        for occupancy in self:
            occupancy.display_name = (
                f"{occupancy.unit_id.display_name} · {occupancy.contract_id.display_name}"
            )

    def _is_in_effect(self, at):
        self.ensure_one()
        return bool(self.start_at and self.start_at <= at and (not self.end_at or self.end_at > at))

    @api.constrains("contract_id", "unit_id")
    def _check_contract(self):
        for occupancy in self:
            if not occupancy.contract_id.is_tenancy:
                raise ValidationError(self.env._("%s is not a tenancy.", occupancy.contract_id.display_name))
            if occupancy.contract_id.company_id != occupancy.unit_id.company_id:
                raise ValidationError(
                    self.env._(
                        "Tenancy %(tenancy)s and unit %(unit)s belong to different companies.",
                        tenancy=occupancy.contract_id.display_name,
                        unit=occupancy.unit_id.display_name,
                    )
                )

    # --- overlap: said clearly before the database's EXCLUDE constraint says it -----------------------

    def _get_clash(self, unit, start_at, end_at):
        """Another occupancy (sudo) of ``unit`` that touches [start_at, end_at), not in ``self``."""
        domain = fields.Domain("unit_id", "=", unit.id) & fields.Domain("id", "not in", self.ids)
        domain &= fields.Domain("end_at", "=", False) | fields.Domain("end_at", ">", start_at)
        if end_at:
            domain &= fields.Domain("start_at", "<", end_at)
        return self.sudo().search(domain, order="start_at", limit=1)

    def _check_clash(self, unit, contract, start_at, end_at):
        if end_at and end_at <= start_at:
            return  # the CHECK constraint says so
        clash = self._get_clash(unit, start_at, end_at)
        if clash:
            raise ValidationError(
                self.env._(
                    "Unit %(unit)s cannot be let to %(tenancy)s for %(period)s: "
                    "%(other)s has it for %(other_period)s.",
                    unit=unit.display_name,
                    tenancy=contract.sudo().display_name,
                    period=self._format_period(unit, start_at, end_at),
                    other=clash.contract_id.display_name,
                    other_period=self._format_period(unit, clash.start_at, clash.end_at),
                )
            )

    def _format_period(self, unit, start_at, end_at):
        """The period in words, in the zone of the unit's site."""

        def spell(moment):
            return format_datetime(self.env, moment, tz=unit.sudo().site_id.tz, dt_format="yyyy-MM-dd HH:mm")

        if end_at:
            return self.env._("%(start)s until %(end)s", start=spell(start_at), end=spell(end_at))
        return self.env._("%(start)s until further notice", start=spell(start_at))

    @api.model_create_multi
    def create(self, vals_list):
        units = self.env["property.unit"]
        contracts = self.env["contract.contract"]
        now = fields.Datetime.now()
        self.check_access("create")
        units.browse(vals["unit_id"] for vals in vals_list if vals.get("unit_id")).check_access("read")
        self.flush_model()  # an end written just now must be known before the next start
        for vals in vals_list:
            if vals.get("unit_id"):
                self._check_clash(
                    units.browse(vals["unit_id"]),
                    contracts.browse(vals.get("contract_id")),
                    fields.Datetime.to_datetime(vals.get("start_at")) or now,
                    fields.Datetime.to_datetime(vals.get("end_at")) or None,
                )
        occupancies = super().create(vals_list)
        for occupancy in occupancies:
            self.env["audit.entry"]._log("occupancy.start", occupancy, after=occupancy._get_audit_values())
        occupancies._trigger_refresh()
        return occupancies

    def write(self, vals):
        if not {"unit_id", "contract_id", "start_at", "end_at", "head_count"} & vals.keys():
            return super().write(vals)
        before = {occupancy.id: occupancy._get_audit_values() for occupancy in self}
        for occupancy in self:
            occupancy._check_clash(
                self.env["property.unit"].browse(vals.get("unit_id", occupancy.unit_id.id)),
                self.env["contract.contract"].browse(vals.get("contract_id", occupancy.contract_id.id)),
                fields.Datetime.to_datetime(vals.get("start_at")) or occupancy.start_at,
                fields.Datetime.to_datetime(vals.get("end_at", occupancy.end_at)) or None,
            )
        result = super().write(vals)
        for occupancy in self:
            after = occupancy._get_audit_values()
            if after != before[occupancy.id]:
                self.env["audit.entry"]._log(
                    "occupancy.change",
                    occupancy,
                    before[occupancy.id],
                    after,
                    self.env.context.get("audit_reason"),
                )
        self._trigger_refresh()
        return result

    def unlink(self):
        for occupancy in self:
            self.env["audit.entry"]._log(
                "occupancy.delete",
                occupancy,
                before=occupancy._get_audit_values(),
                reason=self.env.context.get("audit_reason"),
            )
        return super().unlink()

    def _get_audit_values(self):
        self.ensure_one()
        sudo = self.sudo()
        return {
            "unit": sudo.unit_id.display_name,
            "tenancy": sudo.contract_id.display_name,
            "start_at": sudo.start_at,
            "end_at": sudo.end_at or None,
            "head_count": sudo.head_count,
        }

    # --- time passes: stored states follow ------------------------------------------------------------

    def _trigger_refresh(self):
        """Have the states refreshed at the moments at which these occupancies begin and end."""
        now = fields.Datetime.now()
        moments = {*self.mapped("start_at"), *self.mapped("end_at")}
        later = [moment for moment in moments if moment and moment > now]
        if later:
            self.env.ref("property_utility.ir_cron_refresh_states")._trigger(at=later)

    @api.model
    def _cron_refresh_states(self):
        """Units and tenancies whose stored state is not true any more because time has passed."""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT unit.id FROM property_unit unit
               WHERE (unit.state = 'occupied') IS DISTINCT FROM EXISTS (
                   SELECT FROM property_occupancy occupancy WHERE occupancy.unit_id = unit.id
                   AND tsrange(occupancy.start_at, occupancy.end_at, '[)') @> %s::timestamp)""",
            (fields.Datetime.now(),),
        )
        units = self.env["property.unit"].browse(unit_id for (unit_id,) in self.env.cr.fetchall())
        self.env.add_to_compute(units._fields["state"], units)
        self.env.cr.execute(
            """SELECT contract.id FROM contract_contract contract
               LEFT JOIN LATERAL (
                   SELECT bool_or(start_at <= %(now)s) AS started, bool_or(end_at IS NULL OR end_at > %(now)s) AS goes_on
                   FROM property_occupancy WHERE contract_id = contract.id) period ON TRUE
               WHERE contract.is_tenancy AND contract.tenancy_state IS DISTINCT FROM
                   CASE WHEN NOT coalesce(started, FALSE) THEN 'draft' WHEN goes_on THEN 'active' ELSE 'ended' END""",
            {"now": fields.Datetime.now()},
        )
        contracts = self.env["contract.contract"].browse(row[0] for row in self.env.cr.fetchall())
        self.env.add_to_compute(contracts._fields["tenancy_state"], contracts)
        self.env.flush_all()

    def _get_tenancy_state(self, now):
        """State of the tenancy whose occupancies these all are: draft, active or ended."""
        started = self.filtered(lambda o: o.start_at <= now)
        if not started:
            return "draft"
        goes_on = self.filtered(lambda o: not o.end_at or o.end_at > now)
        return "active" if goes_on else "ended"

    # --- hooks for upper addons -----------------------------------------------------------------------

    def _after_move_in(self):
        """Called by the wizards in the same transaction: ``self`` are the new occupancies."""

    def _after_move_out(self):
        """Called by the wizards in the same transaction: ``self`` are the occupancies that got an end."""
