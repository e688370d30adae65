"""Callbacks: raw request in, proven facts out. No network, no state."""

from .aead import decrypt_resource
from .errors import MessageError
from .messages import read_payment, read_refund
from .signing import verify
from .strict_json import get_text, parse_object

#: A callback is about 1 kB.
LARGEST_BODY = 64 * 1024

PAYMENT_EVENT = "TRANSACTION.SUCCESS"
#: event_type -> the refund_status it must carry
REFUND_EVENTS = {
    "REFUND.SUCCESS": "SUCCESS",
    "REFUND.ABNORMAL": "ABNORMAL",
    "REFUND.CLOSED": "CLOSED",
}


def open_payment(merchant, headers, body, *, now):
    """Facts of a payment callback (see messages.read_payment). VerificationError or MessageError otherwise."""
    event, plain = _open(merchant, headers, body, now=now)
    if event != PAYMENT_EVENT:
        raise MessageError("not a payment event")
    facts = read_payment(plain, mchid=merchant.mchid, appid=merchant.appid)
    if plain["trade_state"] != "SUCCESS":
        raise MessageError("event and trade_state disagree")
    return facts


def open_refund(merchant, headers, body, *, now):
    """Facts of a refund callback (see messages.read_refund)."""
    event, plain = _open(merchant, headers, body, now=now)
    if event not in REFUND_EVENTS:
        raise MessageError("not a refund event")
    facts = read_refund(plain, mchid=merchant.mchid)
    if facts["detail"] != REFUND_EVENTS[event]:
        raise MessageError("event and refund_status disagree")
    return facts


def _open(merchant, headers, body, *, now):
    if len(body) > LARGEST_BODY:
        raise MessageError("callback is too large")
    verify(merchant.key_ring, headers, body, now=now)
    envelope = parse_object(body)
    event = get_text(envelope, "event_type")
    if envelope.get("resource_type") != "encrypt-resource":
        raise MessageError("resource is not encrypted")
    resource = envelope.get("resource")
    if not isinstance(resource, dict) or "algorithm" not in resource:
        raise MessageError("encrypted resource is missing")
    return event, parse_object(decrypt_resource(merchant.api_v3_key, resource))
