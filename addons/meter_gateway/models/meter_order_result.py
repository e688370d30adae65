import re

from odoo import api, fields, models

from ..const import SWITCH_ORDER_KINDS

#: What connectors write (pattern) and what it means; the first that fits counts.
CONNECTOR_WORDS = (
    (r"^data of the order", "data"),
    (r"not sent: set \d is in use", "set_in_use"),
    (r"not sent: the meter does not tell which", "set_unknown"),
    (r"not sent: the meter does not show", "switch_held"),
    (r"count mismatch", "count"),
    (r"and the meter sleeps", "asleep"),
    (r"unknown (meter|circuit|target)|not in the configuration", "unknown"),
    (r"(be|was) read back|read back:|no later report", "unsure"),
    (r"the switch shows|shows otherwise|^read back", "other"),
    (r"not connected|no connection", "link"),
    (r"no answer$", "silent"),
    (r"bytes came, none of them|only \d+ came|is no Modbus message", "garbled"),
    (r"[Pp]assword|not authori", "password"),
    (r"busy", "busy"),
    (r"no switch|has no circuit|shows no|no meter shows|does not show", "unable"),
    (r"refused", "refused"),
)


class MeterOrder(models.Model):
    """What a connector says of an order's end, in words for people. The connector's own words stay in ``result``."""

    _inherit = "meter.order"

    result_text = fields.Char("Outcome", compute="_compute_result_text")

    @api.depends("result", "state", "meter_id.model_id.definition")
    @api.depends_context("lang")
    def _compute_result_text(self):
        for order in self:
            is_switched = order.kind in SWITCH_ORDER_KINDS and order.state == "confirmed"
            is_echo = is_switched and order.meter_id.is_switch_unverified
            order.result_text = (
                self._get_result_sentences()["echo"] if is_echo else self._explain_result(order.result)
            )

    @api.model
    def _explain_result(self, result):
        """A sentence for what is known, else the words as they came."""
        for pattern, meaning in CONNECTOR_WORDS:
            if re.search(pattern, result or ""):
                return self._get_result_sentences()[meaning]
        return result

    @api.model
    def _get_result_sentences(self):
        return {
            "data": self.env._("The order's data is not usable."),
            "set_in_use": self.env._(
                "Not sent: the meter counts by this set now. Set the other set and its switch moment."
            ),
            "set_unknown": self.env._("Not sent: the meter does not tell which of its two sets is in use."),
            "switch_held": self.env._(
                "The switch moment was not sent, since what it switches to is not in the meter as wanted."
            ),
            "echo": self.env._("Not verified by a read-back: the meter shows only the command it was given."),
            "count": self.env._("The purchase count in the meter is not the one expected."),
            "asleep": self.env._("The meter sleeps and must report first."),
            "unknown": self.env._("The connector does not know this meter."),
            "unsure": self.env._("It was sent; whether it was done could not be read."),
            "other": self.env._("The meter shows something else than was ordered."),
            "link": self.env._("There is no connection to the gateway."),
            "silent": self.env._("The meter did not answer."),
            "garbled": self.env._("The meter's answer was garbled."),
            "password": self.env._("The meter refused the password."),
            "busy": self.env._("The meter cannot do it at present."),
            "unable": self.env._("This meter cannot do that."),
            "refused": self.env._("The meter refused."),
        }
