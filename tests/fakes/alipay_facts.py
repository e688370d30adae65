"""Words, limits and errors of Alipay, and how its values are read and written."""

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from . import keys
from .ledger import Order
from .server import BEIJING, Response

TITLE = "支付宝"
GATEWAY_PATH = "/gateway.do"
OPEN_DAYS = 15
CLOCK_SKEW = timedelta(hours=1)
BILL_HOUR, DOWNLOAD_S = 9, 30
MAX_FEN = 10_000_000_000
NUMBER = re.compile(r"[0-9A-Za-z_]{1,64}")
TIMEOUT = re.compile(r"([1-9]\d{0,4})([mhd])")
TIMEOUT_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

#: method -> (kind, product codes)
PAYMENT_METHODS = {
    "alipay.trade.page.pay": ("page", ("FAST_INSTANT_TRADE_PAY",)),
    "alipay.trade.wap.pay": ("wap", ("QUICK_WAP_WAY", "QUICK_WAP_PAY")),
    "alipay.trade.precreate": ("qr", ("FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE", "")),
}
#: reason of the ledger -> sub_code, sub_msg
ERRORS = {
    "unknown": ("ACQ.TRADE_NOT_EXIST", "交易不存在"),
    "differs": ("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改"),
    "paid": ("ACQ.TRADE_HAS_SUCCESS", "交易已被支付"),
    "closed": ("ACQ.TRADE_HAS_CLOSE", "交易已经关闭"),
    "not_paid": ("ACQ.TRADE_STATUS_ERROR", "交易状态不合法"),
    "too_much": ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限"),
    "too_many": ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款次数超限"),
    "too_old": ("ACQ.TRADE_HAS_FINISHED", "交易已完结"),
    "refund_differs": ("ACQ.DISCORDANT_REPEAT_REQUEST", "请求不一致"),
}


class ApiError(Exception):
    """is_signed False: error_response, which Alipay does not sign."""

    def __init__(self, sub_code, sub_msg, *, code="40004", is_signed=True):
        super().__init__(sub_code)
        self.is_signed = is_signed
        msg = "Business Failed" if code == "40004" else "Invalid Arguments"
        self.node = {"code": code, "msg": msg, "sub_code": sub_code, "sub_msg": sub_msg}


def invalid(text: str) -> ApiError:
    return ApiError("ACQ.INVALID_PARAMETER", f"参数无效：{text}")


def protocol(sub_code: str, text: str) -> ApiError:
    return ApiError(sub_code, text, code="40002", is_signed=False)


def ok(values: dict) -> dict:
    return {"code": "10000", "msg": "Success"} | values


def answer_text(text: str | bytes) -> Response:
    body = text if isinstance(text, bytes) else text.encode()
    return Response(200, body, {"Content-Type": "text/html;charset=utf-8"})


def format_time(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def sign_form(form: dict[str, str], key) -> str:
    """Over every other field but sign and sign_type, sorted, as they read before encoding."""
    text = "&".join(f"{name}={form[name]}" for name in sorted(form) if name not in ("sign", "sign_type"))
    return keys.sign(key, text.encode())


def change_amount(data: dict) -> None:
    for name in ("total_amount", "refund_amount"):
        if name in data:
            data[name] = str(Decimal(data[name]) + Decimal("0.01"))


def get_refunded_fen(order: Order) -> int:
    return sum(refund.fen for refund in order.refunds.values() if refund.state == "success")


def read_content(params: dict) -> dict:
    try:
        content = json.loads(params.get("biz_content", ""))
    except ValueError:
        raise invalid("biz_content") from None
    if not isinstance(content, dict):
        raise invalid("biz_content")
    return content


def read_fen(value) -> int:
    """Yuan with at most two decimals, as text or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise invalid("金额")
    try:
        fen = Decimal(str(value)) * 100
    except InvalidOperation:
        raise invalid("金额") from None
    if not fen.is_finite() or fen != int(fen) or not 1 <= fen <= MAX_FEN:
        raise invalid("金额")
    return int(fen)


def check_url(url: str, name: str) -> None:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or len(url) > 256):
        raise invalid(name)
