from odoo import api, fields, models
from odoo.addons.payment.logging import get_payment_logger
from odoo.exceptions import UserError, ValidationError

from ..const import CODE, SENSITIVE_KEYS
from ..reference import get_database_prefix
from ..wechatpay import keys
from ..wechatpay.client import PRODUCTION_URL, Client, Merchant
from ..wechatpay.errors import (
    ApiError,
    KeyMaterialError,
    TransportError,
    VerificationError,
    WechatPayError,
)
from .texts import get_key_text

_logger = get_payment_logger(__name__, SENSITIVE_KEYS)


class PaymentProvider(models.Model):
    """The provider as the gateway's partner: its client, its keys, its bills."""

    _inherit = "payment.provider"

    @api.model
    def _get_guarded_codes(self):
        return super()._get_guarded_codes() | {CODE}

    def _get_gateway_expiry_minutes(self):
        if self.code != CODE:
            return super()._get_gateway_expiry_minutes()
        return self.sudo().wechatpay_expiry_minutes

    # --- who we are, whom we trust --------------------------------------------------------------------------------

    def _is_wechatpay_simulated(self):
        """Whether this provider talks to a simulated gateway: in test mode with a test address, never else."""
        provider = self.sudo()
        return provider.state == "test" and bool(provider.wechatpay_test_url)

    def _get_wechatpay_url(self):
        return self.sudo().wechatpay_test_url if self._is_wechatpay_simulated() else PRODUCTION_URL

    def _get_wechatpay_keys(self):
        """Keys trusted now. Those of a simulation and those of WeChat Pay never count together."""
        provider = self.sudo()
        return provider.wechatpay_key_ids.filtered(
            lambda key: key.is_test == provider._is_wechatpay_simulated()
        )

    def _get_wechatpay_key_ring(self):
        trusted = self._get_wechatpay_keys()
        return keys.KeyRing({keys.normalize_serial(key.serial): key._get_trusted_key() for key in trusted})

    def _get_wechatpay_merchant(self, *, is_signing=True):
        """Merchant of the settings. is_signing=False leaves out what only requests need, for callbacks.

        KeyMaterialError when the settings are incomplete.
        """
        provider = self.sudo()
        certificate = private_key = None
        if is_signing:
            certificate = keys.load_certificate(provider.wechatpay_certificate)
            private_key = keys.load_private_key(provider.wechatpay_private_key)
        public_keys = provider._get_wechatpay_keys().filtered(lambda key: key.kind == "public_key")
        return Merchant(
            mchid=provider.wechatpay_mchid or "",
            appid=provider.wechatpay_appid or "",
            serial=certificate and keys.get_certificate_serial(certificate) or "",
            private_key=private_key,
            api_v3_key=keys.check_api_v3_key(provider.wechatpay_api_v3_key),
            key_ring=provider._get_wechatpay_key_ring(),
            public_key_id=public_keys[:1].serial or "",
        )

    def _get_wechatpay_client(self):
        """Client of the settings; ValidationError with what to correct when they do not suffice."""
        self.ensure_one()
        try:
            return Client(self._get_wechatpay_merchant(), self._get_wechatpay_url())
        except KeyMaterialError as error:
            raise ValidationError(get_key_text(self.env, error)) from None

    def _get_wechatpay_error_text(self, error):
        """What a WechatPayError means for the person in front of the screen."""
        if isinstance(error, TransportError):
            return self.env._("WeChat Pay cannot be reached. Please try again.")
        if isinstance(error, VerificationError):
            return self.env._(
                "The answer does not prove to come from WeChat Pay: check its keys in the settings."
            )
        if isinstance(error, ApiError):
            return self.env._(
                "WeChat Pay refused: %(message)s (%(code)s)",
                message=error.message or self.env._("no reason given"),
                code=error.code or error.status,
            )
        return self.env._("WeChat Pay's answer is not understood.")

    # --- test this connection -------------------------------------------------------------------------------------

    def _gateway_test(self):
        """Ask for an order that cannot exist: only a merchant known to WeChat Pay gets a signed 'no such order'."""
        if self.code != CODE:
            return super()._gateway_test()
        client = self._get_wechatpay_client()
        prefix = get_database_prefix(self.env["ir.config_parameter"].sudo().get_param("database.uuid"))
        try:
            client.query_order(f"{prefix}CONNECTIONTEST")
        except WechatPayError as error:
            raise UserError(self._get_wechatpay_error_text(error)) from None
        lines = [
            self.env._("WeChat Pay answered, and its signature is valid."),
            self.env._(
                "The merchant certificate is valid until %s.",
                fields.Datetime.context_timestamp(self, self.sudo().wechatpay_certificate_until).date(),
            ),
        ]
        if self._is_wechatpay_simulated():
            lines.append(self.env._("This is a simulated gateway: no money moves."))
        elif not self.get_base_url().startswith("https://"):
            lines.append(
                self.env._(
                    "This site's address does not start with https://: WeChat Pay will not tell about payments."
                )
            )
        return "\n".join(lines)

    # --- bills ----------------------------------------------------------------------------------------------------

    def _gateway_fetch_bill(self, day):
        """Trade bill of a date; the fund bill's totals (what really moved, fees as they were taken) beside its own."""
        if self.code != CODE:
            return super()._gateway_fetch_bill(day)
        client = self._get_wechatpay_client()
        try:
            result = client.fetch_trade_bill(day) or {"lines": [], "totals": {}}
            funds = client.fetch_fund_bill(day)
        except WechatPayError as error:
            if isinstance(error, ApiError) and error.is_fact("STATEMENT_CREATING"):
                return None
            raise UserError(self._get_wechatpay_error_text(error)) from None
        result["totals"]["funds"] = funds and funds["totals"]
        return result

    # --- platform certificates ------------------------------------------------------------------------------------

    def action_wechatpay_fetch_certificates(self):
        """Certificate mode: fetch WeChat Pay's platform certificates. Old ones stay until they are removed or end."""
        self.check_access("write")
        for provider in self:
            try:
                provider._fetch_wechatpay_certificates()
            except WechatPayError as error:
                raise UserError(provider._get_wechatpay_error_text(error)) from None

    def _fetch_wechatpay_certificates(self):
        known = {keys.normalize_serial(key.serial) for key in self._get_wechatpay_keys()}
        for pem in self._get_wechatpay_client().fetch_certificates():
            serial = keys.normalize_serial(keys.get_certificate_serial(keys.load_certificate(pem)))
            if serial not in known:
                self.env["payment.wechatpay.key"].create(
                    {"provider_id": self.id, "kind": "platform_certificate", "pem": pem}
                )
                _logger.info("Provider %s trusts platform certificate %s from now on.", self.id, serial)

    @api.model
    def _cron_wechatpay_keys(self):
        """Daily: fetch new platform certificates where that mode is used."""
        for provider in self.search([("code", "=", CODE), ("state", "!=", "disabled")]):
            if "platform_certificate" in provider._get_wechatpay_keys().mapped("kind"):
                try:
                    provider._fetch_wechatpay_certificates()
                except (WechatPayError, ValidationError) as error:
                    _logger.warning("Provider %s: platform certificates not fetched: %s", provider.id, error)
            self.env["ir.cron"]._commit_progress(1)
