"""What a payer sees of Alipay: the cashier in a browser or the app."""

import time
from urllib.parse import urlencode

from .alipay_facts import ERRORS, TITLE, format_time, sign_form
from .ledger import Refusal
from .pages import format_yuan, render_cashier, render_list, render_message
from .server import Response, answer_page, answer_redirect


class Payer:
    """Part of the stand-in; the rest of it is in alipay.py."""

    def serve_page(self, request):
        try:
            match request.method, request.path.strip("/").split("/"):
                case "GET", [""]:
                    return answer_page(render_list(TITLE, self._get_open_orders()))
                case "GET", ["buyer", code]:
                    with self.lock:
                        order = self.create_trade(code)
                    return answer_page(render_cashier(TITLE, order, f"/cashier/{code}"))
                case "POST", [("cashier" | "buyer"), code]:
                    return self._pay_by_page(code)
                case "GET", ["bill", "download"]:
                    return self._download_bill(request)
        except Refusal as refusal:
            return answer_page(render_message(TITLE, "无法支付", ERRORS[refusal.reason][1]), 409)
        return answer_page(render_message(TITLE, "页面不存在", request.path), 404)

    def _get_open_orders(self):
        now = self.clock.now()
        with self.lock:
            for number in self.ledger.orders:
                self.ledger.get(number, now)
            latest = {order.number: order for order in self.sessions.values() if order.expires_at > now}
            return [
                order
                for order in latest.values()
                if self.ledger.orders.get(order.number, order).state == "unpaid"
            ]

    def _pay_by_page(self, code):
        with self.lock:
            order = self.create_trade(code)
        self.control_pay({"out_trade_no": order.number})
        if order.return_url:
            return answer_redirect(self._get_return_url(order))
        return answer_page(render_message(TITLE, "支付成功", f"订单号 {order.number}"))

    def _get_return_url(self, order):
        """Signed, but says nothing about the state of the trade."""
        kind = {"page": "alipay.trade.page.pay.return", "wap": "alipay.trade.wap.pay.return"}[order.kind]
        form = {
            "charset": "utf-8",
            "out_trade_no": order.number,
            "method": kind,
            "total_amount": format_yuan(order.fen),
            "trade_no": order.gateway_number,
            "auth_app_id": self.app_id,
            "version": "1.0",
            "app_id": self.app_id,
            "sign_type": "RSA2",
            "seller_id": self.seller_id,
            "timestamp": format_time(self.clock.now()),
        }
        form["sign"] = sign_form(form, self._get_notice_key(order, {}))
        return f"{order.return_url}{'&' if '?' in order.return_url else '?'}{urlencode(form)}"

    def _download_bill(self, request):
        content, ends = self.downloads.get(request.query.get("token", ""), (b"", 0))
        if time.monotonic() > ends:
            return answer_page(render_message(TITLE, "链接已失效", "请重新获取账单下载地址。"), 404)
        return Response(200, content, {"Content-Type": "application/zip"})
