import pytz
from odoo import api, fields, models


class PropertySite(models.Model):
    _name = "property.site"
    _description = "Site"
    _inherit = ["mail.thread"]
    _order = "sequence, name, id"

    name = fields.Char(required=True, tracking=True)
    code = fields.Char(required=True, help="Short code of the site, used in lists and imports.")
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    tz = fields.Selection(
        selection="_get_tz_selection",
        string="Time Zone",
        required=True,
        default="Asia/Shanghai",
        help="Days, months and allowed trip hours of this site are counted in this time zone.",
    )
    street = fields.Char(string="Address")
    building_ids = fields.One2many("property.building", "site_id", string="Buildings")
    building_count = fields.Integer(compute="_compute_counts")
    unit_count = fields.Integer(compute="_compute_counts")
    occupied_count = fields.Integer(string="Occupied", compute="_compute_counts")

    _code_uniq = models.UniqueIndex("(company_id, code)", "A site with this code exists already.")

    @api.model
    def _get_tz_selection(self):
        return [(tz, tz) for tz in sorted(pytz.all_timezones, key=lambda tz: tz.startswith("Etc/"))]

    def _compute_counts(self):
        buildings = dict(
            self.env["property.building"]._read_group([("site_id", "in", self.ids)], ["site_id"], ["__count"])
        )
        units = {}
        for site, state, count in self.env["property.unit"]._read_group(
            [("site_id", "in", self.ids), ("kind", "!=", "public")], ["site_id", "state"], ["__count"]
        ):
            units.setdefault(site, {})[state] = count
        for site in self:
            site.building_count = buildings.get(site, 0)
            site.unit_count = sum(units.get(site, {}).values())
            site.occupied_count = units.get(site, {}).get("occupied", 0)
