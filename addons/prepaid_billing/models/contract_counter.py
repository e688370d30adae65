from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..money.fen import parse_amount, to_decimal

SEARCH_KEYS = ("account_number", "partner_id.name", "partner_id.phone", "occupancy_ids.unit_id.code")


class ContractContract(models.Model):
    _inherit = "contract.contract"  # pylint: disable=consider-merging-classes-inherited

    topup_ids = fields.One2many("prepaid.topup", "contract_id", string="Top-ups")

    # --- the counter finds a tenancy by whatever the customer says ---------------------------------------------

    def _search_display_name(self, operator, value):
        if not self.env.context.get("counter_search") or operator not in ("ilike", "=", "in"):
            return super()._search_display_name(operator, value)
        words = fields.Domain("is_tenancy", "=", True)
        for word in str(value or "").split():
            words &= fields.Domain.OR(fields.Domain(key, "ilike", word) for key in SEARCH_KEYS)
        return words

    @api.depends_context("counter_search")
    def _compute_display_name(self):
        result = super()._compute_display_name()
        if self.env.context.get("counter_search"):
            for contract in self.filtered("account_number"):
                units = ", ".join(contract.unit_ids.mapped("code"))
                parts = (contract.account_number, contract.partner_id.name, units, contract.partner_id.phone)
                contract.display_name = " · ".join(part for part in parts if part)
        return result

    # --- online top-up ----------------------------------------------------------------------------------------

    def _prepare_topup_transaction_values(self, amount):
        """Keyword values for the payment controller's `_create_transaction`, after checking the amount.

        :param amount: what the tenant typed (str, int, float, Decimal): positive, two decimals, within the limits
        :return: {amount, currency_id, partner_id, reference_prefix, custom_create_values: {wallet_id}}
        :raise ValidationError: saying which rule the amount breaks
        """
        self.ensure_one()
        wallet = self.wallet_id
        if not self.is_tenancy or not wallet:
            raise ValidationError(self.env._("%s has no wallet to top up.", self.display_name))
        try:
            value = parse_amount(amount)
        except ValueError as error:
            raise ValidationError(wallet._get_amount_error(amount, str(error))) from None
        company_sudo = self.company_id.sudo()  # tenants may not read the company's settings
        smallest, largest = map(to_decimal, (company_sudo.prepaid_topup_min, company_sudo.prepaid_topup_max))
        if not smallest <= value <= largest:
            raise ValidationError(
                self.env._(
                    "The amount must be between %(min)s and %(max)s, not %(amount)s.",
                    min=smallest,
                    max=largest,
                    amount=value,
                )
            )
        return {
            "amount": float(value),
            "currency_id": wallet.currency_id.id,
            "partner_id": self.partner_id.id,
            "reference_prefix": f"T{self.account_number}",
            "custom_create_values": {"wallet_id": wallet.id},
        }
