import base64
import binascii

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import html_escape

from ..definition import find_problems
from ..register_map import (
    COLUMNS,
    KINDS,
    WorkbookError,
    compare,
    headings_for,
    is_available,
    is_switch,
    read_map,
    write_workbook,
)

SHOWN = ("key", "address", "type", "scale", "unit", "circuit")


class MeterMapImportWizard(models.TransientModel):
    """The registers of a Modbus meter model from a workbook: look at every row first, then take all or none."""

    _name = "meter.map.import.wizard"
    _description = "Import Register Map"

    model_id = fields.Many2one("meter.model", required=True, readonly=True, ondelete="cascade")
    file = fields.Binary("Workbook (xlsx)", attachment=False)
    file_name = fields.Char()
    addresses = fields.Selection(
        [
            ("written", "As written: 0x000B or 000BH hexadecimal, others decimal"),
            ("hexadecimal", "All hexadecimal"),
            ("decimal", "All decimal"),
        ],
        default="written",
        required=True,
        help="Of the register addresses. Those with 0x or H are hexadecimal in any case.",
    )
    template = fields.Binary("Workbook to Fill In", compute="_compute_template")
    preview = fields.Html(compute="_compute_preview", sanitize=False)
    problem_count = fields.Integer(compute="_compute_preview")
    register_count = fields.Integer("Registers Found", compute="_compute_preview")

    @api.depends("file", "addresses")
    def _compute_preview(self):
        for wizard in self:
            registers, rows, problems = wizard._read() if wizard.file else ([], [], [])
            wizard.register_count = len(registers)
            wizard.problem_count = len(problems)
            wizard.preview = wizard._render(registers, rows, problems) if wizard.file else False

    def _compute_template(self):
        for wizard in self:
            wizard.template = base64.b64encode(wizard._prepare_workbook())

    # -- reading ------------------------------------------------------------------------------------

    def _read(self):
        """(registers, their rows in the sheet, [(row, column, sentence)]) of the uploaded file."""
        self.ensure_one()
        try:
            found = read_map(base64.b64decode(self.file), self.addresses)
        except binascii.Error:
            return [], [], [(0, "", self._say_unreadable("not_xlsx"))]
        except WorkbookError as error:
            return [], [], [(0, "", self._say_unreadable(str(error)))]
        problems = [(one.row, one.column, self._say(one)) for one in found.found]
        problems += [
            (
                row,
                "",
                self.env._("The register of the switch is set on the page “Definition”; leave it out here."),
            )
            for row, register in zip(found.rows, found.registers, strict=True)
            if is_switch(register)
        ]
        registers = list(found.registers) + [one for one in self._get_registers() if is_switch(one)]
        if not problems:
            problems = [(0, "", text) for text in self._find_problems(registers)]
        return registers, list(found.rows), problems

    def _get_registers(self):
        return (self.model_id.definition or {}).get("registers") or []

    def _find_problems(self, registers):
        """What the model as a whole would have against them."""
        model = self.model_id
        definition = (model.definition or {}) | {"registers": registers}
        return find_problems(definition, model.protocol, model.circuit_count, model.has_switch)

    def _say_unreadable(self, word):
        return {
            "too_big": self.env._("The file is too big; a register map has at most 2 MB."),
            "too_many_rows": self.env._("The sheet has too many rows; 2000 are read at most."),
        }.get(word) or self.env._("The file is no Excel workbook (xlsx). Save it as xlsx and try again.")

    def _say(self, problem):
        """The broken rule as a sentence in the user's language."""
        value, name = problem.value, self._get_headings().get(problem.key, problem.key)
        sentences = {
            "empty": self.env._("The first sheet is empty."),
            "headings": self.env._("A column is missing: %s", self._name_columns(problem.key)),
            "missing": self.env._("“%s” is empty; every register needs it.", name),
            "number": self.env._(
                "“%s” is not an address. Write a number, or hexadecimal as 0x000B or 000BH.", value
            ),
            "base": self.env._(
                "Address %s may be decimal or hexadecimal: some in this column look hexadecimal. Choose above which they are.",
                value,
            ),
            "range": self.env._("Address %s is not between 0 and 65535.", value),
            "counted_from_1": self.env._(
                "Address %s counts from 1. Write the address on the wire: 0 for 40001 or 30001.", value
            ),
            "whole": self.env._("“%(value)s” in “%(name)s” is not a whole number.", value=value, name=name),
            "twice": self.env._("“%s” of this circuit is already in a row above.", value),
        }
        types = ", ".join(KINDS)
        if problem.key == "type" and problem.rule == "register":
            return self.env._("“%(value)s” is no type. Known are: %(types)s", value=value, types=types)
        return sentences.get(problem.rule) or self.env._(
            "“%(value)s” in “%(name)s” does not fit: %(text)s", value=value, name=name, text=problem.text
        )

    def _name_columns(self, keys):
        headings = self._get_headings()
        return ", ".join(headings.get(key, key) for key in keys.split(", "))

    # -- showing ------------------------------------------------------------------------------------

    def _render(self, registers, rows, problems):
        """Every wrong cell, then every register with what becomes of it."""
        states = {
            "new": self.env._("new"),
            "changed": self.env._("changed"),
            "same": self.env._("as before"),
            "gone": self.env._("is taken out"),
        }
        compared, gone = compare(self._get_registers(), registers)
        numbers = [*rows, *[""] * (len(compared) + len(gone) - len(rows))]
        lines = [*compared, *[(register, "gone") for register in gone]]
        headings = self._get_headings()
        values = {
            "problems": problems,
            "columns": [headings[key] for key in SHOWN],
            "lines": [
                (number, [_shown(key, register.get(key)) for key in SHOWN], state, states[state])
                for number, (register, state) in zip(numbers, lines, strict=True)
            ]
            if registers
            else [],
        }
        return self.env["ir.qweb"]._render("meter_gateway.map_import_preview", values)

    @api.model
    def _get_headings(self):
        """Column -> heading in the user's language, which the reader understands."""
        return headings_for(self.env.lang)

    def _prepare_workbook(self):
        """The model's registers as they are, to be changed and read again."""
        self.ensure_one()
        headings = self._get_headings()
        meanings = {
            "key": self.env._(
                "Which value: total, t1 to t4, voltage_v, current_a, power_kw, power_factor, or a name of yours "
                "in lower case. One row must be total."
            ),
            "address": self.env._(
                "First register as on the wire, counted from 0: 11, 0x000B or 000BH; not 40012."
            ),
            "type": ", ".join(KINDS),
            "scale": self.env._("Value = number in the register × this; such as 0.01."),
            "circuit": self.env._("Of a meter with several circuits: 1, 2, …"),
            "function": self.env._("3 or 4; empty = 3."),
            "count": self.env._("Number of registers; empty = what the type needs."),
            "word_order": self.env._("high or low: which register comes first; empty = high."),
            "byte_order": self.env._("high or low: which byte comes first; empty = high."),
            "none": self.env._("The number that means “no value”."),
        }
        notes = [(headings[key], meanings[key]) for key in COLUMNS if key in meanings]
        registers = [register for register in self._get_registers() if not is_switch(register)]
        return write_workbook(registers, headings, notes)

    # -- doing --------------------------------------------------------------------------------------

    def action_template(self):
        """Download the workbook."""
        self.ensure_one()
        self.model_id.check_access("write")
        url = f"/web/content/{self._name}/{self.id}/template/{self.model_id.code}.xlsx?download=true"
        return {"type": "ir.actions.act_url", "url": url, "target": "self"}

    def action_apply(self):
        """Take all rows, or none while one is wrong. Write rights on the model are asked again."""
        self.ensure_one()
        self.model_id.check_access("write")
        if not self.file:
            raise UserError(self.env._("Choose a workbook first."))
        registers, _rows, problems = self._read()
        if problems:
            raise UserError("\n".join(self._join(*problem) for problem in problems))
        before = self._get_registers()
        self.model_id.definition = (self.model_id.definition or {}) | {"registers": registers}
        self.env["audit.entry"]._log(
            "meter_model.map_import",
            self.model_id,
            before={"registers": len(before)},
            after={"registers": len(registers)},
            reason=self.file_name or "",
        )
        return {"type": "ir.actions.act_window_close"}

    def _join(self, row, column, text):
        if not row:
            return text
        if not column:
            return self.env._("Row %(row)s: %(text)s", row=row, text=text)
        return self.env._("Row %(row)s, column %(column)s: %(text)s", row=row, column=column, text=text)


class MeterModel(models.Model):
    _inherit = "meter.model"

    def action_import_map(self):
        """Open the import of a register map."""
        self.ensure_one()
        self.check_access("write")
        if not is_available():
            raise UserError(
                self.env._("The connector's package is not installed beside Odoo; it knows the rules.")
            )
        wizard = self.env["meter.map.import.wizard"].create({"model_id": self.id})
        return {
            "type": "ir.actions.act_window",
            "res_model": wizard._name,
            "res_id": wizard.id,
            "view_mode": "form",
            "target": "new",
            "name": self.env._("Import Register Map"),
        }


def _shown(key, value):
    if value is None:
        return ""
    return html_escape(f"0x{value:04X}" if key == "address" and isinstance(value, int) else str(value))
