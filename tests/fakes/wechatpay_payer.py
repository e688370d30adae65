"""What a payer sees of WeChat Pay: the cashier in a browser or the app."""

import secrets
import time
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from . import keys
from .ledger import Refusal
from .pages import render_cashier, render_list, render_message
from .server import answer_json, answer_page, answer_redirect
from .wechatpay_facts import CODE_URL_HOURS, ERRORS, OAUTH_CODE_S, TITLE


class Payer:
    """Part of the stand-in; the rest of it is in wechatpay.py."""

    def serve_page(self, request):
        parts = request.path.strip("/").split("/")
        try:
            match request.method, parts:
                case "GET", [""]:
                    return answer_page(render_list(TITLE, self._get_open_orders()))
                case (("GET" | "POST"), [("buyer" | "h5") as kind, code]):
                    with self.lock:
                        order = self.ledger.find(self.clock.now(), code=code)
                    return self._serve_cashier(request, order, kind)
                case (("GET" | "POST"), ["jsapi"]):
                    return self._serve_jsapi(request)
                case "GET", ["connect", "oauth2", "authorize"]:
                    return self._authorize(request)
        except Refusal as refusal:
            return answer_page(render_message(TITLE, "无法支付", ERRORS[refusal.reason][2]), 409)
        return answer_page(render_message(TITLE, "页面不存在", request.path), 404)

    def _get_open_orders(self):
        with self.lock:
            now = self.clock.now()
            orders = [self.ledger.get(number, now) for number in self.ledger.orders]
        return [order for order in orders if order.state == "unpaid"]

    def _serve_cashier(self, request, order, kind):
        back = request.query.get("redirect_url", "") if kind != "buyer" else ""
        if request.method == "POST":
            self.control_pay({"out_trade_no": order.number})
            return answer_redirect(back) if back else answer_page(self._render_state(order))
        if order.state != "unpaid":
            return answer_page(self._render_state(order, back))
        if kind == "buyer" and order.created_at + timedelta(hours=CODE_URL_HOURS) < self.clock.now():
            return answer_page(render_message(TITLE, "二维码已过期", "请返回商家重新获取。"), 410)
        return answer_page(render_cashier(TITLE, order, request.target, back))

    @staticmethod
    def _render_state(order, back=""):
        texts = {"paid": "支付成功", "refunded": "订单已退款", "closed": "订单已关闭"}
        return render_message(TITLE, texts[order.state], f"订单号 {order.number}", back)

    def _serve_jsapi(self, request):
        """Stands for WeixinJSBridge: takes getBrandWCPayRequest's values in the query, plus redirect_url of our own."""
        values = request.query
        lines = [values.get(name, "") for name in ("appId", "timeStamp", "nonceStr", "package")]
        text = "".join(f"{line}\n" for line in lines).encode()
        is_signed = keys.is_signed(
            self.merchant.certificate.public_key(), text, values.get("paySign", "").replace(" ", "+")
        )
        if lines[0] != self.appid or values.get("signType") != "RSA" or not is_signed:
            return answer_page(render_message(TITLE, "支付验证签名失败", "paySign 不正确"), 400)
        with self.lock:
            now = self.clock.now()
            for order in self.ledger.orders.values():
                if lines[3] == f"prepay_id={self._get_prepay_id(order)}":
                    return self._serve_cashier(request, self.ledger.get(order.number, now), "jsapi")
        raise Refusal("unknown")

    # --- OAuth ------------------------------------------------------------------------------------------------

    def _authorize(self, request):
        query = request.query
        scope = query.get("scope")
        if query.get("appid") != self.appid or query.get("response_type") != "code":
            return answer_page(render_message(TITLE, "授权失败", "appid 参数错误"), 400)
        if (
            scope not in ("snsapi_base", "snsapi_userinfo")
            or not urlsplit(query.get("redirect_uri", "")).hostname
        ):
            return answer_page(render_message(TITLE, "授权失败", "scope 或 redirect_uri 参数错误"), 400)
        code = secrets.token_urlsafe(24)
        self._oauth_codes[code] = {
            "openid": self.default_buyer,
            "scope": scope,
            "ends": time.monotonic() + OAUTH_CODE_S,
            "is_used": False,
        }
        address = query["redirect_uri"]
        extra = urlencode({"code": code, "state": query.get("state", "")})
        return answer_redirect(f"{address}{'&' if '?' in address else '?'}{extra}")

    def _exchange_code(self, request):
        """WeChat answers this with status 200 and text/plain, errors too."""
        query = request.query
        with self.lock:
            code = self._oauth_codes.get(query.get("code", ""))
            if request.path != "/sns/oauth2/access_token" or query.get("grant_type") != "authorization_code":
                answer = {"errcode": 40002, "errmsg": "invalid grant_type"}
            elif query.get("appid") != self.appid:
                answer = {"errcode": 40013, "errmsg": "invalid appid"}
            elif query.get("secret") != self.app_secret:
                answer = {"errcode": 40125, "errmsg": "invalid appsecret"}
            elif code is None or time.monotonic() > code["ends"]:
                answer = {"errcode": 40029, "errmsg": "invalid code"}
            elif code["is_used"]:
                answer = {"errcode": 40163, "errmsg": "code been used"}
            else:
                code["is_used"] = True
                answer = {
                    "access_token": secrets.token_urlsafe(32),
                    "expires_in": 7200,
                    "refresh_token": secrets.token_urlsafe(32),
                    "openid": code["openid"],
                    "scope": code["scope"],
                }
        return answer_json(answer, headers={"Content-Type": "text/plain"})
