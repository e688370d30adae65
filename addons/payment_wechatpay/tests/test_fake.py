"""Against the repository's simulated gateway: another process with its own keys, orders and refunds, over real HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import requests
from odoo.addons.payment_reconciliation.tests.common import send_refund
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import PAY_ROUTE
from ..wechatpay.beijing import BEIJING
from .common import DESKTOP, IN_WECHAT, PHONE, WechatpayCase

ROOT = Path(__file__).parents[3]
PATIENCE_S = 15
LOGGERS = (
    "odoo.addons.payment_wechatpay.controllers.notify",
    "odoo.addons.payment_wechatpay.models.payment_transaction",
    "odoo.addons.payment_reconciliation.models.payment_transaction_poll",
)


class FakeCase(WechatpayCase):
    def setUp(self):
        super().setUp()
        if not (ROOT / "tests" / "fakes" / "wechatpay.py").exists():
            self.skipTest("the simulated gateway is a part of the repository, not of this addon")
        self._start_fake()
        self.env["ir.config_parameter"].sudo().set_param("web.base.url", self.base_url())
        self.provider.write(
            {
                "state": "test",
                "wechatpay_test_url": self.config["base_url"],
                "wechatpay_mchid": self.config["mchid"],
                "wechatpay_appid": self.config["appid"],
                "wechatpay_app_secret": self.config["app_secret"],
                "wechatpay_api_v3_key": self.config["api_v3_key"],
                "wechatpay_private_key": self.config["merchant_private_key"],
                "wechatpay_certificate": self.config["merchant_certificate"],
                "wechatpay_has_jsapi": True,
                "wechatpay_has_h5": True,
            }
        )
        self._trust(self.config)

    def _start_fake(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        words = ["-m", "tests.fakes.wechatpay", "--port", "0", "--state", directory.name, "--early-bills"]
        process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        )
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.send_signal, signal.SIGTERM)
        ready = Path(directory.name) / "ready.json"
        self._wait(lambda: ready.exists() or process.poll() is not None)
        self.config = json.loads((Path(directory.name) / "config.json").read_text())

    def _trust(self, config):
        self.provider.wechatpay_key_ids = [
            Command.create(
                {"kind": "public_key", "serial": config["public_key_id"], "pem": config["public_key"]}
            )
        ]

    def _wait(self, condition):
        ends = time.monotonic() + PATIENCE_S
        while not (result := condition()):
            self.assertLess(time.monotonic(), ends, "waited in vain")
            time.sleep(0.05)
        return result

    def _control(self, action, **values):
        answer = requests.post(
            f"{self.config['base_url']}/_control",
            json={"action": action} | values,
            headers={"X-Control-Token": self.config["control_token"]},
            timeout=30,
        ).json()
        self.assertTrue(answer["ok"], answer)
        return answer

    def _tell(self, action, **values):
        """A command after which the gateway tells us something; returns when all it had to tell was answered."""
        self.env.flush_all()
        with self.allow_requests(all_requests=True), mute_logger(*LOGGERS):
            answer = self._control(action, **values)
            self._wait(lambda: all(notice["attempts"] for notice in self._control("notices")["notices"]))
        self.env.invalidate_all()
        return answer

    def _get_statuses(self):
        """HTTP statuses of all our answers to callbacks, in order."""
        return [
            attempt.get("status")
            for notice in self._control("notices")["notices"]
            for attempt in notice["attempts"]
        ]

    def _open(self, transaction, user_agent=DESKTOP):
        self.env.flush_all()
        with mute_logger(*LOGGERS):
            response = self.url_open(
                f"{PAY_ROUTE}/{transaction.id}?access_token={transaction._get_wechatpay_token()}",
                headers={"User-Agent": user_agent},
                timeout=60,
            )
        self.env.invalidate_all()
        return response

    def _make_order(self, **values):
        transaction = self._make_transaction(**values)
        self.assertNotIn("o_wechatpay_reload", self._open(transaction).text)
        return transaction

    def _make_paid(self, **values):
        transaction = self._make_order(**values)
        self._tell("pay", out_trade_no=transaction.reference)
        self.assertEqual(transaction.state, "done")
        return transaction

    def _get_order(self, transaction):
        return self._control("order", out_trade_no=transaction.reference)["order"]


@tagged("post_install", "-at_install")
class TestPaymentWithFake(FakeCase):
    def test_connection(self):
        self.assertIn("simulated", self.provider.with_context(lang="en_US")._gateway_test())

    def test_qr_code_is_paid_and_told(self):
        transaction = self._make_paid()
        order = self._get_order(transaction)
        self.assertEqual((order["kind"], order["fen"]), ("native", 8800))
        self.assertEqual(transaction.provider_reference, order["gateway_reference"])
        self.assertEqual(self._get_statuses(), [200])

    def test_payer_pays_at_the_address_of_the_page(self):
        transaction = self._make_transaction()
        page = self._open(transaction).text
        link = re.search(r'class="o_wechatpay_simulated"[^>]*href="([^"]*)"', page)[1].replace("&amp;", "&")
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            self.assertEqual(requests.post(link, timeout=10).status_code, 200)
            self._wait(self._get_statuses)
        self.env.invalidate_all()
        self.assertEqual(transaction.state, "done")

    def test_h5_and_its_way_back(self):
        transaction = self._make_transaction(wechatpay_kind="h5")
        page = self._open(transaction, PHONE).text
        link = re.search(r'class="o_wechatpay_app[^>]*href="([^"]*)"', page)[1].replace("&amp;", "&")
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            back = requests.post(link, timeout=10, allow_redirects=False).headers["Location"]
            self._wait(self._get_statuses)
        self.env.invalidate_all()
        self.assertEqual(urlsplit(back).path, f"{PAY_ROUTE}/{transaction.id}")
        self.assertEqual(transaction.state, "done")

    def test_inside_wechat_from_login_to_payment(self):
        transaction = self._make_transaction(wechatpay_kind="jsapi")
        page = self._open(transaction, IN_WECHAT)  # to WeChat, back with a code, to the page
        self.assertIn("o_wechatpay_start", page.text)
        link = re.search(r'class="o_wechatpay_simulated"[^>]*href="([^"]*)"', page.text)[1].replace(
            "&amp;", "&"
        )
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            self.assertEqual(
                requests.post(link, timeout=10).status_code, 200, "the window's signature is right"
            )
            self._wait(self._get_statuses)
        self.env.invalidate_all()
        self.assertEqual(transaction.state, "done")
        self.assertEqual(transaction.wechatpay_openid, self.config["openid"])

    def test_case_37_order_accepted_but_not_answered(self):
        for fault in (
            {"kind": "drop"},
            {"kind": "status", "status": 502, "accepted": True},
            {"kind": "unsigned"},
        ):
            self._control("fault", where="api", match="/v3/pay/transactions/native", **fault)
            transaction = self._make_transaction()
            with self.subTest(fault["kind"]):
                self.assertIn("o_wechatpay_reload", self._open(transaction).text)
                self.assertEqual(self._get_order(transaction)["state"], "unpaid")
                self.assertIn("o_wechatpay_qr", self._open(transaction).text)
                self._tell("pay", out_trade_no=transaction.reference)
                self.assertEqual(transaction.state, "done")

    def test_case_38_answers_spoilt_on_the_way(self):
        transaction = self._make_order()
        self._control("pay", out_trade_no=transaction.reference, notify=False)
        for kind in (
            "wrong_signature",
            "bad_base64",
            "unsigned",
            "changed_body",
            "unknown_serial",
            "redirect",
            "oversize",
            "gzip_bomb",
            "drop",
        ):
            self._control("fault", where="api", kind=kind)
            with self.subTest(kind), self.assertRaises(UserError):
                transaction._gateway_query()
        for seconds in (-301, 301):
            self._control("fault", where="api", kind="timestamp", seconds=seconds)
            with self.subTest(seconds=seconds), self.assertRaises(UserError):
                transaction._gateway_query()
        transaction._process("wechatpay", transaction._gateway_query())
        self.assertEqual(transaction.state, "done")

    def test_case_19_wrong_amount_told_and_asked(self):
        transaction = self._make_order()
        for _time in range(2):
            self._control("fault", where="notice", kind="wrong_amount")
        self._control("pay", out_trade_no=transaction.reference, notify=False)
        self._control("clear_faults")
        for _time in range(2):
            self._control("fault", where="api", kind="wrong_amount")
            transaction._process("wechatpay", transaction._gateway_query())
            self.assertNotEqual(transaction.state, "done")
        self.assertTrue(self._get_cases(transaction))
        transaction._process("wechatpay", transaction._gateway_query())
        self.assertEqual(transaction.state, "done")

    def test_callbacks_spoilt_on_the_way_are_told_again(self):
        for kind in (
            "wrong_signature",
            "bad_base64",
            "unsigned",
            "changed_body",
            "unknown_serial",
            "wrong_key",
            "wrong_amount",
            "signtest",
        ):
            transaction = self._make_order()
            self._control("fault", where="notice", kind=kind, match=transaction.reference)
            self.env.flush_all()
            with self.subTest(kind):
                with self.allow_requests(all_requests=True), mute_logger(*LOGGERS):
                    self._control("pay", out_trade_no=transaction.reference)
                    notice = self._wait(
                        lambda reference=transaction.reference: next(
                            (
                                notice
                                for notice in self._control("notices")["notices"]
                                if reference in notice["subject"] and notice["done"]
                            ),
                            None,
                        )
                    )
                self.env.invalidate_all()
                first, last = notice["attempts"][0]["status"], notice["attempts"][-1]["status"]
                self.assertTrue(400 <= first < 500 and last == 200, notice)
                self.assertEqual(transaction.state, "done")

    def test_callback_doubled_at_once(self):
        transaction = self._make_order()
        self._control("fault", where="notice", kind="duplicate", copies=5)
        self._tell("pay", out_trade_no=transaction.reference)
        self.assertEqual(self._get_statuses(), [200] * 5)
        self.assertEqual(transaction.state, "done")

    def test_case_42_rotation_of_both_kinds_of_keys(self):
        self.provider.action_wechatpay_fetch_certificates()
        self._control("notice_mode", mode="both")
        for _time in range(2):
            self._make_paid()
        config = self._control("rotate_key", mode="public_key")["config"]
        transaction = self._make_transaction()
        self.assertIn(
            "o_wechatpay_reload", self._open(transaction).text, "a new key is not believed by itself"
        )
        self._trust(config)
        self.assertIn("o_wechatpay_qr", self._open(transaction).text)
        self._control("rotate_key", mode="certificate")
        self.provider.action_wechatpay_fetch_certificates()
        for _time in range(2):
            self._make_paid()
        self.assertEqual(set(self._get_statuses()), {200})

    def test_certificate_mode_alone(self):
        self.provider.wechatpay_key_ids.unlink()
        self.provider.action_wechatpay_fetch_certificates()
        self._control("notice_mode", mode="certificate")
        self._make_paid()

    def test_close_and_who_is_faster(self):
        transaction = self._make_order()
        self.assertEqual(transaction._gateway_close(), "closed")
        self.assertEqual(transaction._gateway_close(), "closed", "again is no error")
        self.assertEqual(transaction._gateway_query()["state"], "closed")
        transaction = self._make_order()
        self._control("pay", out_trade_no=transaction.reference, notify=False)
        self.assertEqual(transaction._gateway_close(), "paid")
        self.assertEqual(self._make_transaction()._gateway_close(), "closed", "never ordered")
        self.assertIsNone(self._make_transaction()._gateway_query())
        transaction = self._make_order()
        self._control("fault", where="api", kind="drop")
        with mute_logger(*LOGGERS):
            self.assertEqual(transaction._gateway_close(), "unknown")

    def test_case_24_paid_after_the_order_was_closed_and_cancelled(self):
        transaction = self._make_order()
        self.assertEqual(transaction._gateway_close(), "closed")
        transaction._process("wechatpay", transaction._gateway_query())
        self.assertEqual(transaction.state, "cancel")
        self._tell("pay_after_close", out_trade_no=transaction.reference)
        self.assertEqual((transaction.state, transaction.gateway_late), ("done", True))


@tagged("post_install", "-at_install")
class TestRefundWithFake(FakeCase):
    def _refund(self, transaction, amount, outcome="success"):
        """A refund and what the gateway tells of it."""
        self._control("refund_outcome", outcome="hold")
        with mute_logger(*LOGGERS):
            refund = send_refund(transaction, amount)
        self.assertEqual(refund.state, "pending")
        if outcome:
            self._tell("refund_outcome", outcome=outcome, out_refund_no=refund.reference)
        return refund

    def test_parts_until_nothing_is_left(self):
        transaction = self._make_paid()
        refunds = [self._refund(transaction, amount) for amount in (10.00, 20.50, 57.50)]
        self.assertEqual([refund.state for refund in refunds], ["done"] * 3)
        self.assertEqual(
            [(refund["fen"], refund["state"]) for refund in self._get_order(transaction)["refunds"]],
            [(1000, "success"), (2050, "success"), (5750, "success")],
        )
        with self.assertRaises(UserError):
            transaction._refund(0.01)

    def test_case_35_abnormal_then_success_and_closed(self):
        transaction = self._make_paid()
        refund = self._refund(transaction, 10.00, "abnormal")
        self.assertEqual(refund.state, "pending")
        self.assertTrue(self._get_cases(refund), "a person finishes it on the merchant platform")
        self._tell("refund_outcome", outcome="success", out_refund_no=refund.reference)
        self.assertEqual(refund.state, "done")
        closed = self._refund(transaction, 88.00 - 10.00, "closed")
        self.assertEqual(closed.state, "error")
        self.assertEqual(self._refund(transaction, 78.00).state, "done", "its amount was free again")

    def test_case_36_lost_answers_never_pay_back_twice(self):
        transaction = self._make_paid()
        for fault in ({"kind": "drop"}, {"kind": "drop", "before": True}, {"kind": "wrong_signature"}):
            self._control("fault", where="api", match="/v3/refund/domestic/refunds", **fault)
            refund = self._refund(transaction, 10.00, outcome=None)
            refund._poll_gateway()
            self._tell("refund_outcome", outcome="success", out_refund_no=refund.reference)
            with self.subTest(fault):
                self.assertEqual(refund.state, "done")
        refunds = self._get_order(transaction)["refunds"]
        self.assertEqual([refund["fen"] for refund in refunds], [1000] * 3)

    def test_refund_is_found_by_asking(self):
        transaction = self._make_paid()
        refund = self._refund(transaction, 10.00, outcome=None)
        self._control("refund_outcome", outcome="success", out_refund_no=refund.reference, notify=False)
        refund._process("wechatpay", refund._gateway_query())
        self.assertEqual(refund.state, "done")


@tagged("post_install", "-at_install")
class TestBillWithFake(FakeCase):
    def test_bill_of_yesterday(self):
        yesterday = datetime.now(BEIJING) - timedelta(days=1)
        day = yesterday.date()
        self.assertEqual(self.provider._gateway_fetch_bill(day)["lines"], [], "no movement is no error")
        transaction = self._make_order()
        at = yesterday.replace(hour=23, minute=59, second=58, microsecond=0)
        self._control("pay", out_trade_no=transaction.reference, at=at.isoformat(), notify=False)
        bill = self.provider._gateway_fetch_bill(day)
        (line,) = bill["lines"]
        self.assertEqual(
            (line["kind"], line["reference"], line["fen"], line["state"]),
            ("payment", transaction.reference, 8800, "paid"),
        )
        self.assertEqual(line["gateway_reference"], self._get_order(transaction)["gateway_reference"])
        self.assertTrue(line["at"].endswith("T15:59:58Z"))
        self.assertGreater(float(line["fee_fen_text"]), 0)
        self.assertEqual((bill["totals"]["payment_fen"], bill["totals"]["differs"]), (8800, []))
        self.assertTrue(bill["totals"]["funds"]["count"])

    def test_case_41_bill_that_does_not_fit_its_checksum(self):
        day = (datetime.now(BEIJING) - timedelta(days=1)).date()
        transaction = self._make_order()
        self._control("pay", out_trade_no=transaction.reference, at=f"{day}T12:00:00+08:00", notify=False)
        self._control("fault", where="api", match="/v3/bill/tradebill", kind="wrong_sha1")
        with self.assertRaises(UserError):
            self.provider._gateway_fetch_bill(day)

    def test_reconciliation_of_a_day_shows_a_planted_difference(self):
        yesterday = datetime.now(BEIJING) - timedelta(days=1)
        day = yesterday.date()
        at = yesterday.replace(hour=12, minute=0, second=0, microsecond=0).isoformat()
        transactions = [self._make_order(amount=amount) for amount in (88.00, 12.34)]
        for transaction in transactions:
            self._control("pay", out_trade_no=transaction.reference, at=at, notify=False)
            transaction._process("wechatpay", transaction._gateway_query())
            self.assertEqual(transaction.state, "done")
        reconciliation = self.env["payment.reconciliation"]._reconcile_sudo(self.provider, day)
        self.assertEqual(set(reconciliation.line_ids.mapped("result")), {"matched"})
        self.assertEqual(reconciliation.state, "done")
        self._control("bill_edit", date=str(day), op="amount", number=transactions[1].reference, fen=1)
        reconciliation.action_run()
        results = {line.reference: line.result for line in reconciliation.line_ids}
        self.assertEqual(
            results, {transactions[0].reference: "matched", transactions[1].reference: "amount_differs"}
        )


@tagged("post_install", "-at_install")
class TestPollerWithFake(FakeCase):
    def _poll(self, transaction):
        with mute_logger(*LOGGERS):
            transaction._poll_gateway()

    def _let_expire(self, transaction):
        transaction.gateway_expires_at = datetime.now() - timedelta(minutes=5)

    def test_payment_nobody_told_us_about_is_found(self):
        transaction = self._make_order()
        self._poll(transaction)
        self.assertEqual(transaction.state, "pending")
        self._control("pay", out_trade_no=transaction.reference, notify=False)
        self._poll(transaction)
        self.assertEqual(transaction.state, "done")

    def test_unpaid_order_is_closed_there_and_cancelled_here(self):
        ordered, never_ordered = self._make_order(), self._make_transaction()
        for transaction in (ordered, never_ordered):
            self._let_expire(transaction)
            self._poll(transaction)
            self.assertEqual(transaction.state, "cancel")
        self.assertEqual(self._get_order(ordered)["state"], "closed")

    def test_payer_faster_than_the_close_is_confirmed(self):
        transaction = self._make_order()
        self._let_expire(transaction)
        self._control("fault", where="api", kind="pay_before_close", match="/close")
        self._poll(
            transaction
        )  # what the gateway tells meanwhile reaches nobody: the answer to our question counts
        self.assertEqual(transaction.state, "done")

    def test_case_24_payment_that_goes_through_after_the_close_is_confirmed_late(self):
        transaction = self._make_order()
        self._let_expire(transaction)
        self._poll(transaction)
        self.assertEqual(transaction.state, "cancel")
        self._tell("pay_after_close", out_trade_no=transaction.reference)
        self.assertEqual((transaction.state, transaction.gateway_late), ("done", True))

    def test_without_an_answer_nothing_is_cancelled(self):
        transaction = self._make_order()
        self._let_expire(transaction)
        for kind in ("drop", "unsigned"):
            self._control("fault", where="api", kind=kind, times=0)
            with self.assertRaises(UserError):
                self._poll(transaction)
            self._control("clear_faults")
            self.assertEqual(transaction.state, "pending")
        self._control("fault", where="api", kind="drop", match="/close")
        self._poll(transaction)
        self.assertEqual(
            transaction.state, "cancel" if self._get_order(transaction)["state"] == "closed" else "pending"
        )
