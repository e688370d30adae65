from odoo import api, fields, models
from odoo.exceptions import UserError


class UtilityKind(models.Model):
    _inherit = "utility.kind"

    product_id = fields.Many2one(
        "product.product",
        string="Invoice Product",
        company_dependent=True,
        domain=[("type", "=", "service"), ("sale_ok", "=", True)],
        help="Gives invoice lines of this kind their income account and taxes. Taxes must be included in the price.",
    )

    @api.model
    def _prepaid_setup_products(self):
        """Give each kind without one its own service product, untaxed, in the current company."""
        for kind in self.search([("product_id", "=", False)]):
            product = self.env["product.product"].create(kind._prepare_product())
            self.env["res.company"]._prepaid_translate_name(
                product, lambda env, kind=kind: kind.with_env(env).name
            )
            kind.product_id = product

    def _prepare_product(self):
        return {
            "name": self.name,
            "type": "service",
            "sale_ok": True,
            "purchase_ok": False,
            "taxes_id": False,
            "supplier_taxes_id": False,
            "list_price": 0.0,
        }

    def _get_product_sudo(self, company):
        """The product to invoice this kind with. As superuser: also for jobs and users without product rights."""
        self.ensure_one()
        kind_sudo = self.sudo().with_company(company)
        if not kind_sudo.product_id:
            kind_sudo._prepaid_setup_products()
        excluded = kind_sudo.product_id.taxes_id.filtered(
            lambda tax: tax.company_id == company and not tax.price_include
        )
        if excluded:
            raise UserError(
                self.env._(
                    "Tax %(tax)s of product %(product)s is not included in the price. Tenants' prices are what they "
                    "pay: choose a tax that is included in the price.",
                    tax=", ".join(excluded.mapped("name")),
                    product=kind_sudo.product_id.display_name,
                )
            )
        return kind_sudo.product_id
