"""What WeChat Pay tells the merchant by itself."""

import json
import secrets

from .faults import apply_values
from .notices import Message
from .wechatpay_facts import REFUND_STATES


class Notices:
    """Part of the stand-in; the rest of it is in wechatpay.py."""

    def is_acknowledged(self, status, body):
        return status in (200, 204)

    def make_payment_message(self, order):
        return self._make_message(
            "TRANSACTION.SUCCESS",
            "transaction",
            "支付成功",
            self._describe(order),
            order.notify_url,
            order.number,
        )

    def make_refund_message(self, order, refund):
        state = REFUND_STATES[refund.state]
        data = {
            "mchid": self.mchid,
            "out_trade_no": order.number,
            "transaction_id": order.gateway_number,
            "out_refund_no": refund.number,
            "refund_id": refund.gateway_number,
            "refund_status": state,
            "user_received_account": "支付用户零钱",
            "amount": {
                "total": order.fen,
                "refund": refund.fen,
                "payer_total": order.fen,
                "payer_refund": refund.fen,
            },
        }
        if refund.state == "success":
            data["success_time"] = refund.ended_at.isoformat(timespec="seconds")
        url = refund.notify_url or order.notify_url
        return self._make_message(f"REFUND.{state}", "refund", "退款结果", data, url, refund.number)

    def _make_message(self, event, original_type, summary, data, url, number):
        envelope = {
            "id": secrets.token_hex(16),
            "create_time": self.clock.now().isoformat(timespec="seconds"),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": summary,
        }

        def build_body(faults):
            plain = json.loads(json.dumps(data))
            if "wrong_amount" in faults:
                self._change_amount(plain)
            apply_values(plain, faults.get("set", {}).get("values", {}))
            text = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
            wrong_key = secrets.token_hex(16) if "wrong_key" in faults else ""
            resource = self._encrypt(text, original_type, key=wrong_key) | {"original_type": original_type}
            whole = envelope | {"resource": resource}
            apply_values(whole, faults.get("set", {}).get("envelope", {}))
            body = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
            headers, body = self._sign(body, self._get_notice_mode(), faults)
            return headers | {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0"}, body

        return Message(url, f"{event} {number}", build_body)

    def _get_notice_mode(self):
        """During a migration notices come signed in either way."""
        self._notice_count += 1
        if self.notice_mode == "both":
            return ("public_key", "certificate")[self._notice_count % 2]
        return self.notice_mode
