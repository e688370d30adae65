"""A stand-in of Alipay's open gateway (RSA2). `python -m tests.fakes.alipay --help`."""

import base64
import json
import secrets
import time
from dataclasses import replace
from datetime import datetime, timedelta

from . import alipay_bill, keys
from .alipay_facts import (
    BILL_HOUR,
    CLOCK_SKEW,
    DOWNLOAD_S,
    ERRORS,
    GATEWAY_PATH,
    NUMBER,
    OPEN_DAYS,
    PAYMENT_METHODS,
    TIMEOUT,
    TIMEOUT_UNITS,
    TITLE,
    ApiError,
    answer_text,
    change_amount,
    check_url,
    format_time,
    get_refunded_fen,
    invalid,
    ok,
    protocol,
    read_content,
    read_fen,
)
from .alipay_notices import Notices
from .alipay_payer import Payer
from .faults import apply_values
from .ledger import Ledger, Order, Refund, Refusal, make_number
from .pages import format_yuan, render_cashier, render_message
from .server import BEIJING, Gateway, Request, Response, answer_page, run


class Alipay(Payer, Notices, Gateway):
    NAME = "alipay"
    RETRIES_S = (240, 600, 600, 3600, 7200, 21600, 54000)
    ACK_TIMEOUT_S = 10
    API_PREFIXES = (GATEWAY_PATH,)
    BILL_EDITS = alipay_bill.EDITS

    def __init__(self, options):
        super().__init__(options)
        self.ledger = Ledger("", "", refunds_by_order=True)
        self.app_id = f"2021{secrets.randbelow(10**12):012d}"
        self.seller_id = f"2088{secrets.randbelow(10**12):012d}"
        self.default_buyer = f"2088{secrets.randbelow(10**12):012d}"
        self.root = keys.make_identity("Simulated Alipay root")
        self.issuer = keys.make_identity("Simulated Alipay authority", self.root, is_authority=True)
        self.app = keys.make_identity(self.app_id, self.issuer)
        self.elliptic_root_pem = keys.make_elliptic_authority_pem("Simulated Alipay root (elliptic)")
        self.plain_keys = [keys.make_key()]
        self.certificates = [keys.make_identity("Simulated Alipay", self.issuer)]
        self.stranger = keys.make_identity("Stranger", self.issuer)
        self.sessions: dict[str, Order] = {}
        self.downloads: dict[str, tuple[bytes, float]] = {}

    def make_config(self):
        return {
            "gateway_url": f"{self.base_url}{GATEWAY_PATH}",
            "app_id": self.app_id,
            "seller_id": self.seller_id,
            "app_private_key": keys.private_pem(self.app.key),
            "alipay_public_key": keys.public_pem(self.plain_keys[-1]),
            "app_certificate": self.app.certificate_pem,
            "alipay_certificate": self.certificates[-1].certificate_pem + self.issuer.certificate_pem,
            "alipay_root_certificate": self._get_root_pem(),
            "app_cert_sn": keys.get_alipay_number(self.app.certificate),
            "alipay_cert_sn": keys.get_alipay_number(self.certificates[-1].certificate),
            "alipay_root_cert_sn": self._get_root_number(),
        }

    def _get_root_pem(self):
        """Alipay separates the certificates by an empty line; not all of them are RSA."""
        return "\n".join([self.root.certificate_pem, self.elliptic_root_pem, self.issuer.certificate_pem])

    def _get_root_number(self):
        return "_".join(keys.get_alipay_number(item.certificate) for item in (self.root, self.issuer))

    # --- requests ---------------------------------------------------------------------------------------------

    def describe(self, request):
        return f"{request.path} {dict(request.query_pairs + request.form_pairs).get('method', '')}"

    def serve_api(self, request: Request, faults: dict) -> Response:
        params = dict(request.query_pairs + request.form_pairs)
        method = params.get("method", "")
        try:
            self._check_request(request, params)
            if fault := faults.get("error"):
                code = fault.get("sub_code") or fault.get("code", "ACQ.SYSTEM_ERROR")
                raise ApiError(code, fault.get("message", "系统错误"), code="40004")
            with self.lock:
                if method in ("alipay.trade.page.pay", "alipay.trade.wap.pay"):
                    return self._open_cashier(params)
                node = self._route(method, read_content(params), params, faults)
        except ApiError as error:
            if not error.is_signed:
                return answer_text(json.dumps({"error_response": error.node}, ensure_ascii=False))
            node = error.node
        except Refusal as refusal:
            sub_code, sub_msg = ERRORS[refusal.reason]
            node = {"code": "40004", "msg": "Business Failed", "sub_code": sub_code, "sub_msg": sub_msg}
        if method.endswith((".page.pay", ".wap.pay")):
            return answer_page(
                render_message(TITLE, "无法支付", f"{node['sub_msg']}（{node['sub_code']}）"), 200
            )
        return self._answer(method, node, "app_cert_sn" in params, faults)

    def _check_request(self, request, params):
        for pairs in (request.query_pairs, request.form_pairs):
            if len({name for name, _value in pairs}) != len(pairs):
                raise protocol("isv.invalid-parameter", "参数重复")
        if params.get("app_id") != self.app_id:
            raise protocol("isv.invalid-app-id", "无效的AppID参数")
        if params.get("sign_type") != "RSA2":
            raise protocol("isv.invalid-signature-type", "无效签名类型")
        if params.get("charset", "").lower() != "utf-8" or params.get("version") != "1.0":
            raise protocol("isv.invalid-charset", "字符集或版本错误")
        text = "&".join(
            f"{name}={params[name]}" for name in sorted(params) if name != "sign" and params[name]
        )
        if not keys.is_signed(self.app.certificate.public_key(), text.encode(), params.get("sign", "")):
            raise protocol("isv.invalid-signature", "验签出错，请检查签名字符串、签名私钥与应用公钥是否匹配")
        self._check_certificate_numbers(params)
        try:
            at = datetime.strptime(params.get("timestamp", ""), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
        except ValueError:
            raise protocol("isv.invalid-timestamp", "时间戳格式错误") from None
        if abs(datetime.now(BEIJING) - at) > CLOCK_SKEW:
            raise protocol("isv.invalid-timestamp", "非法的时间戳参数（应为北京时间）")

    def _check_certificate_numbers(self, params):
        given = params.get("app_cert_sn"), params.get("alipay_root_cert_sn")
        if given not in (
            (None, None),
            (keys.get_alipay_number(self.app.certificate), self._get_root_number()),
        ):
            raise protocol("isv.invalid-cert-sn", "证书序列号不正确")

    def _route(self, method, content, params, faults):
        match method:
            case "alipay.trade.precreate":
                return self._precreate(content, params)
            case "alipay.trade.query":
                return self._describe(self._find(content))
            case "alipay.trade.close":
                return self._close(content, faults)
            case "alipay.trade.refund":
                return self._refund(content)
            case "alipay.trade.fastpay.refund.query":
                return self._query_refund(content)
            case "alipay.data.dataservice.bill.downloadurl.query":
                return self._offer_bill(content)
            case "alipay.open.app.alipaycert.download":
                return self._offer_certificate(content)
        raise protocol("isv.invalid-method", "不存在的方法名")

    def _answer(self, method, node, is_certificate_mode, faults):
        """The signature covers the node's characters exactly as written, with slashes escaped as Alipay does."""
        if "wrong_amount" in faults:
            change_amount(node)
        if "set" in faults:
            apply_values(node, faults["set"].get("values", {}))
        text = json.dumps(node, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        key = self.certificates[-1].key if is_certificate_mode else self.plain_keys[-1]
        number = keys.get_alipay_number(self.certificates[-1].certificate)
        if "wrong_signature" in faults or "unknown_serial" in faults:
            key = self.stranger.key
        if "unknown_serial" in faults:
            number = keys.get_alipay_number(self.stranger.certificate)
        members = [f'"{method.replace(".", "_")}_response":{self._spoil(text, faults)}']
        if is_certificate_mode:
            members.append(f'"alipay_cert_sn":"{number}"')
        if "unsigned" not in faults:
            signature = "not base64!" if "bad_base64" in faults else keys.sign(key, text.encode())
            members.append(f'"sign":"{signature}"')
        return answer_text(self.pad(f"{{{','.join(members)}}}".encode(), faults))

    @staticmethod
    def _spoil(text, faults):
        return text.replace('":', '": ', 1) if "changed_body" in faults else text

    # --- orders -----------------------------------------------------------------------------------------------

    def _prepare_order(self, content, params):
        method = params["method"]
        kind, products = PAYMENT_METHODS[method]
        number, subject = str(content.get("out_trade_no", "")), content.get("subject")
        if not NUMBER.fullmatch(number):
            raise invalid("out_trade_no")
        if not isinstance(subject, str) or not 1 <= len(subject) <= 256 or set(subject) & set("/=&"):
            raise invalid("subject")
        if content.get("product_code", "") not in products:
            raise invalid("product_code")
        for name in ("notify_url", "return_url"):
            check_url(params.get(name, ""), name)
        fen = read_fen(content.get("total_amount"))
        now = self.clock.now()
        order = Order(
            number=number,
            fen=fen,
            subject=subject,
            kind=kind,
            params={"fen": fen, "subject": subject, "kind": kind},
            created_at=now,
            expires_at=self._get_expiry(content, now),
            notify_url=params.get("notify_url", ""),
            return_url=params.get("return_url", ""),
        )
        order.extra = {"certificate": "app_cert_sn" in params, "timeout": content.get("timeout_express", "")}
        return order

    def _get_expiry(self, content, now):
        if not content.get("time_expire"):
            return now + timedelta(days=OPEN_DAYS)
        try:
            at = datetime.strptime(content["time_expire"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
        except (ValueError, TypeError):
            raise invalid("time_expire") from None
        if at <= now:
            raise invalid("time_expire早于当前时间")
        return at

    def _open_cashier(self, params):
        """The payer's browser posts the order. A trade exists only once the payer acts."""
        order = self._prepare_order(read_content(params), params)
        known = self.ledger.orders.get(order.number)
        if known is not None:
            order = self.ledger.create(order, self.clock.now())
        self.sessions[order.code] = order
        return answer_page(render_cashier(TITLE, order, f"/cashier/{order.code}", order.return_url))

    def _precreate(self, content, params):
        order = self._prepare_order(content, params)
        if order.number in self.ledger.orders:
            order = self.ledger.create(order, self.clock.now())
        for session in self.sessions.values():
            if session.number == order.number and session.kind == "qr":
                if session.params != order.params:
                    raise Refusal("differs")
                order = session
        self.sessions[order.code] = order
        return ok({"out_trade_no": order.number, "qr_code": f"{self.base_url}/buyer/{order.code}"})

    def create_trade(self, code: str) -> Order:
        """What happens when the payer scans or logs in: from now on the trade can be queried."""
        session = self.sessions.get(code)
        if session is None:
            raise Refusal("unknown")
        now = self.clock.now()
        if session.number not in self.ledger.orders and now >= session.expires_at:
            raise Refusal("closed")
        order = session
        if session.number not in self.ledger.orders:
            order = replace(session, created_at=now, gateway_number=make_number("", now))
            if match := TIMEOUT.fullmatch(session.extra["timeout"]):
                limit = timedelta(**{TIMEOUT_UNITS[match[2]]: int(match[1])})
                order.expires_at = min(order.expires_at, now + limit)
        return self.ledger.create(order, now)

    def prepare_payment(self, number):
        if number not in self.ledger.orders:
            codes = [code for code, order in self.sessions.items() if order.number == number]
            self.create_trade(codes[-1] if codes else "")

    def control_scan(self, command):
        """The payer has scanned the code or logged in, but not paid."""
        with self.lock:
            self.prepare_payment(command["out_trade_no"])

    def _find(self, content):
        now = self.clock.now()
        if content.get("trade_no"):
            return self.ledger.find(now, gateway_number=content["trade_no"])
        return self.ledger.get(str(content.get("out_trade_no", "")), now)

    def _get_status(self, order):
        if order.state == "refunded" and order.refunded_fen == order.fen:
            return "TRADE_CLOSED"
        if order.is_finished:
            return "TRADE_FINISHED"
        states = {"unpaid": "WAIT_BUYER_PAY", "closed": "TRADE_CLOSED"}
        return states.get(order.state, "TRADE_SUCCESS")

    def _describe(self, order):
        paid = format_yuan(order.fen) if order.paid_at else "0.00"
        node = {
            "buyer_logon_id": "sim***@example.com",
            "buyer_pay_amount": paid,
            "buyer_user_id": order.buyer or self.default_buyer,
            "invoice_amount": paid,
            "out_trade_no": order.number,
            "point_amount": "0.00",
            "receipt_amount": paid,
            "total_amount": format_yuan(order.fen),
            "trade_no": order.gateway_number,
            "trade_status": self._get_status(order),
        }
        if order.paid_at:
            node["send_pay_date"] = format_time(order.paid_at)
        return ok(node)

    def _close(self, content, faults):
        order = self._find(content)
        if order.state == "unpaid" and "pay_before_close" in faults:
            self.control_pay({"out_trade_no": order.number})
        if order.state != "unpaid":
            raise ApiError("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
        self.close_order(order.number, faults)
        return ok({"out_trade_no": order.number, "trade_no": order.gateway_number})

    # --- refunds ----------------------------------------------------------------------------------------------

    def _refund(self, content):
        now = self.clock.now()
        order = self._find(content)
        fen = read_fen(content.get("refund_amount"))
        number = str(content.get("out_request_no") or "")
        if not number and fen != order.fen:
            raise invalid("部分退款须传out_request_no")
        number = number or order.number
        is_new = number not in order.refunds
        if is_new and "closed" in self.refund_outcomes[:1]:
            self.refund_outcomes.pop(0)
            raise ApiError("ACQ.SELLER_BALANCE_NOT_ENOUGH", "商户的支付宝账户余额不足")
        refund = Refund(number, number, fen, now, reason=str(content.get("refund_reason", "")))
        refund = self.ledger.refund(order.number, refund, now)
        has_moved = is_new and self._move_money(order, refund)
        return ok(
            {
                "buyer_logon_id": "sim***@example.com",
                "fund_change": "Y" if has_moved else "N",
                "gmt_refund_pay": format_time(refund.created_at),
                "out_trade_no": order.number,
                "refund_fee": format_yuan(get_refunded_fen(order)),
                "send_back_fee": format_yuan(refund.fen if has_moved else 0),
                "trade_no": order.gateway_number,
            }
        )

    def _move_money(self, order, refund):
        """Alipay pays back at once; "hold" leaves the refund open."""
        outcome = self.refund_outcomes.pop(0) if self.refund_outcomes else "success"
        if outcome != "success":
            return False
        self.settle_refund(order, refund, "success")
        return True

    def _query_refund(self, content):
        order = self._find(content)
        refund = order.refunds.get(str(content.get("out_request_no", "")))
        if refund is None:
            return ok({})
        node = {
            "out_request_no": refund.number,
            "out_trade_no": order.number,
            "refund_amount": format_yuan(refund.fen),
            "total_amount": format_yuan(order.fen),
            "trade_no": order.gateway_number,
        }
        if refund.state == "success":
            node["refund_status"] = "REFUND_SUCCESS"
        return ok(node)

    # --- bills ------------------------------------------------------------------------------------------------

    def _offer_bill(self, content):
        now = self.clock.now()
        try:
            day = datetime.strptime(str(content.get("bill_date", "")), "%Y-%m-%d").date()
        except ValueError:
            raise invalid("bill_date") from None
        if content.get("bill_type") not in ("trade", "signcustomer"):
            raise invalid("bill_type")
        is_early = (now.date() - day).days == 1 and now.hour < BILL_HOUR and not self.options.early_bills
        archive = None
        if day < now.date() and not is_early:
            archive = alipay_bill.build(content["bill_type"], day, self)
        if archive is None:
            raise ApiError("isp.bill_not_exist", "账单不存在")
        token = secrets.token_urlsafe(24)
        self.downloads[token] = archive, time.monotonic() + DOWNLOAD_S
        return ok({"bill_download_url": f"{self.base_url}/bill/download?token={token}"})

    def _offer_certificate(self, content):
        for identity in self.certificates:
            if keys.get_alipay_number(identity.certificate) == content.get("alipay_cert_sn"):
                text = base64.b64encode(identity.certificate_pem.encode()).decode()
                return ok({"alipay_cert_content": text})
        raise ApiError("isv.invalid-cert-sn", "证书不存在")

    # --- control ----------------------------------------------------------------------------------------------

    def control_finish(self, command):
        """The time for refunds is over: TRADE_FINISHED, with its notice."""
        with self.lock:
            order = self.ledger.get(command["out_trade_no"], self.clock.now())
            if order.state not in ("paid", "refunded"):
                raise Refusal("not_paid")
            order.is_finished = True
        if command.get("notify", True):
            self.notify_payment(order)

    def control_rotate_key(self, command):
        """mode: public_key or certificate. Signs with the new one at once; config.json then holds the new one."""
        with self.lock:
            match command.get("mode", "public_key"):
                case "public_key":
                    self.plain_keys.append(keys.make_key())
                case "certificate":
                    self.certificates.append(keys.make_identity("Simulated Alipay", self.issuer))
                case _:
                    raise ValueError("mode is public_key or certificate")
            self.write_config()
            return {"config": self.make_config()}


def main():
    run(Alipay, "alipay")


if __name__ == "__main__":
    main()
