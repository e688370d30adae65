from datetime import UTC, datetime
from urllib.parse import urlsplit

from odoo import api, models
from odoo.exceptions import ValidationError

from .. import const
from ..alipay.certificates import get_root_number, load_leaf_certificates
from ..alipay.client import is_loopback
from ..alipay.errors import KeyProblem
from ..alipay.signing import get_public_text, is_same_key, load_private_key, load_public_keys


class PaymentProvider(models.Model):
    """Settings are checked when saved: what is wrong with a key shows here, not at the first payer."""

    _inherit = "payment.provider"

    @api.depends(
        "alipay_private_key", "alipay_app_certificate", "alipay_gateway_certificate", "alipay_key_mode"
    )
    def _compute_alipay_key_facts(self):
        for provider in self:
            key, ends = provider._alipay_read_key(), provider._alipay_read_ends()
            provider.alipay_own_public_key = key and get_public_text(key)
            provider.alipay_key_bits = key and key.key_size
            provider.alipay_certificate_ends_at = ends and ends.astimezone(UTC).replace(tzinfo=None)
            provider.alipay_certificate_ends_soon = provider._is_gateway_certificate_ending()

    def _alipay_read_key(self):
        try:
            return load_private_key(self.alipay_private_key) if self.alipay_private_key else None
        except KeyProblem:
            return None

    def _alipay_read_ends(self):
        """When the first of the certificates in use ends. Of several of Alipay's, the newest counts."""
        if self.alipay_key_mode != "certificate":
            return None
        ends = []
        for text in (self.alipay_app_certificate, self.alipay_gateway_certificate):
            try:
                ends.append(max(leaf.ends_at for leaf in load_leaf_certificates(text)) if text else None)
            except KeyProblem:
                continue
        return min((end for end in ends if end), default=None)

    @api.constrains("code", "state", "alipay_key_mode", *const.SECRET_FIELDS)
    def _check_alipay_keys(self):
        for provider in self.filtered(lambda p: p.code == "alipay").sudo():
            provider._check_alipay_key_texts()
            if provider.state != "disabled":
                provider._check_alipay_keys_complete()

    def _check_alipay_key_texts(self):
        """Every text that is there can be read, and belongs to the others."""
        private = self._alipay_read(load_private_key, "alipay_private_key")
        public = self._alipay_read(load_public_keys, "alipay_public_key")
        own = self._alipay_read(load_leaf_certificates, "alipay_app_certificate")
        theirs = self._alipay_read(load_leaf_certificates, "alipay_gateway_certificate")
        self._alipay_read(get_root_number, "alipay_root_certificate")
        if private and public and any(is_same_key(private, key) for key in public):
            raise ValidationError(
                self.env._(
                    "The Alipay public key is the application's own. Copy it from the open platform, where Alipay"
                    " shows it after you entered yours."
                )
            )
        if private and own and (len(own) != 1 or not is_same_key(private, own[0].key)):
            raise ValidationError(
                self.env._("The application certificate does not belong to the application private key.")
            )
        if private and theirs and any(is_same_key(private, leaf.key) for leaf in theirs):
            raise ValidationError(self.env._("The Alipay certificate is the application's own."))

    def _alipay_read(self, reader, name):
        """Result of the reader for the text of a field; None without text. Raises ValidationError."""
        if not self[name]:
            return None
        try:
            return reader(self[name])
        except KeyProblem as problem:
            label = self._fields[name].get_description(self.env, ["string"])["string"]
            text = self._alipay_get_key_problems()[problem.reason]
            raise ValidationError(
                self.env._("%(field)s: %(problem)s", field=label, problem=text)
            ) from problem

    def _alipay_get_key_problems(self):
        return {
            "not_a_private_key": self.env._(
                "this is no private key. Paste the text that Alipay's key tool made."
            ),
            "not_a_public_key": self.env._("this is no public key."),
            "not_rsa": self.env._("this is no RSA key. Choose RSA2 in Alipay's key tool."),
            "key_length": self.env._("the key is too short or too long. RSA2 keys have 2048 bits or more."),
            "not_a_certificate": self.env._(
                "this is no certificate. Paste the whole content of the downloaded .crt file."
            ),
            "not_a_root_certificate": self.env._("this file holds no RSA certificate."),
        }

    def _check_alipay_keys_complete(self):
        needed = ["alipay_private_key"]
        if self.alipay_key_mode == "certificate":
            needed += ["alipay_app_certificate", "alipay_gateway_certificate", "alipay_root_certificate"]
        else:
            needed.append("alipay_public_key")
        missing = [
            self._fields[name].get_description(self.env, ["string"])["string"]
            for name in needed
            if not self[name]
        ]
        if missing:
            raise ValidationError(self.env._("To use Alipay, fill in: %(fields)s", fields=", ".join(missing)))
        ends = self._alipay_read_ends()
        if ends and ends < datetime.now(UTC):
            raise ValidationError(
                self.env._(
                    "A certificate ended on %(date)s. Download the new one.", date=ends.date().isoformat()
                )
            )

    @api.constrains("code", "state", "alipay_base_url")
    def _check_alipay_base_url(self):
        """A stand-in can take no real money: only for tests, only on this machine, never while enabled."""
        for provider in self.filtered(lambda p: p.code == "alipay").sudo():
            if provider.alipay_base_url and (
                provider.state == "enabled" or not is_stand_in(provider.alipay_base_url)
            ):
                raise ValidationError(
                    self.env._(
                        "A stand-in gateway is only possible in test mode, and only at an address of this machine,"
                        " like http://127.0.0.1:8088/gateway.do."
                    )
                )

    @api.constrains("code", "state", "alipay_seller_id", "alipay_app_id")
    def _check_alipay_numbers(self):
        for provider in self.filtered(lambda p: p.code == "alipay"):
            app_id, seller_id = provider.alipay_app_id, provider.alipay_seller_id
            if (app_id and not (app_id.isascii() and app_id.isdigit())) or (
                seller_id and not (seller_id.isascii() and seller_id.isdigit() and len(seller_id) == 16)
            ):
                raise ValidationError(
                    self.env._("The application ID has digits only, the merchant account 16 digits.")
                )

    @api.constrains("alipay_expiry_minutes")
    def _check_alipay_expiry(self):
        low, high = const.MIN_EXPIRY_MINUTES, const.MAX_EXPIRY_MINUTES
        if any(p.code == "alipay" and not low <= p.alipay_expiry_minutes <= high for p in self):
            raise ValidationError(
                self.env._("The time to pay is between %(low)s and %(high)s minutes.", low=low, high=high)
            )


def is_stand_in(address):
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
    except ValueError:
        return False
