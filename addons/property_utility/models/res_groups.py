from odoo import api, models

ROLES = (
    "water_operator",
    "power_operator",
    "joint_operator",
    "field_reader",
    "cashier",
    "accountant",
    "property_manager",
    "supervisor",
    "auditor",
)
FUNCTIONS = (
    "estate",
    "switch",
    "read_meter",
    "parameters",
    "counter",
    "refund",
    "tariff",
    "import",
    "grant_rights",
)


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.model
    def _get_utility_roles(self):
        """The roles a supervisor may grant (not the connector's)."""
        return self._get_utility_groups("property_utility_group_%s", ROLES)

    @api.model
    def _get_utility_functions(self):
        """The single functions a supervisor may grant."""
        return self._get_utility_groups("property_utility_group_function_%s", FUNCTIONS)

    def _get_utility_groups(self, pattern, names):
        groups = self.sudo().browse()
        for name in names:
            groups |= self.env.ref("property_utility." + pattern % name).sudo()
        return groups

    def write(self, vals):
        is_rights = bool(vals.keys() & {"user_ids", "implied_ids"}) and not self.env.context.get(
            "install_mode"
        )
        before = {group.id: group._get_rights_snapshot() for group in self} if is_rights else {}
        result = super().write(vals)
        for group in self if is_rights else self.browse():
            after = group._get_rights_snapshot()
            if after != before[group.id]:
                self.env["audit.entry"]._log("rights.group", group, before[group.id], after)
        return result

    def _get_rights_snapshot(self):
        self.ensure_one()
        group = self.sudo().with_context(lang=None, active_test=False)
        return {
            "users": sorted(group.user_ids.mapped("login")),
            "implies": sorted(group.implied_ids.mapped("full_name")),
        }
