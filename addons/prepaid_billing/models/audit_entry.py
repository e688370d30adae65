from odoo import api, models


class AuditEntry(models.Model):
    _inherit = "audit.entry"

    @api.model
    def _get_action_labels(self):
        return super()._get_action_labels() | {
            "wallet.entry": self.env._("Entered in a wallet"),
            "settlement.post": self.env._("Use charged"),
            "review.decide": self.env._("Reading decided on"),
            "tariff.change": self.env._("Price confirmed"),
            "tariff.assign": self.env._("Tariff assigned"),
            "topup.post": self.env._("Top-up taken"),
            "topup.reprint": self.env._("Receipt printed again"),
            "topup.reverse": self.env._("Top-up reversed"),
            "refund.pay": self.env._("Refund paid"),
            "refund.refuse": self.env._("Refund refused"),
            "refund.online": self.env._("Refund sent to the payment provider"),
            "books.differ": self.env._("Books and wallets differ"),
            "policy.change": self.env._("Trip policy changed"),
            "supply.special": self.env._("Special supply period changed"),
            "case.confirm": self.env._("Cut-off confirmed"),
        }

    @api.model
    def _get_key_labels(self):
        return super()._get_key_labels() | {
            "sequence": self.env._("No."),
            "kind": self.env._("Kind"),
            "amount": self.env._("Amount"),
            "balance_after": self.env._("Balance"),
            "source": self.env._("Source"),
            "description": self.env._("Description"),
            "entries": self.env._("Entries"),
            "wallets": self.env._("Wallets"),
            "heads": self.env._("Hash of the Ledgers' Heads"),
            "state": self.env._("Status"),
            "reading": self.env._("Reading"),
            "quantity": self.env._("Use to Charge"),
            "tariff": self.env._("Tariff"),
            "valid_from": self.env._("Valid From"),
            "definition": self.env._("Prices"),
            "number": self.env._("Number"),
            "method": self.env._("Method"),
            "count": self.env._("Count"),
            "difference": self.env._("Difference"),
            "confirmed": self.env._("Confirmed"),
        }
