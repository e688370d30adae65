"""Alipay's names for things, and ours."""

PROVIDER_CODE = "alipay"
DEFAULT_PAYMENT_METHOD_CODES = {"alipay"}

#: How a payer gets to Alipay: our key -> (method, product code of the contract with Alipay).
PRODUCTS = {
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    "wap": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    "qr": ("alipay.trade.precreate", "FACE_TO_FACE_PAYMENT"),
}

#: trade_status of an order -> state handed to `_process`.
TRADE_STATES = {
    "WAIT_BUYER_PAY": "pending",
    "TRADE_SUCCESS": "paid",
    "TRADE_FINISHED": "paid",
    "TRADE_CLOSED": "closed",  # not paid in time, or paid and refunded in full
}

NOT_THERE = "ACQ.TRADE_NOT_EXIST"  # the payer has not been at Alipay yet
NOT_OPEN = ("ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID")  # it cannot be closed any more

#: Limits of the gateway.
MAX_REFERENCE = 64
MAX_SUBJECT = 256
MIN_EXPIRY_MINUTES, MAX_EXPIRY_MINUTES = 2, 24 * 60

#: What must never be read, copied or logged outside the settings.
SECRET_FIELDS = (
    "alipay_private_key",
    "alipay_public_key",
    "alipay_app_certificate",
    "alipay_gateway_certificate",
    "alipay_root_certificate",
)
