"""Words, limits and errors of WeChat Pay, and how its values are read and written."""

import json
import re
from datetime import timedelta
from urllib.parse import urlsplit

TITLE = "微信支付"
SCHEME = "WECHATPAY2-SHA256-RSA2048"
CLOCK_SKEW_S = 300
OPEN_DAYS, CODE_URL_HOURS, MIN_EXPIRY = 7, 2, timedelta(minutes=1)
DOWNLOAD_S, BILL_HOUR = 300, 10
OAUTH_CODE_S = 300
ORDER_KINDS = {"native": "code_url", "jsapi": "prepay_id", "h5": "h5_url"}
TRADE_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB"}
NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_AUTHORIZATION_FIELD = re.compile(r'(\w+)="([^"]*)"')

#: reason of the ledger -> HTTP status, code, message
ERRORS = {
    "unknown": (404, "ORDER_NOT_EXIST", "订单不存在"),
    "differs": (400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致"),
    "paid": (400, "ORDER_PAID", "该订单已支付"),
    "closed": (400, "ORDER_CLOSED", "该订单已关闭"),
    "not_paid": (400, "INVALID_REQUEST", "订单状态错误：未支付"),
    "too_much": (400, "INVALID_REQUEST", "申请退款金额大于订单剩余可退金额"),
    "too_many": (400, "INVALID_REQUEST", "订单退款次数超过限制"),
    "too_old": (400, "INVALID_REQUEST", "订单已超过可退款的最长期限"),
    "refund_differs": (400, "INVALID_REQUEST", "退款请求重入时，参数与首次请求时不一致"),
    "refund_unknown": (404, "RESOURCE_NOT_EXISTS", "退款单不存在"),
}
REFUND_STATES = {
    "processing": "PROCESSING",
    "success": "SUCCESS",
    "closed": "CLOSED",
    "abnormal": "ABNORMAL",
}


class ApiError(Exception):
    def __init__(self, status: int, code: str, message: str):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


def bad(message: str) -> ApiError:
    return ApiError(400, "PARAM_ERROR", message)


def read_object(body: bytes) -> dict:
    try:
        data = json.loads(body)
    except ValueError:
        raise bad("请求不是合法的JSON") from None
    if not isinstance(data, dict):
        raise bad("请求不是JSON对象")
    return data


def check_notify_url(url) -> None:
    """https in the real world; plain HTTP for a merchant on this machine."""
    parts = urlsplit(url if isinstance(url, str) else "")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or len(url) > 255:
        raise bad("notify_url不合法：必须为不带参数的绝对地址")
