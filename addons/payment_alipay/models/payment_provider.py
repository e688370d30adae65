import logging
from decimal import Decimal
from functools import lru_cache

from odoo import api, fields, models
from odoo.addons.payment.const import SENSITIVE_KEYS
from odoo.exceptions import UserError, ValidationError
from odoo.http import request

from .. import const
from ..alipay.bill import read_bill
from ..alipay.client import PRODUCTION_URL, SANDBOX_URL, Client, Config, Keys
from ..alipay.errors import AlipayError, BillNotReady, KeyProblem, NotSent, OutcomeUnknown, Refused
from .payment_provider_keys import is_stand_in

_logger = logging.getLogger(__name__)

SENSITIVE_KEYS.update(const.SECRET_FIELDS)


class PaymentProvider(models.Model):
    """Settings of one Alipay application. Keys are checked when saved, read only by `_alipay_*` methods, and leave
    the database never: not in copies, logs, neutralized databases.
    """

    _inherit = "payment.provider"

    code = fields.Selection(selection_add=[("alipay", "Alipay")], ondelete={"alipay": "set default"})
    alipay_app_id = fields.Char("Application ID", required_if_provider="alipay", copy=False)
    alipay_seller_id = fields.Char(
        "Merchant Account (PID)",
        required_if_provider="alipay",
        copy=False,
        help="16 digits beginning with 2088. Notices for another account are refused.",
    )
    alipay_key_mode = fields.Selection(
        [("key", "Key"), ("certificate", "Certificate")],
        string="Signing Mode",
        default="key",
        help="As chosen for the application at Alipay's open platform under interface signing.",
    )
    alipay_private_key = fields.Char("Application Private Key", copy=False, groups="base.group_system")
    alipay_public_key = fields.Text(
        "Alipay Public Key",
        copy=False,
        groups="base.group_system",
        help="Alipay's, not the application's. While Alipay's key is exchanged, both may stand here as PEM.",
    )
    alipay_app_certificate = fields.Text("Application Certificate", copy=False, groups="base.group_system")
    alipay_gateway_certificate = fields.Text(
        "Alipay Certificate",
        copy=False,
        groups="base.group_system",
        help="While Alipay's certificate is exchanged, paste the new file below the old one.",
    )
    alipay_root_certificate = fields.Text("Alipay Root Certificate", copy=False, groups="base.group_system")
    alipay_own_public_key = fields.Text(
        "Application Public Key",
        compute="_compute_alipay_key_facts",
        groups="base.group_system",
        help="Computed from the private key: what must be entered at Alipay's open platform.",
    )
    alipay_key_bits = fields.Integer(
        "Key Length", compute="_compute_alipay_key_facts", groups="base.group_system"
    )
    alipay_certificate_ends_at = fields.Datetime(
        "Certificates Valid Until", compute="_compute_alipay_key_facts", groups="base.group_system"
    )
    alipay_certificate_ends_soon = fields.Boolean(
        compute="_compute_alipay_key_facts", groups="base.group_system"
    )
    alipay_desktop_product = fields.Selection(
        [("qr", "QR code on our page"), ("page", "Alipay's payment page")],
        string="On a Computer",
        default="qr",
    )
    alipay_on_phone = fields.Boolean(
        "On a Phone",
        default=True,
        help="Opens Alipay's payment page for phones. Not offered inside WeChat, where it cannot work.",
    )
    alipay_expiry_minutes = fields.Integer("Time to Pay (Minutes)", default=15)
    alipay_base_url = fields.Char(
        "Stand-in Gateway",
        copy=False,
        groups="base.group_system",
        help="Only for tests in test mode: the address of a stand-in for Alipay on this same machine.",
    )

    # --- what Odoo's payment asks ---------------------------------------------------------------------------------

    def _compute_feature_support_fields(self):
        result = super()._compute_feature_support_fields()
        self.filtered(lambda p: p.code == "alipay").support_refund = "partial"
        return result

    def _get_supported_currencies(self):
        currencies = super()._get_supported_currencies()
        if self.code == "alipay":
            currencies = currencies.filtered(lambda currency: currency.name == "CNY")
        return currencies

    def _get_default_payment_method_codes(self):
        self.ensure_one()
        if self.code != "alipay":
            return super()._get_default_payment_method_codes()
        return const.DEFAULT_PAYMENT_METHOD_CODES

    @api.model
    def _get_compatible_providers(self, *args, report=None, **kwargs):
        """Alipay is hidden where it cannot work: inside WeChat, and on phones without the phone product."""
        providers = super()._get_compatible_providers(*args, report=report, **kwargs)
        hidden = providers.filtered(lambda p: p.code == "alipay" and not p._alipay_get_product())
        if report is not None:
            for provider in hidden:
                report["providers"][provider] = {
                    "available": False,
                    "reason": self.env._("cannot work in this browser"),
                }
        return providers - hidden

    def _alipay_get_product(self):
        """Key of const.PRODUCTS for the browser of this request, or None."""
        agent = request.httprequest.headers.get("User-Agent", "") if request else ""
        if "MicroMessenger" in agent:
            return None
        if any(word in agent for word in ("Mobile", "Android", "iPhone", "AlipayClient")):
            return "wap" if self.alipay_on_phone else None
        return self.alipay_desktop_product

    # --- gateway --------------------------------------------------------------------------------------------------

    @api.model
    def _get_guarded_codes(self):
        return super()._get_guarded_codes() | {const.PROVIDER_CODE}

    def _get_gateway_certificate_end(self):
        if self.code != const.PROVIDER_CODE:
            return super()._get_gateway_certificate_end()
        return self.sudo().alipay_certificate_ends_at

    def _get_gateway_expiry_minutes(self):
        if self.code != "alipay":
            return super()._get_gateway_expiry_minutes()
        return self.alipay_expiry_minutes

    def _alipay_get_keys_sudo(self):
        """Keys as superuser: payers and notices may use them, never see them. Raises ValidationError."""
        provider = self.sudo()
        try:
            if provider.alipay_key_mode == "certificate":
                return _load_certificates(
                    provider.alipay_private_key or "",
                    provider.alipay_app_certificate or "",
                    provider.alipay_gateway_certificate or "",
                    provider.alipay_root_certificate or "",
                )
            return _load_keys(provider.alipay_private_key or "", provider.alipay_public_key or "")
        except KeyProblem as problem:
            raise ValidationError(self.env._("The keys of this Alipay provider cannot be used.")) from problem

    def _alipay_get_client(self):
        url, is_stand_in = self._alipay_get_gateway()
        return Client(Config(self.alipay_app_id, self._alipay_get_keys_sudo(), url, is_stand_in))

    def _alipay_get_gateway(self):
        """(address, whether it is a stand-in). Checked again here: what is enabled talks to Alipay only."""
        if self.state == "enabled":
            return PRODUCTION_URL, False
        if self.state != "test":
            raise ValidationError(self.env._("This Alipay provider is disabled."))
        address = self.sudo().alipay_base_url
        if not address:
            return SANDBOX_URL, False
        if not is_stand_in(address):
            raise ValidationError(self.env._("The stand-in gateway is not on this machine."))
        return address, True

    def _alipay_call(self, method, content, **options):
        """The gateway's signed answer. Raises AlipayError (see alipay/errors.py), ValidationError for settings."""
        return self._alipay_get_client().call(method, content, **options)

    def _alipay_get_error_text(self, error):
        """What staff and payers read of an AlipayError."""
        if isinstance(error, Refused):
            return self.env._(
                "Alipay refused: %(message)s (%(code)s)", message=error.message, code=error.sub_code
            )
        if isinstance(error, NotSent):
            return self.env._("Alipay cannot be reached. Please try again.")
        if isinstance(error, OutcomeUnknown):
            return self.env._("Alipay did not answer in time. The result will be asked for.")
        return self.env._(
            "The answer was not signed by Alipay and was ignored: %(detail)s", detail=str(error)
        )

    def _gateway_test(self):
        """Ask for an order that cannot exist: a signed "no such order" proves address, application and both keys."""
        self.ensure_one()
        if self.code != "alipay":
            return super()._gateway_test()
        try:
            self._alipay_call("alipay.trade.query", {"out_trade_no": "CONNECTION_TEST"})
        except Refused as refused:
            if refused.sub_code != const.NOT_THERE:
                raise ValidationError(self._alipay_get_error_text(refused)) from refused
        except AlipayError as error:
            raise ValidationError(self._alipay_get_error_text(error)) from error
        return self.env._("Connected: Alipay knows the application, and its answer was signed with its key.")

    def _gateway_fetch_bill(self, day):
        """Lines and totals of a day's trade bill. None when there is none (yet)."""
        self.ensure_one()
        if self.code != "alipay":
            return super()._gateway_fetch_bill(day)
        try:
            bill = read_bill(self._alipay_get_client().fetch_bill("trade", day), day)
        except BillNotReady:
            return None
        except AlipayError as error:
            raise UserError(self._alipay_get_error_text(error)) from error
        totals = {
            "payment_fen": bill.get_total_fen("payment"),
            "refund_fen": bill.get_total_fen("refund"),
            "fee_text": str(sum((row.fee for row in bill.rows), Decimal(0))),
        }
        return {"lines": [self._alipay_prepare_bill_line(row) for row in bill.rows], "totals": totals}

    def _alipay_prepare_bill_line(self, row):
        return {
            "kind": row.kind,
            "reference": row.reference,
            "gateway_reference": row.gateway_reference,
            "refund_reference": row.refund_reference,
            "fen": row.fen,
            "fee_fen_text": str(row.fee * 100),
            "state": "paid" if row.kind == "payment" else "refunded",
            "at": row.at.replace(tzinfo=None),
            "raw": row.raw,
        }


@lru_cache(maxsize=16)
def _load_keys(private_text, public_text):
    """Parsing keys takes longer than using them. Other texts are other entries, so a change works at once."""
    return Keys.of_keys(private_text, public_text)


@lru_cache(maxsize=16)
def _load_certificates(private_text, app_text, gateway_text, root_text):
    return Keys.of_certificates(private_text, app_text, gateway_text, root_text)
