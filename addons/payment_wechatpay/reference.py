"""Order numbers no other database of the same merchant makes."""

import base64
import hashlib
import re
import secrets

#: WeChat Pay: out_trade_no has 6 to 32 of these characters, out_refund_no up to 64.
LEGAL = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
LEGAL_REFUND = re.compile(r"[0-9A-Za-z_\-|*]{1,64}")

_ORDER = r"[A-Z2-7]{6}[0-9]{12}[A-Z2-7]{6}"
_REFUND_PREFIX = re.compile(rf"R-{_ORDER}(-[0-9]{{1,4}})?")


def get_database_prefix(database_uuid):
    """Six characters that differ between databases (production, staging, a colleague's) of one merchant."""
    digest = hashlib.sha256(f"payment_wechatpay:{database_uuid}".encode()).digest()
    return base64.b32encode(digest).decode()[:6]


def make_order_prefix(database_uuid, moment):
    """24 characters: database, UTC time, chance (a copied database keeps its uuid)."""
    chance = base64.b32encode(secrets.token_bytes(5)).decode()[:6]
    return f"{get_database_prefix(database_uuid)}{moment:%y%m%d%H%M%S}{chance}"


def is_refund_prefix(prefix):
    """Whether a prefix was made by Odoo for the refund of one of our orders."""
    return bool(prefix and _REFUND_PREFIX.fullmatch(prefix))
