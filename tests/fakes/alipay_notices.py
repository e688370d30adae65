"""What Alipay tells the merchant by itself."""

import json
import secrets
from urllib.parse import urlencode

from .alipay_facts import change_amount, format_time, get_refunded_fen, sign_form
from .faults import apply_values
from .notices import Message
from .pages import format_yuan


class Notices:
    """Part of the stand-in; the rest of it is in alipay.py."""

    def is_acknowledged(self, status, body):
        return status == 200 and body == b"success"

    def make_payment_message(self, order):
        return self._make_message("trade_status_sync", order, self._get_notice(order), order.number)

    def make_refund_message(self, order, refund):
        extra = {
            "refund_fee": format_yuan(get_refunded_fen(order)),
            "gmt_refund": format_time(refund.ended_at or refund.created_at) + ".000",
            "out_biz_no": refund.number,
        }
        return self._make_message("refund", order, self._get_notice(order) | extra, refund.number)

    def _get_notice(self, order):
        amount = format_yuan(order.fen)
        notice = {
            "notify_type": "trade_status_sync",
            "notify_id": f"{self.clock.now():%Y%m%d}{secrets.token_hex(13)}",
            "charset": "utf-8",
            "version": "1.0",
            "app_id": self.app_id,
            "auth_app_id": self.app_id,
            "seller_id": self.seller_id,
            "buyer_id": order.buyer,
            "subject": order.subject,
            "out_trade_no": order.number,
            "trade_no": order.gateway_number,
            "trade_status": self._get_status(order),
            "total_amount": amount,
            "gmt_create": format_time(order.created_at),
        }
        if order.paid_at:
            notice |= {
                "gmt_payment": format_time(order.paid_at),
                "receipt_amount": amount,
                "invoice_amount": amount,
                "buyer_pay_amount": amount,
                "point_amount": "0.00",
                "fund_bill_list": json.dumps([{"amount": amount, "fundChannel": "ALIPAYACCOUNT"}]),
            }
        return notice

    def _make_message(self, event, order, notice, number):
        def build_body(faults):
            form = notice | {"notify_time": format_time(self.clock.now()), "sign_type": "RSA2"}
            if "wrong_amount" in faults:
                change_amount(form)
            apply_values(form, faults.get("set", {}).get("values", {}))
            key = self._get_notice_key(order, faults)
            if "unsigned" not in faults:
                form["sign"] = "not base64!" if "bad_base64" in faults else sign_form(form, key)
            if "changed_body" in faults:
                form["total_amount"] += "0"
            pairs = list(form.items())
            if "twice" in faults:
                pairs.append(
                    (faults["twice"].get("name", "total_amount"), faults["twice"].get("value", "0.01"))
                )
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
            return headers, urlencode(pairs).encode()

        return Message(order.notify_url, f"{event} {number}", build_body)

    def _get_notice_key(self, order, faults):
        if "wrong_signature" in faults or "unknown_serial" in faults:
            return self.stranger.key
        if order.extra.get("certificate"):
            return self.certificates[-1].key
        return self.plain_keys[-1]
