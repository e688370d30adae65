"""The stand-in of WeChat Pay as an independent client sees it (wechatpayv3 2.0.4). Run in that client's environment.

    .local/independents/judge-wechatpay/bin/python -P tests/fakes/judge_wechatpay.py STATE_DIRECTORY

-P: this folder holds modules of the same names as the client. Uses nothing of ours. Ends with status 0 and the number of judgements, or with the first that failed.
"""

import gzip
import hashlib
import json
import sys
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core

STATE = Path(sys.argv[1])
CONFIG = json.loads((STATE / "config.json").read_text())
BEIJING = timezone(timedelta(hours=8))
TODAY = datetime.now(BEIJING).date()
YESTERDAY = TODAY - timedelta(days=1)
judged = 0


def check(is_right: bool, what: str) -> None:
    global judged
    if not is_right:
        sys.exit(f"judge_wechatpay: {what}")
    judged += 1


def control(**command) -> dict:
    request = urllib.request.Request(
        CONFIG["base_url"] + "/_control",
        json.dumps(command).encode(),
        {"X-Control-Token": CONFIG["control_token"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


class Gateway(Core):
    """The client has its address built in; only that is changed."""

    def __setattr__(self, name, value):
        super().__setattr__(name, CONFIG["base_url"] if name == "_gate_way" else value)


class Merchant(BaseHTTPRequestHandler):
    received: list = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def make_client(notify_url: str, *, by_certificate: bool) -> WeChatPay:
    import wechatpayv3.core

    wechatpayv3.core.Core = Gateway
    keys = {}
    if not by_certificate:
        keys = {"public_key": CONFIG["public_key"], "public_key_id": CONFIG["public_key_id"]}
    return WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=CONFIG["mchid"],
        private_key=CONFIG["merchant_private_key"],
        cert_serial_no=CONFIG["merchant_serial"],
        appid=CONFIG["appid"],
        apiv3_key=CONFIG["api_v3_key"],
        notify_url=notify_url,
        timeout=(5, 10),
        **keys,
    )


def order(client, number, fen=1234, kind=None, **values):
    code, text = client.pay(
        description="预存电费",
        out_trade_no=number,
        amount={"total": fen, "currency": "CNY"},
        pay_type=kind,
        **values,
    )
    return code, json.loads(text)


def judge_orders(client, mark):
    number = f"JUDGE{mark}0001"
    code, answer = order(client, number)
    check(code == 200 and answer["code_url"].startswith("http"), "a native order has a code_url")
    check(order(client, number) == (code, answer), "the same order again is the same")
    code, answer = order(client, number, fen=99)
    check(
        (code, answer["code"]) == (400, "INVALID_REQUEST"), "another amount under the same number is refused"
    )
    code, text = client.query(out_trade_no=number)
    check(code == 200 and json.loads(text)["trade_state"] == "NOTPAY", "unpaid is NOTPAY")
    control(action="pay", out_trade_no=number)
    code, text = client.query(out_trade_no=number)
    paid = json.loads(text)
    check(paid["trade_state"] == "SUCCESS" and paid["amount"]["total"] == 1234, "paid is SUCCESS")
    check(client.query(transaction_id=paid["transaction_id"])[0] == 200, "found by WeChat Pay's number too")
    code, text = client.close(number)
    check((code, json.loads(text)["code"]) == (400, "ORDER_PAID"), "a paid order is not closed")
    check(client.query(out_trade_no="NOBODYKNOWSIT")[0] == 404, "an unknown order is 404")
    return number


def judge_other_kinds(client, mark):
    payer = {"openid": CONFIG["openid"]}
    code, answer = order(client, f"JUDGE{mark}0002", kind=WeChatPayType.JSAPI, payer=payer)
    check(code == 200 and answer["prepay_id"].startswith("wx"), "a JSAPI order has a prepay_id")
    scene = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
    code, answer = order(client, f"JUDGE{mark}0003", kind=WeChatPayType.H5, scene_info=scene)
    check(code == 200 and "/h5/" in answer["h5_url"], "an H5 order has an h5_url")
    check(client.close(f"JUDGE{mark}0003")[0] == 204, "an unpaid order closes with 204")
    check(client.close(f"JUDGE{mark}0003")[0] == 204, "and closes again")
    code, text = client.query(out_trade_no=f"JUDGE{mark}0003")
    check(json.loads(text)["trade_state"] == "CLOSED", "closed is CLOSED")


def judge_refunds(client, number):
    def refund(name, fen, total=1234):
        amount = {"refund": fen, "total": total, "currency": "CNY"}
        code, text = client.refund(out_refund_no=name, amount=amount, out_trade_no=number)
        return code, json.loads(text)

    code, first = refund(f"R{number}1", 1000)
    check(code == 200 and first["status"] == "PROCESSING", "a refund begins")
    code, again = refund(f"R{number}1", 1000)
    check(again["refund_id"] == first["refund_id"], "the same number is the same refund")
    check(refund(f"R{number}1", 999)[0] == 400, "the same number with another amount is refused")
    check(refund(f"R{number}2", 235)[0] == 400, "more than what is left is refused")
    check(refund(f"R{number}3", 10, total=1)[0] == 400, "another total is refused")
    wait_for(
        lambda: json.loads(client.query_refund(f"R{number}1")[1])["status"] == "SUCCESS", "the refund ends"
    )
    code, text = client.query(out_trade_no=number)
    check(json.loads(text)["trade_state"] == "REFUND", "a refunded order is in REFUND")


def judge_notices(client, number):
    def read(kind):
        for headers, body in list(Merchant.received):
            data = client.callback(headers, body)
            if data and data["event_type"] == kind and number in data["resource"]["out_trade_no"]:
                return data["resource"]
        return None

    wait_for(lambda: read("TRANSACTION.SUCCESS"), "the payment's notice verifies and decrypts")
    check(read("TRANSACTION.SUCCESS")["amount"]["total"] == 1234, "and holds the amount")
    wait_for(lambda: read("REFUND.SUCCESS"), "the refund's notice verifies and decrypts")
    check(read("REFUND.SUCCESS")["amount"]["refund"] == 1000, "and holds the refund's amount")
    notice = control(action="make_notice", out_trade_no=number, faults={"wrong_signature": {}})["notice"]
    check(
        not client.callback(notice["headers"], notice["body"]), "a wrong signature is wrong to the client too"
    )


def judge_bills(client, mark):
    number = f"JUDGE{mark}0009"
    order(client, number, fen=10000)
    control(action="pay", out_trade_no=number, at=f"{YESTERDAY}T12:00:00", notify=False)
    for ask, tar in ((client.trade_bill, "GZIP"), (client.trade_bill, None), (client.fundflow_bill, "GZIP")):
        code, text = (
            ask(YESTERDAY.isoformat(), tar_type=tar) if tar else ask(YESTERDAY.isoformat(), tar_type="GZIP")
        )
        check(code == 200, f"a bill is offered: {text}")
        answer = json.loads(text)
        code, content = client.download_bill_unsigned(answer["download_url"])
        content = gzip.decompress(content)
        check(
            code == 200 and hashlib.sha1(content, usedforsecurity=False).hexdigest() == answer["hash_value"],
            "its checksum fits",
        )
        check(number in content.decode() and "`" in content.decode(), "it holds the payment")
    code, text = client.trade_bill((YESTERDAY - timedelta(days=9)).isoformat())
    check(json.loads(text)["code"] == "NO_STATEMENT_EXIST", "a day without movement has no bill")
    code, text = client.trade_bill(TODAY.isoformat())
    check(code == 400, "today has no bill")


def judge_faults(client, mark):
    order(client, f"JUDGE{mark}0010")
    for kind in ("wrong_signature", "unsigned", "changed_body"):
        control(action="fault", kind=kind)
        check(is_refused(lambda: client.query(out_trade_no=f"JUDGE{mark}0010")), f"{kind} is noticed")
    check(client.query(out_trade_no=f"JUDGE{mark}0010")[0] == 200, "a fault is used up")


def is_refused(call) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - the client raises plain Exception
        return True
    return False


def wait_for(question, what, seconds=10):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if question():
            return check(True, what)
        time.sleep(0.05)
    return check(False, what)


def download_bill_unsigned(self, url):
    """The answer of a download carries no signature."""
    return self._core.request(url[len(CONFIG["base_url"]) :], skip_verify=True)


WeChatPay.download_bill_unsigned = download_bill_unsigned


def judge(notify_url, mark, *, by_certificate):
    control(action="notice_mode", mode="certificate" if by_certificate else "public_key")
    Merchant.received.clear()
    client = make_client(notify_url, by_certificate=by_certificate)
    number = judge_orders(client, mark)
    judge_other_kinds(client, mark)
    judge_refunds(client, number)
    judge_notices(client, number)
    judge_bills(client, mark)
    judge_faults(client, mark)


def main():
    merchant = HTTPServer(("127.0.0.1", 0), Merchant)
    threading.Thread(target=merchant.serve_forever, daemon=True).start()
    notify_url = f"http://127.0.0.1:{merchant.server_address[1]}/notify"
    judge(notify_url, "K", by_certificate=False)
    judge(notify_url, "C", by_certificate=True)
    print(f"judge_wechatpay: {judged} judgements, all in favour")  # noqa: T201


if __name__ == "__main__":
    main()
