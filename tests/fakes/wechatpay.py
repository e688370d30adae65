"""A stand-in of WeChat Pay (API v3, direct merchant) and of WeChat's OAuth. `python -m tests.fakes.wechatpay --help`."""

import base64
import json
import re
import secrets
import time
from datetime import datetime, timedelta
from urllib.parse import unquote

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import keys, wechatpay_bill
from .faults import apply_values
from .ledger import Order, Refund, Refusal
from .server import Gateway, Request, Response, answer_json, read_time, run
from .wechatpay_facts import (
    _AUTHORIZATION_FIELD,
    BILL_HOUR,
    CLOCK_SKEW_S,
    DOWNLOAD_S,
    ERRORS,
    MIN_EXPIRY,
    NUMBER,
    OPEN_DAYS,
    ORDER_KINDS,
    REFUND_NUMBER,
    REFUND_STATES,
    SCHEME,
    TRADE_TYPES,
    ApiError,
    bad,
    check_notify_url,
    read_object,
)
from .wechatpay_notices import Notices
from .wechatpay_payer import Payer


class WeChatPay(Payer, Notices, Gateway):
    NAME = "wechatpay"
    RETRIES_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
    API_PREFIXES = ("/v3/", "/sns/")
    BILL_EDITS = wechatpay_bill.EDITS

    def __init__(self, options):
        super().__init__(options)
        self.mchid = f"19{secrets.randbelow(10**8):08d}"
        self.appid = f"wx{secrets.token_hex(8)}"
        self.app_secret = secrets.token_hex(16)
        self.api_v3_key = secrets.token_hex(16)
        self.default_buyer = f"o{secrets.token_hex(13)}1"
        authority = keys.make_identity("Simulated merchant authority")
        self.merchant = keys.make_identity(self.mchid, authority)
        self.platform_authority = keys.make_identity("Simulated WeChat Pay authority")
        self.certificates = [keys.make_identity("Tenpay.com sign (simulated)", self.platform_authority)]
        self.public_keys = [(f"PUB_KEY_ID_01{self.mchid}{secrets.randbelow(10**16):016d}", keys.make_key())]
        self.stranger = keys.make_identity("Stranger")
        self.notice_mode = "public_key"  # or certificate, both
        self._notice_count = 0
        self._oauth_codes: dict[str, dict] = {}
        self._downloads: dict[str, tuple[bytes, float]] = {}
        self._serials = {self.merchant.serial: self.merchant.certificate.public_key()}

    def make_config(self):
        public_key_id, public_key = self.public_keys[-1]
        return {
            "mchid": self.mchid,
            "appid": self.appid,
            "app_secret": self.app_secret,
            "api_v3_key": self.api_v3_key,
            "merchant_serial": self.merchant.serial,
            "merchant_private_key": keys.private_pem(self.merchant.key),
            "merchant_certificate": self.merchant.certificate_pem,
            "public_key_id": public_key_id,
            "public_key": keys.public_pem(public_key),
            "platform_serial": self.certificates[-1].serial,
            "platform_certificate": self.certificates[-1].certificate_pem,
            "openid": self.default_buyer,
        }

    # --- requests ---------------------------------------------------------------------------------------------

    def serve_api(self, request: Request, faults: dict) -> Response:
        if request.path.startswith("/sns/"):
            return self._exchange_code(request)
        if request.path == "/v3/billdownload/file":
            return self._download_bill(request)
        try:
            self._check_authorization(request)
            self._check_fault(faults)
            with self.lock:
                status, data = self._route(request, faults)
        except ApiError as error:
            status, data = error.status, {"code": error.code, "message": error.message}
        except Refusal as refusal:
            status, code, message = ERRORS[refusal.reason]
            data = {"code": code, "message": message}
        return self._answer(request, status, data, faults)

    def _check_fault(self, faults):
        if fault := faults.get("error"):
            code = fault.get("code", "SYSTEM_ERROR")
            raise ApiError(fault.get("status", 500), code, fault.get("message", "系统错误"))

    def _check_authorization(self, request):
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        values = dict(_AUTHORIZATION_FIELD.findall(text))
        expected = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}
        if scheme != SCHEME or set(values) != expected:
            raise ApiError(401, "SIGN_ERROR", "Http头Authorization值格式错误")
        key = self._serials.get(values["serial_no"].upper())
        if values["mchid"] != self.mchid or key is None:
            raise ApiError(401, "SIGN_ERROR", "商户证书序列号有误")
        if not values["timestamp"].isdigit() or abs(time.time() - int(values["timestamp"])) > CLOCK_SKEW_S:
            raise ApiError(401, "SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        head = f"{request.method}\n{request.target}\n{values['timestamp']}\n{values['nonce_str']}\n"
        if not keys.is_signed(key, head.encode() + request.body + b"\n", values["signature"]):
            raise ApiError(401, "SIGN_ERROR", "签名错误，请检查后再试")

    def _route(self, request, faults):
        parts = [unquote(part) for part in request.path.split("/")[2:]]
        match request.method, parts:
            case "POST", ["pay", "transactions", kind] if kind in ORDER_KINDS:
                return 200, self._create(kind, read_object(request.body))
            case "GET", ["pay", "transactions", "out-trade-no", number]:
                self._check_mchid(request.query)
                return 200, self._describe(self.ledger.get(number, self.clock.now()))
            case "GET", ["pay", "transactions", "id", number]:
                self._check_mchid(request.query)
                return 200, self._describe(self.ledger.find(self.clock.now(), gateway_number=number))
            case "POST", ["pay", "transactions", "out-trade-no", number, "close"]:
                self._check_mchid(read_object(request.body))
                self.close_order(number, faults)
                return 204, None
            case "POST", ["refund", "domestic", "refunds"]:
                return 200, self._refund(read_object(request.body))
            case "GET", ["refund", "domestic", "refunds", number]:
                return 200, self._describe_refund(*self.ledger.find_refund(number))
            case "GET", ["bill", ("tradebill" | "fundflowbill") as kind]:
                return 200, self._offer_bill(kind, request.query, faults)
            case "GET", ["certificates"]:
                return 200, {"data": [self._offer_certificate(identity) for identity in self.certificates]}
        raise ApiError(404, "RESOURCE_NOT_EXISTS", "请求的资源不存在")

    def _check_mchid(self, values):
        if values.get("mchid") != self.mchid:
            raise bad("mchid与签名的商户号不一致")

    # --- answers ----------------------------------------------------------------------------------------------

    def _answer(self, request, status, data, faults):
        if data is not None and "wrong_amount" in faults:
            self._change_amount(data)
        if data is not None and "set" in faults:
            apply_values(data, faults["set"].get("values", {}))
        body = b"" if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        body = self.pad(body, faults)
        mode = "public_key" if self._wants_public_key(request) else "certificate"
        headers, body = self._sign(body, mode, faults)
        headers["Request-ID"] = secrets.token_hex(16)
        if data is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        return Response(status, body, headers)

    def _wants_public_key(self, request):
        return request.headers.get("Wechatpay-Serial", "").startswith("PUB_KEY_ID_")

    @staticmethod
    def _change_amount(data):
        for name in ("total", "refund"):
            if isinstance(data.get("amount"), dict) and name in data["amount"]:
                data["amount"][name] += 1

    def _sign(self, body, mode, faults):
        """(headers, body). Faults spoil exactly one thing."""
        if mode == "certificate":
            serial, key = self.certificates[-1].serial, self.certificates[-1].key
        else:
            serial, key = self.public_keys[-1]
        if "wrong_signature" in faults:
            key = self.stranger.key
        if "unknown_serial" in faults:
            serial, key = self.stranger.serial, self.stranger.key
        timestamp = str(int(time.time() + float(faults.get("timestamp", {}).get("seconds", 0))))
        nonce = secrets.token_hex(16)
        signature = keys.sign(key, f"{timestamp}\n{nonce}\n".encode() + body + b"\n")
        if "bad_base64" in faults:
            signature = "not base64!"
        if "signtest" in faults:
            signature = "WECHATPAY/SIGNTEST/" + signature[19:]
        if "changed_body" in faults:
            body = body.replace(b'":', b'": ', 1)
        headers = {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": serial,
            "Wechatpay-Signature": signature,
            "Wechatpay-Signature-Type": SCHEME,
        }
        return ({} if "unsigned" in faults else headers), body

    def _encrypt(self, data: bytes, original_type: str, *, key: str = "") -> dict:
        nonce = secrets.token_hex(6)
        ciphertext = AESGCM((key or self.api_v3_key).encode()).encrypt(
            nonce.encode(), data, original_type.encode()
        )
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": original_type,
            "ciphertext": base64.b64encode(ciphertext).decode(),
        }

    def _offer_certificate(self, identity):
        certificate = identity.certificate
        return {
            "serial_no": identity.serial,
            "effective_time": certificate.not_valid_before_utc.isoformat(),
            "expire_time": certificate.not_valid_after_utc.isoformat(),
            "encrypt_certificate": self._encrypt(identity.certificate_pem.encode(), "certificate"),
        }

    # --- orders -----------------------------------------------------------------------------------------------

    def _create(self, kind, params):
        now = self.clock.now()
        self._check_order(kind, params, now)
        expires_at = now + timedelta(days=OPEN_DAYS)
        if "time_expire" in params:
            expires_at = min(expires_at, self._read_expiry(params))
        order = Order(
            number=params["out_trade_no"],
            fen=params["amount"]["total"],
            subject=params["description"],
            kind=kind,
            params=params | {"kind": kind},
            created_at=now,
            expires_at=expires_at,
            notify_url=params["notify_url"],
            buyer=params.get("payer", {}).get("openid", ""),
        )
        order = self.ledger.create(order, now)
        if kind == "native":
            return {"code_url": f"{self.base_url}/buyer/{order.code}"}
        if kind == "jsapi":
            return {"prepay_id": self._get_prepay_id(order)}
        return {"h5_url": f"{self.base_url}/h5/{order.code}?prepay_id={self._get_prepay_id(order)}"}

    @staticmethod
    def _get_prepay_id(order):
        return f"wx{order.created_at:%d%H%M%S}{order.code}"

    def _check_order(self, kind, params, now):
        self._check_mchid(params)
        if params.get("appid") != self.appid:
            raise ApiError(400, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配")
        amount = params.get("amount")
        total = amount.get("total") if isinstance(amount, dict) else None
        if type(total) is not int or total < 1:
            raise bad("输入源“/body/amount/total”映射到数值字段“总金额”规则校验失败")
        if amount.get("currency", "CNY") != "CNY":
            raise bad("币种不支持")
        if not isinstance(params.get("out_trade_no"), str) or not NUMBER.fullmatch(params["out_trade_no"]):
            raise bad("商户订单号格式错误")
        description = params.get("description")
        if not isinstance(description, str) or not 1 <= len(description) <= 127:
            raise bad("商品描述长度错误")
        check_notify_url(params.get("notify_url"))
        if kind == "jsapi" and params.get("payer", {}).get("openid") not in self.openids:
            raise bad("appid和openid不匹配")
        scene = params.get("scene_info", {})
        if kind == "h5" and not (scene.get("payer_client_ip") and scene.get("h5_info", {}).get("type")):
            raise bad("H5支付缺少scene_info")
        if "time_expire" in params and self._read_expiry(params) < now + MIN_EXPIRY:
            raise bad("time_expire时间过短")

    @property
    def openids(self):
        return {self.default_buyer} | {code["openid"] for code in self._oauth_codes.values()}

    @staticmethod
    def _read_expiry(params):
        text = params["time_expire"]
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", str(text)):
            raise bad("time_expire不是RFC3339格式")
        return read_time(text)

    def _describe(self, order):
        """The transaction object of query and notice."""
        state = {"unpaid": "NOTPAY", "paid": "SUCCESS", "closed": "CLOSED", "refunded": "REFUND"}[order.state]
        texts = {
            "NOTPAY": "订单未支付",
            "SUCCESS": "支付成功",
            "CLOSED": "订单已关闭",
            "REFUND": "订单发生过退款",
        }
        data = {
            "appid": self.appid,
            "mchid": self.mchid,
            "out_trade_no": order.number,
            "trade_state": state,
            "trade_state_desc": texts[state],
            "amount": {"total": order.fen, "currency": "CNY"},
            "attach": order.params.get("attach", ""),
        }
        if order.paid_at:
            data |= {
                "transaction_id": order.gateway_number,
                "trade_type": TRADE_TYPES[order.kind],
                "bank_type": "OTHERS",
                "success_time": order.paid_at.isoformat(timespec="seconds"),
                "payer": {"openid": order.buyer},
            }
            data["amount"] |= {"payer_total": order.fen, "payer_currency": "CNY"}
        return data

    # --- refunds ----------------------------------------------------------------------------------------------

    def _refund(self, params):
        now = self.clock.now()
        amount = params.get("amount") if isinstance(params.get("amount"), dict) else {}
        if any(type(amount.get(name)) is not int for name in ("refund", "total")):
            raise bad("退款金额错误")
        if amount.get("currency") != "CNY":
            raise bad("退款币种错误")
        number = params.get("out_refund_no")
        if not isinstance(number, str) or not REFUND_NUMBER.fullmatch(number):
            raise bad("商户退款单号格式错误")
        if params.get("notify_url"):
            check_notify_url(params["notify_url"])
        if params.get("transaction_id"):
            order = self.ledger.find(now, gateway_number=params["transaction_id"])
        else:
            order = self.ledger.get(str(params.get("out_trade_no")), now)
        is_new = number not in order.refunds
        refund = Refund(
            number,
            "",
            amount["refund"],
            now,
            reason=str(params.get("reason", "")),
            notify_url=params.get("notify_url", ""),
        )
        refund = self.ledger.refund(order.number, refund, now, total=amount["total"])
        if is_new:
            self.begin_settlement(order, refund)
        return self._describe_refund(order, refund)

    def _describe_refund(self, order, refund):
        data = {
            "refund_id": refund.gateway_number,
            "out_refund_no": refund.number,
            "transaction_id": order.gateway_number,
            "out_trade_no": order.number,
            "channel": "ORIGINAL",
            "user_received_account": "支付用户零钱",
            "create_time": refund.created_at.isoformat(timespec="seconds"),
            "status": REFUND_STATES[refund.state],
            "funds_account": "AVAILABLE",
            "amount": {
                "total": order.fen,
                "refund": refund.fen,
                "payer_total": order.fen,
                "payer_refund": refund.fen,
                "settlement_refund": refund.fen,
                "settlement_total": order.fen,
                "discount_refund": 0,
                "currency": "CNY",
            },
        }
        if refund.state == "success":
            data["success_time"] = refund.ended_at.isoformat(timespec="seconds")
        return data

    # --- bills ------------------------------------------------------------------------------------------------

    def _offer_bill(self, kind, query, faults):
        now = self.clock.now()
        try:
            day = datetime.strptime(query.get("bill_date", ""), "%Y-%m-%d").date()
        except ValueError:
            raise bad("账单日期格式错误") from None
        if day >= now.date() or (now.date() - day).days > 92:
            raise bad("账单日期错误：只能查询三个月内、当日以前的账单")
        if (now.date() - day).days == 1 and now.hour < BILL_HOUR and not self.options.early_bills:
            raise ApiError(400, "STATEMENT_CREATING", "账单正在生成中，请稍后再试")
        content = wechatpay_bill.build(kind, query, day, self)
        if content is None:
            raise ApiError(400, "NO_STATEMENT_EXIST", "账单文件不存在")
        return self._offer_download(content, query, faults)

    def _offer_download(self, content, query, faults):
        digest = wechatpay_bill.get_sha1(content + (b"x" if "wrong_sha1" in faults else b""))
        if query.get("tar_type") == "GZIP":
            content = wechatpay_bill.pack(content)
        elif "tar_type" in query:
            raise bad("tar_type错误")
        token = secrets.token_urlsafe(24)
        self._downloads[token] = content, time.monotonic() + DOWNLOAD_S
        url = f"{self.base_url}/v3/billdownload/file?token={token}"
        return {"hash_type": "SHA1", "hash_value": digest, "download_url": url}

    def _download_bill(self, request):
        """The request is signed like any other; the file that comes back is not."""
        try:
            self._check_authorization(request)
        except ApiError as error:
            return answer_json({"code": error.code, "message": error.message}, error.status)
        content, ends = self._downloads.get(request.query.get("token", ""), (b"", 0))
        if time.monotonic() > ends:
            return answer_json({"code": "RESOURCE_NOT_EXISTS", "message": "下载地址已失效"}, 404)
        return Response(200, content, {"Content-Type": "text/plain"})

    # --- control ----------------------------------------------------------------------------------------------

    def control_rotate_key(self, command):
        """mode: public_key or certificate. Signs with the new one at once; keep_old: false takes the old certificate
        off the list. config.json and the PEM files then hold the new one.
        """
        mode = command.get("mode", "public_key")
        with self.lock:
            if mode == "certificate":
                self.certificates.append(
                    keys.make_identity("Tenpay.com sign (simulated)", self.platform_authority)
                )
                if not command.get("keep_old", True):
                    del self.certificates[:-1]
            elif mode == "public_key":
                number = f"PUB_KEY_ID_01{self.mchid}{secrets.randbelow(10**16):016d}"
                self.public_keys.append((number, keys.make_key()))
            else:
                raise ValueError("mode is public_key or certificate")
            self.write_config()
            return {"config": self.make_config()}

    def control_notice_mode(self, command):
        """mode: public_key (at the start), certificate, both (in turns)."""
        if command["mode"] not in ("public_key", "certificate", "both"):
            raise ValueError("mode is public_key, certificate or both")
        self.notice_mode = command["mode"]

    def control_buyer(self, command):
        """openid: who pays and logs in from now on."""
        self.default_buyer = str(command["openid"])


def main():
    run(WeChatPay, "wechatpay")


if __name__ == "__main__":
    main()
