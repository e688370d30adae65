import re

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..value_labels import find_value_label

try:
    from meter_connector.codecs import item_names
except ImportError:  # Odoo without the connector's package: registers of the model can still be asked for
    item_names = None

MAX_ITEMS = 40
NAME = re.compile(r"[A-Za-z0-9_]{1,60}")


class MeterReadItemsWizard(models.TransientModel):
    """Read any value a meter has, once, and see the answer."""

    _name = "meter.read.items.wizard"
    _inherit = "meter.read.wizard.mixin"
    _description = "Read Values"

    items = fields.Text(
        "Values", required=True, help="Names or data identifiers, parted by spaces, commas or lines."
    )
    known = fields.Char("Known Names", compute="_compute_known")
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
    @api.depends_context("lang")
    def _compute_answer(self):
        for wizard in self:
            result = wizard.order_id._read_result() if wizard.order_id else {}
            values = result.get("values") if isinstance(result.get("values"), dict) else {}
            refused = result.get("refused") if isinstance(result.get("refused"), dict) else {}
            parts = result.get("parts") if isinstance(result.get("parts"), dict) else {}
            rows = [row for name, value in values.items() for row in self._say(name, value, parts.get(name))]
            rows += [(find_value_label(self.env, name), str(reason)) for name, reason in refused.items()]
            wizard.answer = rows and self.env["ir.qweb"]._render(
                "meter_gateway.read_items_answer", {"rows": rows}
            )

    @api.model
    def _say(self, name, value, parts):
        """[(label, text)] of one value: what it says by name, of the bits of a status word those that are set."""
        label = find_value_label(self.env, name)
        rows = parts if isinstance(parts, list) else []
        found = [part for part in rows if isinstance(part, list) and len(part) == 3]
        if value is None or not found:
            return [(label, "—" if value is None else str(value))]
        if len(found) == 1:
            return [(label, self._say_part(found[0]))]
        is_word = "status" in name or name.upper().startswith("040005")
        shown = [part for part in found if not (is_word and part[1] == "0")]
        return [(f"{label} ({name})", "")] + [
            (f"– {find_value_label(self.env, str(part[0]))}", self._say_part(part, is_word)) for part in shown
        ]

    @api.model
    def _say_part(self, part, is_bit=False):
        _name, text, unit = part
        if text is None:
            return "—"
        if is_bit:
            return self.env._("yes") if text == "1" else find_value_label(self.env, str(text))
        return f"{text} {unit}".strip()

    def _get_title(self):
        return self.env._("Read Values")

    def action_read(self):
        """Order it and keep the page open for the answer."""
        self.ensure_one()
        names = [name for name in re.split(r"[\s,;]+", self.items or "") if name]
        wrong = [name for name in names if not NAME.fullmatch(name)]
        if wrong or not names:
            raise UserError(self.env._("Not the name of a value: %s", ", ".join(wrong) or "—"))
        if len(names) > MAX_ITEMS:
            raise UserError(self.env._("At most %s values at once.", MAX_ITEMS))
        return self._place_read("read_items", {"items": names})
