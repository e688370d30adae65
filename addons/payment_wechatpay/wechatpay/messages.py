"""Objects of the gateway -> the plain facts a shop works with.

A payment or refund, whether it came by callback or as an answer to a query, becomes
{"reference", "gateway_reference", "fen", "currency", "state", "paid_at", "detail"} and for refunds
{"refund_reference", "total_fen"} besides. Texts of people and payer identities are left behind.
"""

from datetime import UTC, datetime

from .beijing import BEIJING
from .errors import MessageError
from .strict_json import get_fen, get_text

CURRENCY = "CNY"

#: trade_state -> state. REFUND: it was paid; how much went back is known by the refund orders.
TRADE_STATES = {
    "SUCCESS": "paid",
    "REFUND": "paid",
    "NOTPAY": "pending",
    "USERPAYING": "pending",
    "CLOSED": "closed",
    "REVOKED": "closed",
    "PAYERROR": "failed",
}
#: status of a refund object / refund_status of a callback -> state. ABNORMAL: the payer's card took nothing back,
#: the merchant has to finish it on the merchant platform; it may still succeed and must not be refunded again.
REFUND_STATES = {
    "SUCCESS": "refunded",
    "PROCESSING": "refunding",
    "ABNORMAL": "refunding",
    "CLOSED": "refund_failed",
}


def parse_time(text):
    """ISO 8601 text in UTC of an RFC 3339 time with offset, e.g. '2026-11-20T10:00:00+08:00'; '' when absent."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise MessageError("time is not RFC 3339") from None
    if moment.tzinfo is None:
        raise MessageError("time without offset")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_time(moment):
    """RFC 3339 with +08:00 of a naive UTC datetime, as time_expire wants it."""
    return moment.replace(tzinfo=UTC).astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S+08:00")


def read_payment(data, *, mchid, appid):
    """Facts of a transaction object. MessageError when it is of another merchant or app, or incomplete."""
    _check_owner(data, mchid)
    if get_text(data, "appid") != appid:
        raise MessageError("order of another app")
    trade_state = get_text(data, "trade_state")
    if trade_state not in TRADE_STATES:
        raise MessageError("unknown trade_state")
    facts = {
        "reference": get_text(data, "out_trade_no", longest=32),
        "state": TRADE_STATES[trade_state],
        "detail": trade_state,
    }
    if facts["state"] != "paid":
        return facts
    amount = _get_amount(data)
    currency = amount.get("currency")
    if not isinstance(currency, str) or not currency:
        raise MessageError("currency is missing")
    return facts | {
        "gateway_reference": get_text(data, "transaction_id", longest=32),
        "fen": get_fen(amount, "total"),
        "currency": currency,
        "paid_at": parse_time(data.get("success_time")),
    }


def read_refund(data, *, mchid=None):
    """Facts of a refund: of a refund object (no mchid in it: pass None) or of a callback (`refund_status`)."""
    if mchid is not None:
        _check_owner(data, mchid)
    status = data.get("refund_status") or data.get("status")
    if status not in REFUND_STATES:
        raise MessageError("unknown refund status")
    amount = _get_amount(data)
    return {
        "reference": get_text(data, "out_trade_no", longest=32),
        "refund_reference": get_text(data, "out_refund_no", longest=64),
        "payment_gateway_reference": get_text(data, "transaction_id", longest=32),
        "gateway_reference": get_text(data, "refund_id", longest=32),
        "total_fen": get_fen(amount, "total"),
        "fen": get_fen(amount, "refund"),
        "currency": amount.get("currency") or CURRENCY,  # callbacks of refunds name none: there is only one
        "state": REFUND_STATES[status],
        "detail": status,
        "paid_at": parse_time(data.get("success_time")),
    }


def _check_owner(data, mchid):
    if get_text(data, "mchid") != mchid:
        raise MessageError("order of another merchant")


def _get_amount(data):
    amount = data.get("amount")
    if not isinstance(amount, dict):
        raise MessageError("amount is missing")
    return amount
