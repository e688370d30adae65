from odoo import fields, models


class PropertyUnit(models.Model):
    _inherit = "property.unit"

    def _get_overview_state(self):
        """Units whose tenancy is warned, due or cut off for money say so."""
        states = super()._get_overview_state()
        labels = {
            "warned": ("warning", self.env._("Low balance")),
            "due": ("warning", self.env._("Money used up")),
            "tripped": ("tripped", self.env._("Cut off for money")),
        }
        for unit_id, case_state in self._get_case_states().items():
            if states[unit_id]["state"] not in ("alarm", "offline"):
                state, label = labels[case_state]
                known = states[unit_id].get("label")
                states[unit_id] = {"state": state, "label": " · ".join(filter(None, (label, known)))}
        return states

    def _get_case_states(self):
        """{unit id: state of the open case of its tenancy}"""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT o.unit_id, k.state FROM property_occupancy o JOIN prepaid_case k ON k.contract_id = o.contract_id
                WHERE o.unit_id = ANY(%(ids)s) AND o.start_at <= %(now)s AND (o.end_at IS NULL OR o.end_at > %(now)s)
                  AND k.state <> 'closed'""",
            {"ids": self.ids, "now": fields.Datetime.now()},
        )
        return dict(self.env.cr.fetchall())
