"""Notices: form posts signed by Alipay. What is checked before a notice may be looked at, in this order:
every name once; sign_type RSA2; signature; our application; our merchant account. Only then what it says.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .client import Keys
from .errors import NoticeProblem, SignatureProblem
from .signing import get_notice_text, verify
from .values import parse_beijing, parse_yuan

MAX_FIELDS = 100
PAID = ("TRADE_SUCCESS", "TRADE_FINISHED")  # the second: paid, and the time for refunds is over
KNOWN = (*PAID, "WAIT_BUYER_PAY", "TRADE_CLOSED")


@dataclass(frozen=True)
class Notice:
    """A notice that is Alipay's and ours. `kind`: "paid", "pending", "closed", or "refund": the order was paid
    before and some or all of it went back; such a notice neither pays nor cancels anything.
    """

    reference: str
    trade_number: str
    fen: int
    kind: str
    status: str
    paid_at: str | None  # ISO 8601 in UTC
    refund_reference: str
    refund_total_fen: int | None


def verify_notice(
    pairs: Iterable[tuple[str, str]], keys: Keys, app_id: str, seller_id: str
) -> dict[str, str]:
    """The parameters of a notice of ours, empty ones left out. Raises NoticeProblem or SignatureProblem."""
    pairs = list(pairs)
    params = dict(pairs)
    if not pairs or len(pairs) > MAX_FIELDS or len(params) != len(pairs):
        raise NoticeProblem("malformed")
    if params.get("sign_type") != "RSA2":
        raise NoticeProblem("sign_type")
    _verify(params, keys.get_verifiers(params.get("alipay_cert_sn")))
    params = {name: value for name, value in params.items() if value}
    if params.get("app_id") != app_id:
        raise NoticeProblem("app_id")
    if params.get("seller_id") != seller_id:
        raise NoticeProblem("seller_id")
    return params


def _verify(params: dict[str, str], keys) -> None:
    """Alipay's own libraries keep parameters without a value in the text; older senders left them out. Either way
    an empty value means nothing later on, so nobody gains by adding one.
    """
    signature = params.get("sign", "")
    try:
        verify(get_notice_text(params), signature, keys)
    except SignatureProblem:
        if all(params.values()):
            raise
        verify(get_notice_text(params, with_empty=False), signature, keys)


def read_notice(params: dict[str, str]) -> Notice:
    """What a verified notice says. Raises NoticeProblem: reference, trade_no, amount, status."""
    status = params.get("trade_status", "")
    if status not in KNOWN:
        raise NoticeProblem("status")
    for name in ("out_trade_no", "trade_no"):
        if not params.get(name):
            raise NoticeProblem(name)
    try:
        fen = parse_yuan(params.get("total_amount"))
        refund_fen = parse_yuan(params["refund_fee"]) if "refund_fee" in params else None
        paid_at = parse_beijing(params["gmt_payment"]).isoformat() if "gmt_payment" in params else None
    except ValueError as error:
        raise NoticeProblem("amount") from error
    return Notice(
        reference=params["out_trade_no"],
        trade_number=params["trade_no"],
        fen=fen,
        kind=_get_kind(params, status),
        status=status,
        paid_at=paid_at,
        refund_reference=params.get("out_biz_no", ""),
        refund_total_fen=refund_fen,
    )


def _get_kind(params: dict[str, str], status: str) -> str:
    """A partial refund comes as TRADE_SUCCESS, a full one as TRADE_CLOSED, both with traces of the refund."""
    if status == "WAIT_BUYER_PAY":
        return "pending"
    if (
        any(params.get(name) for name in ("gmt_refund", "out_biz_no"))
        or params.get("refund_fee", "0.00") != "0.00"
    ):
        return "refund"
    if status in PAID:
        return "paid"
    return "refund" if params.get("gmt_payment") else "closed"
