"""Against the repository's stand-in of Alipay: another process with its own keys, trades and bills, over real HTTP."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from unittest.mock import patch

import requests
from odoo import fields
from odoo.addons.payment_reconciliation.tests.common import send_refund
from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..alipay.values import BEIJING
from ..models import payment_provider
from .common import PHONE, AlipayHttpCase

ROOT = Path(__file__).parents[3]
PATIENCE_S = 20
LOGGERS = (
    "odoo.addons.payment_alipay.alipay.client",
    "odoo.addons.payment_alipay.controllers.main",
    "odoo.addons.payment_reconciliation.models.payment_transaction_poll",
)


class FakeCase(AlipayHttpCase):
    """One stand-in for all tests of a class; each test makes orders of its own."""

    KEY_MODE = "key"
    allow_inherited_tests_method = True  # the same life in both signing modes

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = None
        if (ROOT / "tests" / "fakes" / "alipay.py").exists():
            cls._start_fake()
            cls._configure(cls.config)
            cls.env["ir.config_parameter"].sudo().set_param("web.base.url", cls.base_url())

    @classmethod
    def _start_fake(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        words = ["-m", "tests.fakes.alipay", "--port", "0", "--state", directory.name, "--early-bills"]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=env)
        cls.addClassCleanup(process.wait, 10)
        cls.addClassCleanup(process.terminate)
        ready = Path(directory.name) / "ready.json"
        ends = time.monotonic() + PATIENCE_S
        while not ready.exists() and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        cls.config = json.loads((Path(directory.name) / "config.json").read_text())

    @classmethod
    def _configure(cls, config):
        cls.provider.write(
            {
                "alipay_key_mode": cls.KEY_MODE,
                "alipay_base_url": config["gateway_url"],
                "alipay_app_id": config["app_id"],
                "alipay_seller_id": config["seller_id"],
                "alipay_private_key": config["app_private_key"],
                "alipay_public_key": config["alipay_public_key"],
                "alipay_app_certificate": config["app_certificate"],
                "alipay_gateway_certificate": config["alipay_certificate"],
                "alipay_root_certificate": config["alipay_root_certificate"],
            }
        )

    def setUp(self):
        super().setUp()
        if not self.config:
            self.skipTest("the stand-in is a part of the repository, not of this addon")
        self._configure(self.config)  # a test before may have changed Alipay's keys
        self.addCleanup(self._control, "clear_faults")
        self.addCleanup(self._control, "clock")

    def _control(self, action, **values):
        answer = requests.post(
            f"{self.config['base_url']}/_control",
            json={"action": action} | values,
            headers={"X-Control-Token": self.config["control_token"]},
            timeout=30,
        ).json()
        self.assertTrue(answer["ok"], answer)
        return answer

    def _tell(self, action, transaction, **values):
        """A command after which Alipay tells us something; returns when our answer to it is known."""
        self.env.flush_all()
        with self.allow_requests(all_requests=True), mute_logger(*LOGGERS):
            before = len(self._get_attempts(transaction))
            self._control(action, out_trade_no=transaction.reference, **values)
            ends = time.monotonic() + PATIENCE_S
            while len(self._get_attempts(transaction)) == before:
                self.assertLess(time.monotonic(), ends, "waited in vain")
                time.sleep(0.05)
        self.env.invalidate_all()
        return self._get_attempts(transaction)[before]

    def _get_attempts(self, transaction):
        notices = self._control("notices")["notices"]
        return [
            attempt
            for notice in notices
            if transaction.reference in notice["subject"]
            for attempt in notice["attempts"]
        ]

    def _send(self, transaction, **values):
        """Our answer to one notice, sent now."""
        self.env.flush_all()
        with self.allow_requests(all_requests=True), mute_logger(*LOGGERS):
            answer = self._control("notify", out_trade_no=transaction.reference, **values)
        self.env.invalidate_all()
        return answer["status"], answer["body"]

    def _order(self, amount=100.0):
        """An order whose QR code was shown."""
        transaction = self._make_transaction(amount, alipay_product="qr")
        with mute_logger(*LOGGERS):
            self.assertTrue(transaction._alipay_get_qr_text())
        return transaction

    def _pay_silently(self, transaction, **values):
        self._control("pay", out_trade_no=transaction.reference, notify=False, **values)

    def _pay(self, transaction):
        attempt = self._tell("pay", transaction)
        self.assertEqual(attempt.get("status"), 200, attempt)
        self.assertEqual(transaction.state, "done")

    def _fault(self, kind, **values):
        self._control("fault", kind=kind, **values)

    def _get_number(self, transaction):
        order = self._control("order", out_trade_no=transaction.reference)["order"]
        return order["gateway_reference"]


class LifeCases:
    """The whole life of orders and refunds, for each signing mode."""

    def test_the_connection_is_tested(self):
        self.assertTrue(self.provider._gateway_test())

    def test_a_code_is_paid_and_the_notice_confirms_it(self):
        transaction = self._order()
        self.assertIsNone(transaction._gateway_query(), "nobody has scanned it yet")
        self._control("scan", out_trade_no=transaction.reference)
        self.assertEqual(transaction._gateway_query()["state"], "pending")
        self._pay(transaction)
        self.assertEqual(transaction.provider_reference, self._get_number(transaction))
        self.assertEqual(transaction._gateway_query()["state"], "paid")
        transaction._post_process()
        self.assertTrue(transaction.is_post_processed)

    def test_the_phone_s_form_is_accepted_paid_and_comes_back(self):
        for product, agent in (("wap", PHONE), ("page", "")):
            self.provider.alipay_desktop_product = "page"
            transaction = self._make_transaction()
            with self.mocked_agent(agent):
                values = transaction._get_specific_rendering_values({})
            self.assertEqual(transaction.alipay_product, product)
            page = requests.post(values["api_url"], data=values["values"], timeout=10).text
            cashier = re.search(r'action="(/cashier/[^"]+)"', page)
            self.assertTrue(cashier, page)
            self.env.flush_all()
            with self.allow_requests(all_requests=True), mute_logger(*LOGGERS):
                url = f"{self.config['base_url']}{unescape(cashier.group(1))}"
                answer = requests.post(url, timeout=10, allow_redirects=False)
                self.assertTrue(
                    answer.headers["Location"].startswith(f"{self.base_url()}/payment/alipay/return?")
                )
                requests.get(answer.headers["Location"], timeout=10, allow_redirects=False)
                self._wait(lambda number=transaction: self._get_attempts(number))
            self.env.invalidate_all()
            self.assertEqual(transaction.state, "done")

    def _wait(self, condition):
        ends = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), ends, "waited in vain")
            time.sleep(0.05)

    def mocked_agent(self, agent):
        request = type("Request", (), {"httprequest": type("Http", (), {"headers": {"User-Agent": agent}})})
        return patch.object(payment_provider, "request", request)

    def test_an_order_nobody_paid_is_closed_and_one_paid_meanwhile_is_not(self):
        unpaid, paid = self._order(), self._order()
        for transaction in (unpaid, paid):
            self._control("scan", out_trade_no=transaction.reference)
        self._pay_silently(paid)
        (unpaid | paid).gateway_expires_at = fields.Datetime.now() - timedelta(minutes=5)
        unpaid._poll_gateway()
        paid._poll_gateway()
        self.assertEqual((unpaid.state, paid.state), ("cancel", "done"))
        late = self._order()
        self._control("scan", out_trade_no=late.reference)
        late.gateway_expires_at = fields.Datetime.now() - timedelta(minutes=5)
        self._fault("pay_before_close", match="alipay.trade.close")
        late._poll_gateway()
        self.assertEqual(late.state, "done", "the payer was faster than the close")

    def test_case_24_paid_after_our_close_is_confirmed_late(self):
        transaction = self._order()
        self._control("scan", out_trade_no=transaction.reference)
        transaction.gateway_expires_at = fields.Datetime.now() - timedelta(minutes=5)
        transaction._poll_gateway()
        self.assertEqual(transaction.state, "cancel")
        self._tell("pay_after_close", transaction)
        self.assertEqual((transaction.state, transaction.gateway_late), ("done", True))

    def test_refunds_many_partial_with_their_notices(self):
        transaction = self._order()
        self._pay(transaction)
        transaction._post_process()
        for amount in (30.0, 20.0, 50.0):
            self.env.flush_all()
            refund = send_refund(transaction, amount)
            self.assertEqual((refund.state, refund.amount), ("done", -amount))
            self.assertEqual(refund._gateway_query()["state"], "refunded")
            answer = self._send(transaction, out_refund_no=refund.reference)
            self.assertEqual(answer, (200, "success"))
        self.assertEqual(transaction.state, "done", "neither cancelled nor credited again")
        self.assertTrue(transaction.is_post_processed)
        self.assertFalse(transaction.gateway_case_ids)
        with self.assertRaises(UserError):
            transaction._refund(0.01)

    def test_case_36_and_37_a_refund_whose_answer_was_lost_is_paid_once(self):
        transaction = self._order()
        self._pay(transaction)
        self._fault("drop", match="alipay.trade.refund")
        refund = send_refund(transaction, 30.0)
        self.assertEqual(refund.state, "pending")
        refund._poll_gateway()
        self.assertEqual(refund.state, "done")
        order = self._control("order", out_trade_no=transaction.reference)["order"]
        self.assertEqual([item["fen"] for item in order["refunds"]], [3000])
        self._fault("drop", match="alipay.trade.refund", before=True)
        second = send_refund(transaction, 10.0)
        self.assertEqual(second.state, "pending")
        second._poll_gateway()
        self.assertEqual(second.state, "done")
        order = self._control("order", out_trade_no=transaction.reference)["order"]
        self.assertEqual([item["fen"] for item in order["refunds"]], [3000, 1000])

    def test_case_35_a_refund_that_is_held_waits_and_a_refused_one_ends(self):
        transaction = self._order()
        self._pay(transaction)
        self._control("refund_outcome", outcome="hold")
        refund = send_refund(transaction, 30.0)
        self.assertEqual(refund.state, "pending")
        refund._poll_gateway()
        self.assertEqual(refund.state, "pending")
        self._control("refund_outcome", outcome="success", out_refund_no=refund.reference, notify=False)
        refund._poll_gateway()
        self.assertEqual(refund.state, "done")
        self._control("refund_outcome", outcome="closed")
        self.assertEqual(send_refund(transaction, 10.0).state, "error")

    def test_case_28_finished_is_paid(self):
        transaction = self._order()
        self._pay_silently(transaction)
        self._tell("finish", transaction)
        self.assertEqual(transaction.state, "done")

    def test_a_day_s_bill_has_payments_refunds_and_fees(self):
        day = datetime.now(BEIJING).date() - timedelta(days=1)
        at = datetime(day.year, day.month, day.day, 12, 0, tzinfo=BEIJING)
        transaction = self._order(12.34)
        self._pay_silently(transaction, at=at.isoformat())
        bill = self.provider._gateway_fetch_bill(day)
        (line,) = [line for line in bill["lines"] if line["reference"] == transaction.reference]
        self.assertEqual((line["kind"], line["fen"], line["state"]), ("payment", 1234, "paid"))
        self.assertEqual(line["gateway_reference"], self._get_number(transaction))
        self.assertEqual(line["at"], at.astimezone(UTC).replace(tzinfo=None))
        future = datetime.now(BEIJING).date() + timedelta(days=1)
        self.assertIsNone(self.provider._gateway_fetch_bill(future))


@tagged("post_install", "-at_install")
class TestFakeKeys(LifeCases, FakeCase):
    def test_attacks_on_notices_change_nothing(self):
        transaction = self._order()
        self._pay_silently(transaction)
        for kind, values in {
            "wrong_signature": {},
            "unknown_serial": {},
            "bad_base64": {},
            "unsigned": {},
            "changed_body": {},
            "twice": {"name": "total_amount", "value": "100.00"},
            "wrong_amount": {},
            "set": {"values": {"app_id": "2021999999999999"}},
        }.items():
            with self.subTest(kind):
                status, body = self._send(transaction, faults={kind: values})
                self.assertNotEqual(body, "success")
                self.assertGreaterEqual(status, 400)
                self.assertUntouched(transaction)
        self.assertEqual(self._send(transaction), (200, "success"))
        self.assertEqual(transaction.state, "done")

    def test_case_37_and_38_faulty_answers_to_a_query_change_nothing(self):
        transaction = self._order()
        self._pay_silently(transaction)
        for kind in (
            "wrong_signature",
            "unsigned",
            "bad_base64",
            "changed_body",
            "status",
            "drop",
            "redirect",
            "oversize",
            "gzip_bomb",
        ):
            self._fault(kind)
            with self.subTest(kind), self.assertRaises(UserError), mute_logger(*LOGGERS):
                transaction._poll_gateway()
            self.assertUntouched(transaction)
        self._fault("wrong_amount")
        transaction._poll_gateway()
        self.assertUntouched(transaction)
        transaction._poll_gateway()
        self.assertEqual(transaction.state, "done")

    def test_case_41_a_spoilt_bill_is_refused_whole(self):
        day = datetime.now(BEIJING).date() - timedelta(days=1)
        transaction = self._order()
        self._pay_silently(transaction, at=f"{day.isoformat()}T12:00:00+08:00")
        self.addCleanup(self._control, "clear_bill_edits")
        for op in ("traversal", "date", "truncate"):  # packed bombs are in test_bill
            self._control("bill_edit", date=day.isoformat(), op=op)
            with self.subTest(op), self.assertRaises(UserError), mute_logger(*LOGGERS):
                self.provider._gateway_fetch_bill(day)
            self._control("clear_bill_edits")

    def test_case_42_a_new_key_of_alipay_s_needs_no_restart(self):
        old = self.config["alipay_public_key"]
        transaction = self._order()
        new = self._control("rotate_key", mode="public_key")["config"]["alipay_public_key"]
        self._pay_silently(transaction)
        self.assertEqual(self._send(transaction)[0], 400)
        self.provider.alipay_public_key = f"{old}\n{new}"
        self.assertEqual(self._send(transaction), (200, "success"))
        self.assertEqual(transaction._gateway_query()["state"], "paid")
        self.provider.alipay_public_key = old
        with self.assertRaises(ValidationError):
            self.provider._gateway_test()
        type(self).config["alipay_public_key"] = new
        self.provider.alipay_public_key = new


@tagged("post_install", "-at_install")
class TestFakeCertificates(LifeCases, FakeCase):
    KEY_MODE = "certificate"

    def test_case_42_a_certificate_nobody_named_before_is_refused_without_fetching_it(self):
        transaction = self._order()
        self._pay_silently(transaction)
        self._fault("unknown_serial")
        asked = len(self._control("state")["requests"])
        with self.assertRaises(UserError), mute_logger(*LOGGERS):
            transaction._poll_gateway()
        self.assertEqual(len(self._control("state")["requests"]), asked + 1)
        self.assertUntouched(transaction)
