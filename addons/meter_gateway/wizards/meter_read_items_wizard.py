import re

from odoo import api, fields, models
from odoo.exceptions import UserError

try:
    from meter_connector.codecs import item_names
except ImportError:  # Odoo without the connector's package: registers of the model can still be asked for
    item_names = None

MAX_ITEMS = 40
NAME = re.compile(r"[A-Za-z0-9_]{1,60}")


class MeterReadItemsWizard(models.TransientModel):
    """Read any value a meter has, once, and see the answer."""

    _name = "meter.read.items.wizard"
    _description = "Read Values"

    meter_id = fields.Many2one("meter.meter", required=True)
    items = fields.Text(
        "Values", required=True, help="Names or data identifiers, parted by spaces, commas or lines."
    )
    known = fields.Char("Known Names", compute="_compute_known")
    order_id = fields.Many2one("meter.order", readonly=True)
    state = fields.Selection(related="order_id.state")
    answer = fields.Html(compute="_compute_answer", sanitize=False)

    @api.depends("meter_id")
    def _compute_known(self):
        for wizard in self:
            model = wizard.meter_id.model_id
            names = [row.get("key") for row in (model.definition or {}).get("registers") or []]
            if item_names:
                names += [name for name in item_names.names(model.protocol or "") if name not in names]
            wizard.known = ", ".join(name for name in names if name)

    @api.depends("order_id.result_data", "order_id.state")
    def _compute_answer(self):
        for wizard in self:
            result = wizard.order_id._read_result() if wizard.order_id else {}
            values = result.get("values") if isinstance(result.get("values"), dict) else {}
            refused = result.get("refused") if isinstance(result.get("refused"), dict) else {}
            rows = [(name, "—" if value is None else str(value)) for name, value in values.items()]
            rows += [(name, str(reason)) for name, reason in refused.items()]
            wizard.answer = rows and self.env["ir.qweb"]._render(
                "meter_gateway.read_items_answer", {"rows": rows}
            )

    def action_read(self):
        """Order it and keep the page open for the answer."""
        self.ensure_one()
        self.env["meter.order"]._check_read_right()
        self.meter_id.check_access("read")
        names = [name for name in re.split(r"[\s,;]+", self.items or "") if name]
        wrong = [name for name in names if not NAME.fullmatch(name)]
        if wrong or not names:
            raise UserError(self.env._("Not the name of a value: %s", ", ".join(wrong) or "—"))
        if len(names) > MAX_ITEMS:
            raise UserError(self.env._("At most %s values at once.", MAX_ITEMS))
        self.order_id = self.env["meter.order"]._place("read_items", self.meter_id, {"items": names})
        return self._reopen()

    def action_refresh(self):
        """Is the answer there?"""
        self.ensure_one()
        return self._reopen()

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Read Values"),
        }
