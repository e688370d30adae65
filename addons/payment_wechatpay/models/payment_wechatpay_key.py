from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..wechatpay import keys
from ..wechatpay.errors import KeyMaterialError, UnknownSerial
from .texts import get_key_text


class PaymentWechatpayKey(models.Model):
    """A key that signs for WeChat Pay: its public key, or one of its platform certificates.

    Several may be trusted at once (migration, rotation). What is removed or archived is refused from then on, in every
    worker, because nothing is kept in memory.
    """

    _name = "payment.wechatpay.key"
    _description = "Key of WeChat Pay"
    _order = "is_test, kind, valid_until desc, id desc"
    _rec_name = "serial"

    provider_id = fields.Many2one("payment.provider", required=True, index=True, ondelete="cascade")
    kind = fields.Selection(
        [("public_key", "WeChat Pay public key"), ("platform_certificate", "Platform certificate")],
        required=True,
        default="public_key",
    )
    serial = fields.Char(
        compute="_compute_facts",
        store=True,
        readonly=False,
        precompute=True,
        string="Key ID",
        help="Public key: its ID from the merchant platform, PUB_KEY_ID_… . Certificate: its serial, filled in here.",
    )
    pem = fields.Text("Key or Certificate (PEM)", required=True)
    valid_from = fields.Datetime(compute="_compute_facts", store=True, precompute=True)
    valid_until = fields.Datetime(compute="_compute_facts", store=True, precompute=True)
    is_test = fields.Boolean(
        "For Tests",
        readonly=True,
        help="Came with a test address. Trusted only together with one, never by an enabled provider.",
    )
    active = fields.Boolean(default=True)

    _serial_uniq = models.Constraint(
        "unique(provider_id, serial, is_test)", "This key is already registered with the provider."
    )

    @api.depends("kind", "pem")
    def _compute_facts(self):
        for key in self:
            certificate = key._get_certificate()
            key.valid_from = certificate and certificate.not_valid_before_utc.replace(tzinfo=None)
            key.valid_until = certificate and certificate.not_valid_after_utc.replace(tzinfo=None)
            key.serial = keys.get_certificate_serial(certificate) if certificate else key.serial

    def _get_certificate(self):
        """The certificate of a row that holds a readable one; what is wrong with others is said when it is saved."""
        if self.kind != "platform_certificate" or not self.pem:
            return None
        try:
            return keys.load_certificate(self.pem)
        except KeyMaterialError:
            return None

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            provider = self.env["payment.provider"].browse(vals.get("provider_id"))
            vals["is_test"] = bool(provider.sudo().wechatpay_test_url)
        return super().create(vals_list)

    @api.constrains("kind", "serial", "pem")
    def _check_key(self):
        for key in self:
            try:
                key._get_trusted_key()
                serial = keys.normalize_serial(key.serial)
            except KeyMaterialError as error:
                raise ValidationError(get_key_text(self.env, error)) from None
            except UnknownSerial:
                serial = ""
            is_public = key.kind == "public_key"
            if not serial or serial.startswith(keys.PUBLIC_KEY_PREFIX) != is_public:
                raise ValidationError(
                    self.env._(
                        "The ID of a WeChat Pay public key starts with PUB_KEY_ID_: copy it as it is shown."
                    )
                )

    def _get_trusted_key(self):
        """What the signature check works with. KeyMaterialError when the text is no such key."""
        self.ensure_one()
        if self.kind == "public_key":
            return keys.TrustedKey(keys.load_public_key(self.pem))
        return keys.TrustedKey.from_certificate(keys.load_certificate(self.pem))
