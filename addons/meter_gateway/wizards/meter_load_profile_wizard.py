from datetime import UTC, timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..value_labels import find_value_label

#: Two days of half-hours: so many the connector takes.
MAX_RECORDS = 96


class MeterLoadProfileWizard(models.TransientModel):
    """What a meter kept by itself, from a moment on."""

    _name = "meter.load.profile.wizard"
    _inherit = "meter.read.wizard.mixin"
    _description = "Load Profile"

    from_at = fields.Datetime(
        "From", required=True, default=lambda self: fields.Datetime.now() - timedelta(days=1)
    )
    count = fields.Integer("Records", required=True, default=48)
    answer = fields.Html(compute="_compute_answer", sanitize=False)

    @api.depends("order_id.result_data", "order_id.state")
    @api.depends_context("lang")
    def _compute_answer(self):
        for wizard in self:
            result = wizard.order_id._read_result() if wizard.order_id else {}
            columns, rows = wizard._get_table(result)
            wizard.answer = columns and self.env["ir.qweb"]._render(
                "meter_gateway.load_profile_answer", {"columns": columns, "rows": rows}
            )

    def _get_table(self, result):
        """(labels with units, rows of texts) of a result; columns that no record has a value in stay away."""
        columns, rows = result.get("columns"), result.get("rows")
        if not isinstance(columns, list) or not isinstance(rows, list):
            return [], []
        columns = [each for each in columns if isinstance(each, list) and len(each) == 2]
        rows = [row for row in rows if isinstance(row, list) and len(row) == len(columns) + 1]
        kept = [at for at in range(len(columns)) if any(row[at + 1] is not None for row in rows)]
        labels = [
            f"{find_value_label(self.env, str(columns[at][0]))} {columns[at][1]}".strip() for at in kept
        ]
        texts = [[row[0] or "—", *(row[at + 1] or "—" for at in kept)] for row in rows]
        return [self.env._("Time of the meter"), *labels], texts

    def _get_title(self):
        return self.env._("Load Profile")

    def action_read(self):
        """Order it and keep the page open for the answer."""
        self.ensure_one()
        if not 1 <= self.count <= MAX_RECORDS:
            raise UserError(self.env._("1 to %s records at once.", MAX_RECORDS))
        since = self.from_at.replace(tzinfo=UTC).timestamp()
        return self._place_read("read_profile", {"from": since, "count": self.count})
