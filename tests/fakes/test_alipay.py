"""The stand-in of Alipay over HTTP: refusals, faults, notices, pages, bills."""

import gzip
import io
import json
import zipfile
import zlib
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from .merchant import AlipayMerchant, Inbox, send, wait_for
from .process import ControlError, FakeProcess
from .server import BEIJING

YESTERDAY = (datetime.now(BEIJING) - timedelta(days=1)).date()
BILL = "alipay.data.dataservice.bill.downloadurl.query"


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    with FakeProcess(
        "alipay", tmp_path_factory.mktemp("alipay"), "--early-bills", "--retry-scale", "0.0005"
    ) as process:
        yield process


@pytest.fixture(autouse=True)
def _clean(fake):
    yield
    for action in ("clear_faults", "clock", "clear_bill_edits"):
        fake.control(action)


@pytest.fixture
def inbox():
    with Inbox((200, b"success")) as server:
        yield server


@pytest.fixture
def merchant(fake, inbox):
    return AlipayMerchant(fake, inbox.url)


@pytest.fixture
def number(request):
    """An order number of this test's own."""
    return f"T{zlib.crc32(request.node.name.encode()):010d}"


@pytest.mark.parametrize(
    ("params", "sub_code"),
    [
        ({"app_id": "2021"}, "isv.invalid-app-id"),
        ({"sign_type": "RSA"}, "isv.invalid-signature-type"),
        ({"timestamp": "2026-11-20T12:00:00"}, "isv.invalid-timestamp"),
        (
            {"timestamp": f"{datetime.now(BEIJING) - timedelta(hours=8):%Y-%m-%d %H:%M:%S}"},
            "isv.invalid-timestamp",
        ),
        ({"app_cert_sn": "0" * 32}, "isv.invalid-cert-sn"),
        ({"_late": {"biz_content": "{}"}}, "isv.invalid-signature"),
        ({"_late": {"notify_url": "http://127.0.0.1/other"}}, "isv.invalid-signature"),
    ],
)
def test_a_request_that_breaks_the_protocol_gets_an_unsigned_error(merchant, params, sub_code):
    answer = json.loads(merchant.send("alipay.trade.query", {"out_trade_no": "A1"}, **params))
    assert answer["error_response"]["sub_code"] == sub_code
    assert "sign" not in answer


@pytest.mark.parametrize(
    "values",
    [
        {"total_amount": "0.00"},
        {"total_amount": "1.234"},
        {"total_amount": "NaN"},
        {"total_amount": "100000000.01"},
        {"out_trade_no": "with-hyphen"},
        {"subject": "a=b"},
        {"product_code": "QUICK_WAP_WAY"},
        {"time_expire": "2020-01-01 00:00:00"},
    ],
)
def test_an_order_that_breaks_a_rule_is_refused(merchant, number, values):
    assert merchant.order(number, **values)["sub_code"] == "ACQ.INVALID_PARAMETER"


def test_a_qr_order_is_a_trade_once_it_is_scanned_and_can_be_closed_then(fake, merchant, number):
    merchant.order(number)
    close = ("alipay.trade.close", {"out_trade_no": number})
    assert merchant.call(*close)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    fake.control("scan", out_trade_no=number)
    assert merchant.query(number)["trade_status"] == "WAIT_BUYER_PAY"
    assert merchant.call(*close)["code"] == "10000"
    assert merchant.query(number)["trade_status"] == "TRADE_CLOSED"
    assert merchant.order(number)["sub_code"] == "ACQ.TRADE_HAS_CLOSE"


def test_the_payer_comes_too_late(fake, merchant, number):
    ends = datetime.now(BEIJING) + timedelta(minutes=5)
    merchant.order(number, time_expire=f"{ends:%Y-%m-%d %H:%M:%S}")
    merchant.order(f"{number}b", timeout_express="5m")
    fake.control("scan", out_trade_no=f"{number}b")
    fake.control("clock", offset_s=301)
    for name in (number, f"{number}b"):
        with pytest.raises(ControlError, match="closed"):
            fake.control("pay", out_trade_no=name)
    assert merchant.query(number)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert merchant.query(f"{number}b")["trade_status"] == "TRADE_CLOSED"


@pytest.mark.parametrize("kind", ["wrong_signature", "bad_base64", "changed_body"])
def test_a_spoilt_answer_does_not_verify_once(fake, merchant, number, kind):
    merchant.order(number)
    fake.control("fault", kind=kind)
    assert merchant.query(number) == {}
    assert merchant.query(number)["code"] == "40004"


def test_other_faults_of_answers(fake, merchant, number):
    merchant.order(number)
    fake.control("pay", out_trade_no=number, notify=False)
    fake.control("fault", kind="unsigned", match="alipay.trade.query")
    assert "sign" not in json.loads(merchant.send("alipay.trade.query", {"out_trade_no": number}))
    fake.control("fault", kind="wrong_amount")
    assert merchant.query(number)["total_amount"] == "10.01"
    fake.control("fault", kind="error", code="ACQ.SYSTEM_ERROR")
    assert merchant.query(number)["sub_code"] == "ACQ.SYSTEM_ERROR"
    fake.control("fault", kind="oversize", bytes=3_000_000)
    assert len(merchant.send("alipay.trade.query", {"out_trade_no": number})) > 3_000_000
    fake.control("fault", kind="gzip_bomb", bytes=3_000_000)
    raw = merchant.send("alipay.trade.query", {"out_trade_no": number})
    assert len(raw) < 10_000 < len(gzip.decompress(raw))


def test_the_certificate_that_signs_is_named_and_can_be_fetched(fake, merchant, number):
    config = fake.config
    both = {"app_cert_sn": config["app_cert_sn"], "alipay_root_cert_sn": config["alipay_root_cert_sn"]}
    answer = json.loads(merchant.send("alipay.trade.query", {"out_trade_no": number}, **both))
    assert answer["alipay_cert_sn"] == config["alipay_cert_sn"]
    fake.control("rotate_key", mode="certificate")
    answer = json.loads(merchant.send("alipay.trade.query", {"out_trade_no": number}, **both))
    assert answer["alipay_cert_sn"] == fake.config["alipay_cert_sn"] != config["alipay_cert_sn"]
    ask = {"alipay_cert_sn": fake.config["alipay_cert_sn"]}
    assert merchant.call("alipay.open.app.alipaycert.download", ask)["alipay_cert_content"]
    fake.control("rotate_key", mode="public_key")
    assert merchant.query(number)["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def read(body: bytes) -> dict:
    return dict(parse_qsl(body.decode()))


def test_a_notice_is_sent_again_until_the_answer_is_exactly_success(fake, merchant, inbox, number):
    inbox.answers = [(200, b"success\n"), (200, b"SUCCESS"), (500, b"success")]
    merchant.order(number)
    fake.control("pay", out_trade_no=number)
    notices = inbox.wait(4)
    assert len({read(body)["notify_id"] for _headers, body in notices}) == 1
    wait_for(lambda: fake.control("notices")["notices"][-1]["done"])
    assert len(inbox.received) == 4


@pytest.mark.parametrize(
    "kind", ["wrong_signature", "bad_base64", "unsigned", "changed_body", "unknown_serial", "twice"]
)
def test_a_spoilt_notice_does_not_verify(fake, merchant, number, kind):
    merchant.order(number)
    fake.control("pay", out_trade_no=number, notify=False)
    notice = fake.control("make_notice", out_trade_no=number, faults={kind: {}})["notice"]
    assert not merchant.is_genuine(notice["body"].encode())
    changes = {"app_id": "2021", "seller_id": "2088", "total_amount": "0.01"}
    notice = fake.control("make_notice", out_trade_no=number, set=changes)["notice"]
    assert merchant.is_genuine(notice["body"].encode())
    assert read(notice["body"].encode()).items() >= changes.items()


def test_notices_of_partial_and_full_refunds_and_of_the_end(fake, merchant, inbox, number):
    merchant.order(number)
    fake.control("pay", out_trade_no=number, notify=False)
    for name, yuan in (("a", "4.00"), ("b", "6.00")):
        values = {"out_trade_no": number, "refund_amount": yuan, "out_request_no": f"{number}{name}"}
        assert merchant.call("alipay.trade.refund", values)["fund_change"] == "Y"
        inbox.wait(1 if name == "a" else 2)
    found = [read(body) for _headers, body in inbox.received]
    assert [(form["trade_status"], form["refund_fee"]) for form in found] == [
        ("TRADE_SUCCESS", "4.00"),
        ("TRADE_CLOSED", "10.00"),
    ]
    merchant.order(f"{number}f")
    fake.control("pay", out_trade_no=f"{number}f", notify=False)
    fake.control("finish", out_trade_no=f"{number}f")
    assert read(inbox.wait(3)[2][1])["trade_status"] == "TRADE_FINISHED"
    values = {"out_trade_no": f"{number}f", "refund_amount": "1.00", "out_request_no": "x"}
    assert merchant.call("alipay.trade.refund", values)["sub_code"] == "ACQ.TRADE_HAS_FINISHED"


def test_a_refund_that_stays_open_or_is_refused(fake, merchant, number):
    merchant.order(number)
    fake.control("pay", out_trade_no=number, notify=False)
    values = {"out_trade_no": number, "refund_amount": "1.00", "out_request_no": "h"}
    fake.control("refund_outcome", outcome="hold")
    assert merchant.call("alipay.trade.refund", values)["fund_change"] == "N"
    ask = ("alipay.trade.fastpay.refund.query", {"out_trade_no": number, "out_request_no": "h"})
    assert "refund_status" not in merchant.call(*ask)
    fake.control("refund_outcome", outcome="success", out_refund_no="h")
    assert merchant.call(*ask)["refund_status"] == "REFUND_SUCCESS"
    fake.control("refund_outcome", outcome="closed")
    values["out_request_no"] = "n"
    assert merchant.call("alipay.trade.refund", values)["sub_code"] == "ACQ.SELLER_BALANCE_NOT_ENOUGH"


def test_the_payer_may_be_faster_than_the_close(fake, merchant, number):
    for name in ("a", "b"):
        merchant.order(number + name)
        fake.control("scan", out_trade_no=number + name)
    fake.control("fault", kind="pay_before_close")
    answer = merchant.call("alipay.trade.close", {"out_trade_no": f"{number}a"})
    assert answer["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    fake.control("fault", kind="pay_after_close")
    assert merchant.call("alipay.trade.close", {"out_trade_no": f"{number}b"})["code"] == "10000"
    wait_for(lambda: merchant.query(f"{number}b")["trade_status"] == "TRADE_SUCCESS")


@pytest.mark.parametrize(
    ("method", "product"),
    [("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"), ("alipay.trade.wap.pay", "QUICK_WAP_WAY")],
)
def test_a_newcomer_pays_at_the_cashier_and_comes_back(fake, merchant, inbox, number, method, product):
    content = {
        "out_trade_no": number,
        "total_amount": "10.00",
        "subject": "预存水费",
        "product_code": product,
    }
    page = merchant.send(method, content, return_url="http://127.0.0.1/back?a=1").decode()
    assert "这是模拟的支付宝" in page
    assert "¥10.00" in page
    assert ">支付</button>" in page
    assert merchant.query(number)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    target = page.split('action="')[1].split('"')[0]
    status, headers, _body = send(fake.config["base_url"], "POST", target)
    back = urlsplit(headers["Location"])
    values = dict(parse_qsl(back.query))
    assert (status, back.path, values.pop("a")) == (303, "/back", "1")
    assert (values["out_trade_no"], values["total_amount"]) == (number, "10.00")
    assert "trade_status" not in values
    assert merchant.is_genuine(inbox.wait(1)[0][1])
    assert send(fake.config["base_url"], "POST", target)[0] == 409


def test_a_spoilt_form_shows_no_cashier(merchant, number):
    content = {"out_trade_no": number, "total_amount": "10.00", "subject": "s"}
    content["product_code"] = "FAST_INSTANT_TRADE_PAY"
    page = merchant.send("alipay.trade.page.pay", content, _late={"return_url": "http://127.0.0.1/evil"})
    assert b"isv.invalid-signature" in page
    assert b"button" not in page


def fetch_bill(merchant) -> zipfile.ZipFile:
    url = merchant.call(BILL, {"bill_type": "trade", "bill_date": YESTERDAY.isoformat()})["bill_download_url"]
    target = url.removeprefix(merchant.config["base_url"])
    raw = send(merchant.config["base_url"], "GET", target)[2]
    return zipfile.ZipFile(io.BytesIO(raw), metadata_encoding="gbk")


def test_planted_differences_are_in_the_bill_and_nowhere_else(fake, merchant, number):
    for name in ("a", "b"):
        merchant.order(number + name)
        fake.control("pay", out_trade_no=number + name, at=f"{YESTERDAY}T00:00:00", notify=False)

    def read_bill():
        archive = fetch_bill(merchant)
        return archive.read(next(name for name in archive.namelist() if "汇总" not in name)).decode("gbk")

    text = read_bill()
    assert all(text.count(f"{number}{name}\t") == 1 for name in "ab")
    day = YESTERDAY.isoformat()
    fake.control("bill_edit", date=day, op="drop", number=f"{number}a")
    fake.control("bill_edit", date=day, op="amount", number=f"{number}b", fen=999)
    fake.control("bill_edit", date=day, op="extra", values={"number": "EXTRA1"})
    text = read_bill()
    assert f"{number}a" not in text
    assert "9.99\t" in next(line for line in text.splitlines() if f"{number}b" in line)
    assert "EXTRA1\t" in text
    fake.control("bill_edit", date=day, op="traversal")
    assert all(name.startswith("../") for name in fetch_bill(merchant).namelist())
    assert merchant.query(f"{number}b")["total_amount"] == "10.00"
