"""The stand-in of Alipay as an independent client sees it (python-alipay-sdk 3.4.0). Run in that client's environment.

    .local/independents/judge-alipay/bin/python -P tests/fakes/judge_alipay.py STATE_DIRECTORY

-P: this folder holds modules of the same names as the client. Uses nothing of ours. Ends with status 0 and the number of judgements, or with the first that failed.
"""

import csv
import io
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from alipay import AliPay, DCAliPay
from alipay.exceptions import AliPayException, AliPayValidationError

os.environ["TZ"] = "Asia/Shanghai"  # this client takes the machine's clock for Beijing's
time.tzset()

STATE = Path(sys.argv[1])
CONFIG = json.loads((STATE / "config.json").read_text())
BEIJING = timezone(timedelta(hours=8))
TODAY = datetime.now(BEIJING).date()
YESTERDAY = TODAY - timedelta(days=1)
judged = 0


def check(is_right: bool, what: str) -> None:
    global judged
    if not is_right:
        sys.exit(f"judge_alipay: {what}")
    judged += 1


def control(**command) -> dict:
    request = urllib.request.Request(
        CONFIG["base_url"] + "/_control",
        json.dumps(command).encode(),
        {"X-Control-Token": CONFIG["control_token"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


class Merchant(BaseHTTPRequestHandler):
    """Takes notices and the payer who comes back."""

    received: list = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.received.append(dict(urllib.parse.parse_qsl(body, keep_blank_values=True)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"success")

    def do_GET(self):
        query = urllib.parse.urlsplit(self.path).query
        self.received.append({"came": "back"} | dict(urllib.parse.parse_qsl(query)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def make_client(*, by_certificate: bool):
    common = {"appid": CONFIG["app_id"], "app_private_key_string": CONFIG["app_private_key"]}
    if by_certificate:
        client = DCAliPay(
            app_public_key_cert_string=CONFIG["app_certificate"],
            alipay_public_key_cert_string=CONFIG["alipay_certificate"],
            alipay_root_cert_string=CONFIG["alipay_root_certificate"],
            **common,
        )
    else:
        client = AliPay(alipay_public_key_string=CONFIG["alipay_public_key"], **common)
    client._gateway = CONFIG["gateway_url"]  # built in; nothing else is changed
    return client


def refuses(call, *words) -> bool:
    try:
        answer = call()
    except (AliPayException, AliPayValidationError) as error:
        answer = repr(error)
    return all(word in json.dumps(answer, ensure_ascii=False) for word in words)


def judge_numbers(client):
    check(client.app_cert_sn == CONFIG["app_cert_sn"], "the application certificate's number")
    check(client.alipay_root_cert_sn == CONFIG["alipay_root_cert_sn"], "the root file's number")


def judge_qr(client, mark, notify_url):
    number = f"JUDGE_{mark}_1"
    ask = {"out_trade_no": number, "subject": "预存电费", "notify_url": notify_url}
    answer = client.api_alipay_trade_precreate(total_amount="12.34", **ask)
    check(answer["code"] == "10000" and answer["qr_code"].startswith("http"), "precreate has a qr_code")
    check(
        client.api_alipay_trade_precreate(total_amount="12.34", **ask) == answer,
        "the same order again is the same",
    )
    differs = client.api_alipay_trade_precreate(total_amount="12.35", **ask)
    check(differs["sub_code"] == "ACQ.CONTEXT_INCONSISTENT", "another amount is refused")
    query = client.api_alipay_trade_query(out_trade_no=number)
    check(query["sub_code"] == "ACQ.TRADE_NOT_EXIST", "before the payer acts there is no trade")
    with urllib.request.urlopen(answer["qr_code"], timeout=10) as page:
        text = page.read().decode()
    check("支付" in text and "模拟" in text, "the payer's page says what it is")
    check(
        client.api_alipay_trade_query(number)["trade_status"] == "WAIT_BUYER_PAY", "scanned is WAIT_BUYER_PAY"
    )
    control(action="pay", out_trade_no=number)
    query = client.api_alipay_trade_query(number)
    check((query["trade_status"], query["total_amount"]) == ("TRADE_SUCCESS", "12.34"), "paid")
    check(client.api_alipay_trade_query(trade_no=query["trade_no"]) == query, "found by Alipay's number too")
    check(client.api_alipay_trade_close(number)["sub_code"] == "ACQ.TRADE_STATUS_ERROR", "paid is not closed")
    return number


def judge_page(client, mark, notify_url, return_url):
    number = f"JUDGE_{mark}_2"
    for ask in (client.api_alipay_trade_page_pay, client.api_alipay_trade_wap_pay):
        text = ask(
            "预存水费", f"{number}{ask.__name__[17]}", "0.50", return_url=return_url, notify_url=notify_url
        )
        with urllib.request.urlopen(f"{CONFIG['gateway_url']}?{text}", timeout=10) as response:
            page = response.read().decode()
        check("¥0.50" in page and "支付" in page, "the cashier shows the amount")
        action = page.split('action="')[1].split('"')[0]
        with urllib.request.urlopen(CONFIG["base_url"] + action, data=b"pay=", timeout=10) as response:
            check(response.status == 200, "the payer comes back to the merchant")
    back = next(dict(item) for item in Merchant.received if item.get("came"))
    del back["came"]
    signature = back.pop("sign")
    check("trade_status" not in back, "coming back proves nothing")
    check(client.verify(dict(back), signature), "the way back is signed")
    check(not client.verify(back | {"total_amount": "5.00"}, signature), "all of it")
    text = client.api_alipay_trade_page_pay("预存水费", f"{number}x", "0.5", return_url=return_url)
    with urllib.request.urlopen(
        f"{CONFIG['gateway_url']}?{text[:-9]}{text[-9:].swapcase()}", timeout=10
    ) as bad:
        check("isv.invalid-signature" in bad.read().decode(), "a spoilt signature is refused")


def judge_refunds(client, number):
    def refund(name, yuan):
        return client.api_alipay_trade_refund(yuan, out_trade_no=number, out_request_no=name)

    first = refund(f"{number}R1", "10.00")
    check((first["fund_change"], first["refund_fee"]) == ("Y", "10.00"), "a refund moves money")
    check(refund(f"{number}R1", "10.00")["fund_change"] == "N", "the same number moves none")
    check(refund(f"{number}R1", "9.00")["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST", "with another amount")
    check(refund(f"{number}R2", "2.35")["sub_code"] == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "more than is left")
    query = client.api_alipay_trade_fastpay_refund_query(f"{number}R1", out_trade_no=number)
    check((query["refund_status"], query["refund_amount"]) == ("REFUND_SUCCESS", "10.00"), "refund query")
    query = client.api_alipay_trade_fastpay_refund_query("nobody", out_trade_no=number)
    check(query["code"] == "10000" and "refund_status" not in query, "10000 is no refund")
    check(client.api_alipay_trade_query(number)["trade_status"] == "TRADE_SUCCESS", "still TRADE_SUCCESS")
    refund(f"{number}R3", "2.34")
    check(
        client.api_alipay_trade_query(number)["trade_status"] == "TRADE_CLOSED", "wholly returned is closed"
    )


def judge_notices(client, number):
    def read(status):
        for form in list(Merchant.received):
            data = dict(form)
            signature = data.pop("sign")
            if (
                data["out_trade_no"] == number
                and data["trade_status"] == status
                and client.verify(data, signature)
            ):
                return form
        return None

    wait_for(lambda: read("TRADE_SUCCESS"), "the payment's notice verifies")
    check(read("TRADE_SUCCESS")["total_amount"] == "12.34", "and holds the amount")
    check(read("TRADE_SUCCESS")["seller_id"] == CONFIG["seller_id"], "and the seller")
    wait_for(lambda: read("TRADE_CLOSED"), "the refund's notice verifies")
    check(read("TRADE_CLOSED")["out_biz_no"] == f"{number}R3", "and names the refund")
    notice = control(action="make_notice", out_trade_no=number, faults={"wrong_signature": {}})["notice"]
    form = dict(urllib.parse.parse_qsl(notice["body"]))
    check(not client.verify(form, form.pop("sign")), "a wrong signature is wrong to the client too")


def judge_bills(client, mark):
    number = f"JUDGE_{mark}_9"
    client.api_alipay_trade_precreate("预存电费", number, "100.00")
    control(action="pay", out_trade_no=number, at=f"{YESTERDAY}T12:00:00", notify=False)

    def ask(kind, day):
        content = {"bill_type": kind, "bill_date": day.isoformat()}
        return client.server_api("alipay.data.dataservice.bill.downloadurl.query", content)

    for kind, word in (("trade", "业务明细"), ("signcustomer", "账务明细")):
        with urllib.request.urlopen(ask(kind, YESTERDAY)["bill_download_url"], timeout=10) as response:
            archive = zipfile.ZipFile(io.BytesIO(response.read()), metadata_encoding="gbk")
        name = next(name for name in archive.namelist() if word in name and "汇总" not in name)
        lines = archive.read(name).decode("gbk").splitlines()
        check(lines[0].startswith("#支付宝") and not lines[4].startswith("#"), "the header is line 5")
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        check(any(row["商户订单号"].strip() == number for row in rows), "it holds the payment")
    for day in (TODAY, YESTERDAY - timedelta(days=9)):
        check(ask("trade", day)["sub_code"] == "isp.bill_not_exist", "no bill of today or of an empty day")


def judge_faults(client, number):
    for kind in ("wrong_signature", "changed_body", "unsigned"):
        control(action="fault", kind=kind)
        check(refuses(lambda: client.api_alipay_trade_query(number), "Ali"), f"{kind} is noticed")
    check(client.api_alipay_trade_query(number)["code"] == "10000", "a fault is used up")


def wait_for(question, what, seconds=10):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if question():
            return check(True, what)
        time.sleep(0.05)
    return check(False, what)


def judge(address, mark, *, by_certificate):
    Merchant.received.clear()
    client = make_client(by_certificate=by_certificate)
    if by_certificate:
        judge_numbers(client)
    judge_page(client, mark, f"{address}/notify", f"{address}/return")
    Merchant.received.clear()
    number = judge_qr(client, mark, f"{address}/notify")
    judge_refunds(client, number)
    judge_notices(client, number)
    judge_bills(client, mark)
    judge_faults(client, number)


def main():
    merchant = HTTPServer(("127.0.0.1", 0), Merchant)
    threading.Thread(target=merchant.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{merchant.server_address[1]}"
    judge(address, "K", by_certificate=False)
    judge(address, "C", by_certificate=True)
    print(f"judge_alipay: {judged} judgements, all in favour")  # noqa: T201


if __name__ == "__main__":
    main()
