"""What WeChat Pay fixes, and this addon's own names."""

from odoo.addons.payment.const import SENSITIVE_KEYS as PAYMENT_SENSITIVE_KEYS

CODE = "wechatpay"
METHOD_CODE = "wechat_pay"
CURRENCY = "CNY"

#: Never written to a log, whoever logs it.
SENSITIVE_KEYS = {
    "Authorization",
    "Wechatpay-Signature",
    "access_token",
    "ciphertext",
    "openid",
    "paySign",
    "prepay_id",
    "refresh_token",
    "secret",
    "unionid",
    "wechatpay_api_v3_key",
    "wechatpay_app_secret",
    "wechatpay_openid",
    "wechatpay_private_key",
}
PAYMENT_SENSITIVE_KEYS.update(SENSITIVE_KEYS)

NOTIFY_ROUTE = "/payment/wechatpay/notify"
REFUND_NOTIFY_ROUTE = "/payment/wechatpay/refund_notify"
PAY_ROUTE = "/payment/wechatpay/pay"
STATUS_ROUTE = "/payment/wechatpay/status"
OAUTH_ROUTE = "/payment/wechatpay/oauth"

#: Minutes an order may be paid. WeChat Pay's own limits: at least 1; a QR code or prepay_id lives two hours.
SHORTEST_EXPIRY_MIN = 2
LONGEST_EXPIRY_MIN = 115
#: Minutes a link to the WeChat app (H5) lives; asked for anew when it is older.
H5_LINK_MIN = 4
#: Seconds between two questions about one order from an open payment page.
ASK_AGAIN_S = 10
