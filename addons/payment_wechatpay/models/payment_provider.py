import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.http import request

from ..const import CODE, CURRENCY, LONGEST_EXPIRY_MIN, METHOD_CODE, SHORTEST_EXPIRY_MIN
from ..user_agent import choose_kind
from ..wechatpay import keys
from ..wechatpay.client import is_loopback_url
from ..wechatpay.errors import KeyMaterialError
from .texts import get_key_text


class PaymentProvider(models.Model):
    """Settings of a WeChat Pay merchant. Secrets are read by administrators only; everything is checked when saved."""

    _inherit = "payment.provider"

    code = fields.Selection(selection_add=[(CODE, "WeChat Pay")], ondelete={CODE: "set default"})
    wechatpay_mchid = fields.Char("Merchant Number", required_if_provider=CODE, copy=False)
    wechatpay_appid = fields.Char("App ID", required_if_provider=CODE, copy=False)
    wechatpay_app_secret = fields.Char(
        "App Secret",
        copy=False,
        groups="base.group_system",
        help="Of the official account with this App ID. Needed to pay inside WeChat: it tells who is paying.",
    )
    wechatpay_api_v3_key = fields.Char(
        "API v3 Key", required_if_provider=CODE, copy=False, groups="base.group_system"
    )
    wechatpay_private_key = fields.Text(
        "Merchant Private Key", required_if_provider=CODE, copy=False, groups="base.group_system"
    )
    wechatpay_certificate = fields.Text(
        "Merchant Certificate", required_if_provider=CODE, copy=False, groups="base.group_system"
    )
    wechatpay_certificate_serial = fields.Char(
        "Certificate Serial", compute="_compute_wechatpay_certificate", groups="base.group_system"
    )
    wechatpay_certificate_until = fields.Datetime(
        "Certificate Valid Until", compute="_compute_wechatpay_certificate", groups="base.group_system"
    )
    wechatpay_is_certificate_ending = fields.Boolean(
        compute="_compute_wechatpay_certificate", groups="base.group_system"
    )
    wechatpay_key_ids = fields.One2many(
        "payment.wechatpay.key", "provider_id", string="Keys of WeChat Pay", groups="base.group_system"
    )
    wechatpay_has_jsapi = fields.Boolean(
        "Pay Inside WeChat",
        help="JSAPI payment is activated for the merchant, and the App Secret is filled in.",
    )
    wechatpay_has_h5 = fields.Boolean(
        "Pay on a Phone Outside WeChat",
        help="H5 payment is activated for the merchant, and this site's domain is registered for it.",
    )
    wechatpay_expiry_minutes = fields.Integer(
        "Minutes to Pay", default=15, help="After this time an unpaid order is closed."
    )
    wechatpay_test_url = fields.Char(
        "Test Address",
        copy=False,
        groups="base.group_system",
        help="Address of a simulated gateway on this machine, in test mode only. Empty: the real WeChat Pay.",
    )

    # --- what Odoo asks of a provider ---------------------------------------------------------------------------

    def _compute_feature_support_fields(self):
        result = super()._compute_feature_support_fields()
        self.filtered(lambda provider: provider.code == CODE).support_refund = "partial"
        return result

    def _get_supported_currencies(self):
        currencies = super()._get_supported_currencies()
        if self.code == CODE:
            currencies = currencies.filtered(lambda currency: currency.name == CURRENCY)
        return currencies

    def _get_default_payment_method_codes(self):
        if self.code != CODE:
            return super()._get_default_payment_method_codes()
        return {METHOD_CODE}

    def _get_reset_values(self):
        if self.code != CODE:
            return super()._get_reset_values()
        names = ("mchid", "appid", "app_secret", "api_v3_key", "private_key", "certificate", "test_url")
        return dict.fromkeys((f"wechatpay_{name}" for name in names), False) | {"wechatpay_key_ids": [(5,)]}

    @api.model
    def _get_compatible_providers(self, *args, report=None, **kwargs):
        """Offer WeChat Pay only where this browser can carry it out."""
        providers = super()._get_compatible_providers(*args, report=report, **kwargs)
        unfit = providers.filtered(
            lambda provider: provider.code == CODE and not provider._is_wechatpay_payable()
        )
        if unfit:
            self._add_wechatpay_report(report, unfit)
        return providers - unfit

    def _add_wechatpay_report(self, report, providers):
        if report is None:
            return
        for provider in providers:
            report.setdefault("providers", {})[provider] = {
                "available": False,
                "reason": self.env._("this way of paying with WeChat is not activated"),
            }

    def _is_wechatpay_payable(self):
        kind = self._get_wechatpay_kind()
        provider = self.sudo()
        if kind == "jsapi":
            return bool(provider.wechatpay_has_jsapi and provider.wechatpay_app_secret)
        return kind == "native" or provider.wechatpay_has_h5

    @api.model
    def _get_wechatpay_kind(self):
        """native, jsapi or h5: what fits the browser that is asking; native where there is none."""
        return choose_kind(request.httprequest.headers.get("User-Agent") if request else "")

    # --- checks ---------------------------------------------------------------------------------------------------

    def _get_gateway_certificate_end(self):
        if self.code != CODE:
            return super()._get_gateway_certificate_end()
        return self.sudo().wechatpay_certificate_until

    @api.depends("wechatpay_certificate")
    def _compute_wechatpay_certificate(self):
        for provider in self:
            try:
                certificate = keys.load_certificate(provider.wechatpay_certificate)
            except KeyMaterialError:
                certificate = None
            provider.wechatpay_certificate_serial = certificate and keys.get_certificate_serial(certificate)
            until = certificate and certificate.not_valid_after_utc.replace(tzinfo=None)
            provider.wechatpay_certificate_until = until
            provider.wechatpay_is_certificate_ending = provider._is_gateway_certificate_ending()

    @api.constrains("wechatpay_private_key", "wechatpay_certificate", "wechatpay_api_v3_key")
    def _check_wechatpay_keys(self):
        for provider in self.sudo().filtered(lambda provider: provider.code == CODE):
            try:
                provider._check_wechatpay_pair()
                if provider.wechatpay_api_v3_key:
                    keys.check_api_v3_key(provider.wechatpay_api_v3_key)
            except KeyMaterialError as error:
                raise ValidationError(get_key_text(self.env, error)) from None

    def _check_wechatpay_pair(self):
        private_key = self.wechatpay_private_key and keys.load_private_key(self.wechatpay_private_key)
        certificate = self.wechatpay_certificate and keys.load_certificate(self.wechatpay_certificate)
        if private_key and certificate:
            keys.check_pair(private_key, certificate)

    @api.constrains("wechatpay_mchid", "wechatpay_appid")
    def _check_wechatpay_numbers(self):
        for provider in self.filtered(lambda provider: provider.code == CODE):
            if provider.wechatpay_mchid and not re.fullmatch(r"[0-9]{8,32}", provider.wechatpay_mchid):
                raise ValidationError(self.env._("The merchant number has digits only, usually ten."))
            if provider.wechatpay_appid and not re.fullmatch(r"[0-9A-Za-z]{8,32}", provider.wechatpay_appid):
                raise ValidationError(
                    self.env._("The App ID has letters and digits only; it starts with wx.")
                )

    @api.constrains("wechatpay_test_url", "state")
    def _check_wechatpay_test_url(self):
        """Nothing simulated may be switched on in production: only this machine, and only in test mode."""
        for provider in self.sudo().filtered(
            lambda provider: provider.code == CODE and provider.wechatpay_test_url
        ):
            if not is_loopback_url(provider.wechatpay_test_url):
                raise ValidationError(
                    self.env._(
                        "The test address leads to this very machine: http://127.0.0.1 and a port, nothing behind it."
                    )
                )
            if provider.state == "enabled":
                raise ValidationError(self.env._("Remove the test address before enabling WeChat Pay."))

    @api.constrains("wechatpay_key_ids", "state")
    def _check_wechatpay_has_key(self):
        for provider in self.sudo():
            if provider.code == CODE and provider.state == "enabled" and not provider._get_wechatpay_keys():
                raise ValidationError(
                    self.env._(
                        "Add the WeChat Pay public key (or fetch the platform certificates) before enabling WeChat Pay."
                    )
                )

    @api.constrains("wechatpay_expiry_minutes")
    def _check_wechatpay_expiry_minutes(self):
        for provider in self.filtered(lambda provider: provider.code == CODE):
            if not SHORTEST_EXPIRY_MIN <= provider.wechatpay_expiry_minutes <= LONGEST_EXPIRY_MIN:
                raise ValidationError(
                    self.env._(
                        "An order can be paid for %(shortest)s to %(longest)s minutes.",
                        shortest=SHORTEST_EXPIRY_MIN,
                        longest=LONGEST_EXPIRY_MIN,
                    )
                )
