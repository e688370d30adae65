"""The stand-in of WeChat Pay over HTTP: refusals, faults, notices, pages, bills."""

import gzip
import json
import zlib
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from . import keys
from .merchant import Inbox, WeChatMerchant, send, wait_for
from .process import ControlError, FakeProcess
from .server import BEIJING

YESTERDAY = (datetime.now(BEIJING) - timedelta(days=1)).date()


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    options = ("--early-bills", "--retry-scale", "0.01", "--refund-delay", "0.05")
    with FakeProcess("wechatpay", tmp_path_factory.mktemp("wechatpay"), *options) as process:
        yield process


@pytest.fixture(autouse=True)
def _clean(fake):
    yield
    for action in ("clear_faults", "clock", "clear_bill_edits"):
        fake.control(action)
    fake.control("notice_mode", mode="public_key")


@pytest.fixture
def inbox():
    with Inbox((204, b"")) as server:
        yield server


@pytest.fixture
def merchant(fake, inbox):
    return WeChatMerchant(fake, inbox.url)


@pytest.fixture
def number(request):
    """An order number of this test's own."""
    return f"T{zlib.crc32(request.node.name.encode()):010d}"


@pytest.mark.parametrize("spoil", ["body", "timestamp", "key", "serial"])
def test_a_request_that_is_not_signed_exactly_is_refused(merchant, number, spoil):
    status, _headers, body = merchant.send("GET", merchant.get_path(number), spoil=spoil)
    assert (status, json.loads(body)["code"]) == (401, "SIGN_ERROR")


@pytest.mark.parametrize(
    "values",
    [
        {"amount": {"total": 0}},
        {"amount": {"total": 1.5}},
        {"amount": {"total": "1"}},
        {"amount": {"total": True}},
        {"amount": {"total": 1, "currency": "USD"}},
        {"out_trade_no": "short"},
        {"out_trade_no": "with space"},
        {"description": "x" * 128},
        {"notify_url": "http://127.0.0.1/notify?a=1"},
        {"time_expire": "2026-11-20 12:00:00"},
        {"time_expire": "2020-01-01T00:00:00+08:00"},
        {"mchid": "1"},
        {"appid": "wx1"},
    ],
)
def test_an_order_that_breaks_a_rule_is_refused(merchant, number, values):
    status, answer = merchant.order(number, **values)
    assert status == 400
    assert answer["code"] in ("PARAM_ERROR", "APPID_MCHID_NOT_MATCH")


def test_jsapi_wants_an_openid_of_this_app_and_h5_the_payers_address(merchant, number):
    assert merchant.order(number, "jsapi", payer={"openid": "stranger"})[0] == 400
    assert merchant.order(number, "h5")[0] == 400


def test_the_control_channel_wants_its_token(fake):
    for headers in ({}, {"X-Control-Token": "no"}, {"X-Control-Token": "\xe4"}):
        assert send(fake.config["base_url"], "POST", "/_control", b"{}", headers)[0] == 403


def test_the_state_directory_is_for_its_owner_only(fake):
    for name in ("config.json", "merchant_private_key.pem", "ready.json"):
        assert (fake.directory / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "kind", ["wrong_signature", "bad_base64", "unsigned", "changed_body", "unknown_serial", "timestamp"]
)
def test_a_spoilt_answer_does_not_verify_once(fake, merchant, number, kind):
    merchant.order(number)
    fake.control("fault", kind=kind, seconds=-301)
    path = f"{merchant.get_path(number)}?mchid={merchant.config['mchid']}"
    _status, headers, body = merchant.send("GET", path)
    assert not merchant.is_genuine(headers, body)
    assert merchant.query(number)[0] == 200


def test_faults_of_transport(fake, merchant, number):
    merchant.order(number)
    path = f"{merchant.get_path(number)}?mchid={merchant.config['mchid']}"
    fake.control("fault", kind="status", status=503)
    assert merchant.send("GET", path)[0] == 503
    fake.control("fault", kind="redirect")
    status, headers, _body = merchant.send("GET", path)
    assert (status, headers["Location"]) == (302, f"{merchant.config['base_url']}/elsewhere")
    fake.control("fault", kind="oversize", bytes=3_000_000)
    _status, headers, body = merchant.send("GET", path)
    assert len(body) > 3_000_000
    assert merchant.is_genuine(headers, body)
    fake.control("fault", kind="gzip_bomb", bytes=3_000_000)
    _status, headers, body = merchant.send("GET", path)
    assert headers["Content-Encoding"] == "gzip"
    assert len(body) < 10_000 < 3_000_000 < len(gzip.decompress(body))


def test_an_answer_may_get_lost_after_the_order_was_taken(fake, merchant, number):
    fake.control("fault", kind="drop")
    with pytest.raises(OSError):  # noqa: PT011 - RemoteDisconnected is one
        merchant.order(number)
    assert merchant.query(number)[1]["trade_state"] == "NOTPAY"
    fake.control("fault", kind="drop", before=True)
    with pytest.raises(OSError):  # noqa: PT011
        merchant.order(f"{number}b")
    assert merchant.query(f"{number}b")[0] == 404


def test_a_signed_lie_is_genuine(fake, merchant, number):
    merchant.order(number)
    fake.control("fault", kind="wrong_amount")
    assert merchant.query(number)[1]["amount"]["total"] == 1001
    fake.control("fault", kind="set", values={"mchid": "1900000000", "amount.currency": None})
    answer = merchant.query(number)[1]
    assert answer["mchid"] == "1900000000"
    assert "currency" not in answer["amount"]
    fake.control("fault", kind="error", status=403, code="NOT_ENOUGH")
    assert merchant.query(number)[1]["code"] == "NOT_ENOUGH"


def test_a_notice_is_sent_again_until_it_is_taken(fake, merchant, inbox, number):
    inbox.answers = [(500, b""), (404, b"")]
    merchant.order(number)
    fake.control("pay", out_trade_no=number)
    notices = inbox.wait(3)
    assert {merchant.read_notice(*notice)["out_trade_no"] for notice in notices} == {number}
    assert len({json.loads(body)["id"] for _headers, body in notices}) == 1
    wait_for(lambda: fake.control("notices")["notices"][-1]["done"])


def test_notices_are_dropped_doubled_and_reordered(fake, merchant, inbox, number):
    merchant.order(number)
    merchant.order(f"{number}b")
    fake.control("fault", where="notice", kind="drop")
    fake.control("pay", out_trade_no=number)
    inbox.wait(1)
    fake.control("fault", where="notice", kind="duplicate", copies=5)
    fake.control("pay", out_trade_no=f"{number}b")
    inbox.wait(6)
    del inbox.received[:]
    fake.control("fault", where="notice", kind="reorder")
    for name in ("x", "y"):
        merchant.refund(number, f"{number}{name}", 10)
        wait_for(
            lambda name=name: (
                fake.control("order", out_trade_no=number)["order"]["refunds"][-1]["state"] == "success"
            )
        )
    order = [merchant.read_notice(*notice)["out_refund_no"][-1] for notice in inbox.wait(2)]
    assert order == ["y", "x"]


@pytest.mark.parametrize(
    "kind",
    ["wrong_signature", "bad_base64", "unsigned", "changed_body", "unknown_serial", "timestamp", "signtest"],
)
def test_a_spoilt_notice_does_not_verify(fake, merchant, number, kind):
    merchant.order(number)
    fake.control("pay", out_trade_no=number, notify=False)
    notice = fake.control("make_notice", out_trade_no=number, faults={kind: {"seconds": 301}})["notice"]
    assert not merchant.is_genuine(notice["headers"], notice["body"].encode())
    notice = fake.control("make_notice", out_trade_no=number, set={"amount.total": 1})["notice"]
    assert merchant.read_notice(notice["headers"], notice["body"].encode())["amount"]["total"] == 1


def test_a_notice_goes_where_it_is_sent_and_the_answer_is_told(fake, merchant, inbox, number):
    merchant.order(number)
    fake.control("pay", out_trade_no=number, notify=False)
    inbox.answers = [(418, b"no")]
    answer = fake.control("notify", out_trade_no=number, url=inbox.url)
    assert (answer["status"], answer["body"]) == (418, "no")
    assert "error" in fake.control("notify", out_trade_no=number, url="http://example.invalid/")


def test_a_payer_may_be_faster_than_the_close(fake, merchant, number):
    for name in ("a", "b"):
        merchant.order(number + name)
    fake.control("fault", kind="pay_before_close")
    assert merchant.close(f"{number}a")[1]["code"] == "ORDER_PAID"
    fake.control("fault", kind="pay_after_close")
    assert merchant.close(f"{number}b")[0] == 204
    wait_for(lambda: merchant.query(f"{number}b")[1]["trade_state"] == "SUCCESS")


def test_an_unpaid_order_ends_at_its_time(fake, merchant, number):
    ends = datetime.now(BEIJING) + timedelta(minutes=5)
    merchant.order(number, time_expire=ends.isoformat(timespec="seconds"))
    fake.control("clock", offset_s=301)
    assert merchant.query(number)[1]["trade_state"] == "CLOSED"
    with pytest.raises(ControlError, match="closed"):
        fake.control("pay", out_trade_no=number)


@pytest.mark.parametrize(("outcome", "state"), [("closed", "CLOSED"), ("abnormal", "ABNORMAL")])
def test_a_refund_may_fail(fake, merchant, inbox, number, outcome, state):
    merchant.order(number)
    fake.control("pay", out_trade_no=number, notify=False)
    fake.control("refund_outcome", outcome=outcome)
    merchant.refund(number, f"{number}r", 400)
    headers, body = inbox.wait(1)[0]
    assert json.loads(body)["event_type"] == f"REFUND.{state}"
    assert merchant.read_notice(headers, body)["refund_status"] == state
    fake.control("refund_outcome", outcome="hold")
    merchant.refund(number, f"{number}h", 100)
    assert merchant.call("GET", f"/v3/refund/domestic/refunds/{number}h")[1]["status"] == "PROCESSING"
    fake.control("refund_outcome", outcome="success", out_refund_no=f"{number}h")
    assert merchant.call("GET", f"/v3/refund/domestic/refunds/{number}h")[1]["status"] == "SUCCESS"


def test_keys_are_rotated_while_the_old_certificate_is_still_listed(fake, merchant, number):
    merchant.order(number)
    before = fake.config
    for mode, name in (("public_key", "public_key_id"), ("certificate", "platform_serial")):
        fake.control("rotate_key", mode=mode)
        assert fake.config[name] != before[name]
        assert merchant.query(number, by_certificate=mode == "certificate")[0] == 200
    listed = merchant.call("GET", "/v3/certificates")[1]["data"]
    assert [item["serial_no"] for item in listed] == [
        before["platform_serial"],
        fake.config["platform_serial"],
    ]
    fake.control("rotate_key", mode="certificate", keep_old=False)
    assert len(merchant.call("GET", "/v3/certificates")[1]["data"]) == 1


def test_during_a_migration_notices_come_signed_in_either_way(fake, merchant, number):
    merchant.order(number)
    fake.control("notice_mode", mode="both")
    serials = [
        fake.control("make_notice", out_trade_no=number)["notice"]["headers"]["Wechatpay-Serial"]
        for _ in range(2)
    ]
    assert set(serials) == {fake.config["public_key_id"], fake.config["platform_serial"]}


# --- pages --------------------------------------------------------------------------------------------------------


def open_page(fake, target, method="GET"):
    status, headers, body = send(fake.config["base_url"], method, target)
    return status, headers.get("Location"), body.decode()


def test_a_newcomer_scans_and_pays(fake, merchant, inbox, number):
    code_url = merchant.order(number)[1]["code_url"]
    target = urlsplit(code_url).path
    assert target in open_page(fake, "/")[2]
    page = open_page(fake, target)[2]
    assert "这是模拟的微信支付" in page
    assert "¥10.00" in page
    assert ">支付</button>" in page
    assert "支付成功" in open_page(fake, target, "POST")[2]
    inbox.wait(1)
    assert open_page(fake, target, "POST")[0] == 409


def test_h5_comes_back_to_the_merchant(fake, merchant, number):
    scene = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
    url = urlsplit(merchant.order(number, "h5", scene_info=scene)[1]["h5_url"])
    target = f"{url.path}?{url.query}&redirect_url={quote('http://127.0.0.1/back?a=1&b=2', safe='')}"
    assert "支付" in open_page(fake, target)[2]
    assert open_page(fake, target, "POST")[:2] == (303, "http://127.0.0.1/back?a=1&b=2")


def test_jsapi_verifies_pay_sign(fake, merchant, number):
    payer = {"openid": fake.config["openid"]}
    package = f"prepay_id={merchant.order(number, 'jsapi', payer=payer)[1]['prepay_id']}"
    values = [fake.config["appid"], "1700000000", "nonce", package]
    text = "".join(f"{value}\n" for value in values).encode()
    query = dict(zip(("appId", "timeStamp", "nonceStr", "package"), values, strict=True)) | {
        "signType": "RSA"
    }
    bad, good = keys.make_key(), merchant._key
    assert open_page(fake, "/jsapi?" + urlencode(query | {"paySign": keys.sign(bad, text)}))[0] == 400
    target = "/jsapi?" + urlencode(query | {"paySign": keys.sign(good, text)})
    assert open_page(fake, target)[0] == 200
    open_page(fake, target, "POST")
    assert merchant.query(number)[1]["trade_state"] == "SUCCESS"


def test_an_oauth_code_is_good_once_and_for_this_app(fake):
    config = fake.config
    query = {"appid": config["appid"], "redirect_uri": "http://127.0.0.1/oauth?x=1", "response_type": "code"}
    query |= {"scope": "snsapi_base", "state": "s&t"}
    status, back, _body = open_page(fake, "/connect/oauth2/authorize?" + urlencode(query))
    values = dict(parse_qsl(urlsplit(back).query))
    assert (status, values["state"], values["x"]) == (303, "s&t", "1")
    ask = {"appid": config["appid"], "secret": config["app_secret"], "code": values["code"]}
    ask |= {"grant_type": "authorization_code"}

    def exchange(**changes):
        return json.loads(open_page(fake, "/sns/oauth2/access_token?" + urlencode(ask | changes))[2])

    assert exchange(secret="x")["errcode"] == 40125
    assert exchange(appid="x")["errcode"] == 40013
    assert exchange(code="x")["errcode"] == 40029
    assert exchange()["openid"] == config["openid"]
    assert exchange()["errcode"] == 40163


# --- bills --------------------------------------------------------------------------------------------------------


def test_planted_differences_are_in_the_bill_and_nowhere_else(fake, merchant, number):
    for name in ("a", "b", "c"):
        merchant.order(number + name)
        fake.control("pay", out_trade_no=number + name, at=f"{YESTERDAY}T23:59:59", notify=False)
    day = YESTERDAY.isoformat()
    fits, text = merchant.fetch_bill(day)
    assert fits
    assert all(text.count(f"`{number}{name},") == 1 for name in "abc")
    fake.control("bill_edit", date=day, op="drop", number=f"{number}a")
    fake.control("bill_edit", date=day, op="amount", number=f"{number}b", fen=999)
    fake.control("bill_edit", date=day, op="duplicate", number=f"{number}c")
    fake.control("bill_edit", date=day, op="extra", values={"number": "EXTRA1"})
    fake.control("fault", kind="wrong_sha1")
    fits, text = merchant.fetch_bill(day)
    assert not fits
    assert f"{number}a" not in text
    assert "`9.99" in next(line for line in text.splitlines() if f"{number}b" in line)
    assert (text.count(f"`{number}c,"), text.count("`EXTRA1,")) == (2, 1)
    fake.control("clear_bill_edits")
    fits, text = merchant.fetch_bill(day, "fundflowbill?account_type=BASIC")
    assert fits
    assert text.count(f"`{number}a\r\n") == 2


def test_a_bill_is_not_there_before_ten_o_clock(tmp_path):
    with FakeProcess("wechatpay", tmp_path) as process:
        merchant = WeChatMerchant(process)
        process.control("clock", now=f"{YESTERDAY + timedelta(days=1)}T09:59:00")
        path = f"/v3/bill/tradebill?bill_type=ALL&bill_date={YESTERDAY}"
        assert merchant.call("GET", path)[1]["code"] == "STATEMENT_CREATING"
        process.control("clock", now=f"{YESTERDAY + timedelta(days=1)}T10:00:00")
        assert merchant.call("GET", path)[1]["code"] == "NO_STATEMENT_EXIST"
