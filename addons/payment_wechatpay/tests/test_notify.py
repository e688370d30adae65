"""Attack and fault cases at the callback's HTTP route: really signed and encrypted, nothing patched on the way."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import requests
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..const import NOTIFY_ROUTE, REFUND_NOTIFY_ROUTE
from . import gateway
from .common import WechatpayCase

LOGGER = "odoo.addons.payment_wechatpay.controllers.notify"


@tagged("post_install", "-at_install")
class TestNotifyOrigin(WechatpayCase):
    """Who sent this?"""

    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction()
        self.payment = gateway.make_payment(self.transaction.reference, 8800)
        self.body = gateway.make_event(self.payment)

    def _assert_refused(self, body, headers, status=401):
        with (
            mute_logger(LOGGER),
            self._assert_nothing_changes(self.transaction),
            self._assert_no_outbound_call(),
        ):
            response = self._post(NOTIFY_ROUTE, body, headers)
        self.assertEqual(response.status_code, status)
        self.assertEqual(response.json()["code"], "FAIL")

    def test_case_00_a_proven_callback_is_taken(self):
        trigger = self.env.ref("payment.cron_post_process_payment_tx")
        self.env["ir.cron.trigger"].search([("cron_id", "=", trigger.id)]).unlink()
        with self._assert_no_outbound_call():
            response = self._post(NOTIFY_ROUTE, self.body, gateway.sign_headers(self.body))
        self.assertEqual((response.status_code, response.json()["code"]), (200, "SUCCESS"))
        self.assertNotIn("session_id", response.cookies)
        self.assertEqual(self.transaction.state, "done")
        self.assertEqual(self.transaction.provider_reference, self.payment["transaction_id"])
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", trigger.id)]))

    def test_case_01_no_signature_headers(self):
        good = gateway.sign_headers(self.body)
        self._assert_refused(self.body, {})
        for name in ("Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature"):
            with self.subTest(name):
                self._assert_refused(self.body, {key: good[key] for key in good if key != name})

    def test_case_02_signature_is_not_base64(self):
        good = gateway.sign_headers(self.body)
        for text in ("%%%", "=", "a", good["Wechatpay-Signature"][:-4] + "????", "A" * 5000):
            with self.subTest(text[:10]):
                self._assert_refused(self.body, good | {"Wechatpay-Signature": text})

    def test_case_03_signature_by_another_key(self):
        self._assert_refused(self.body, gateway.sign_headers(self.body, key="stranger"))
        self._assert_refused(self.body, gateway.sign_headers(self.body, key="merchant"))

    def test_case_04_one_byte_of_the_body_changed(self):
        headers = gateway.sign_headers(self.body)
        for position in (0, 20, len(self.body) // 2, len(self.body) - 1):
            body = bytearray(self.body)
            body[position] ^= 1
            with self.subTest(position=position):
                self._assert_refused(bytes(body), headers)

    def test_case_05_body_written_anew(self):
        headers = gateway.sign_headers(self.body)
        event = json.loads(self.body)
        for body in (
            json.dumps(event).encode(),
            json.dumps(event, separators=(",", ":")).encode(),
            self.body + b"\n",
            b" " + self.body,
        ):
            if body != self.body:
                self._assert_refused(body, headers)

    def test_case_06_unknown_serial_asks_nobody(self):
        for serial in (
            gateway.make_certificate("stranger")[1],
            "PUB_KEY_ID_0000000000000000000000000000000000",
        ):
            self._assert_refused(self.body, gateway.sign_headers(self.body, key="stranger", serial=serial))
            self._assert_refused(self.body, gateway.sign_headers(self.body, serial=serial))

    def test_case_07_serial_of_any_shape_is_no_server_error(self):
        for serial in (
            "",
            "xyz",
            "0",
            "-1",
            "0x5A",
            "F" * 4000,
            "PUB_KEY_ID_",
            "PUB_KEY_ID_'; --",
            "5A 5B",
            "%00",
        ):
            with self.subTest(serial[:20]):
                self._assert_refused(self.body, gateway.sign_headers(self.body, serial=serial))

    def test_case_08_timestamp_outside_the_window(self):
        now = time.time()
        for timestamp in (now - 301, now + 302, 0, -1, "soon", "", "1e9", "9" * 30):
            value = int(timestamp) if isinstance(timestamp, float) else timestamp
            with self.subTest(timestamp=timestamp):
                self._assert_refused(self.body, gateway.sign_headers(self.body, timestamp=value))

    def test_case_11_probe_traffic_is_handled_like_any_other(self):
        good = gateway.sign_headers(self.body)
        probe = "WECHATPAY/SIGNTEST/" + good["Wechatpay-Signature"]
        self._assert_refused(self.body, good | {"Wechatpay-Signature": probe})

    def test_case_12_right_signature_but_unreadable_resource(self):
        rows = [
            {"key": "x" * 32},
            {"changes": {"ciphertext": base64.b64encode(b"x" * 64).decode()}},
            {"changes": {"ciphertext": "not base64!"}},
            {"changes": {"ciphertext": None}},
            {"changes": {"associated_data": "other"}},
            {"changes": {"associated_data": None}},
            {"changes": {"associated_data": ["transaction"]}},
            {"changes": {"nonce": "000000000000"}},
            {"changes": {"nonce": ""}},
            {"changes": {"algorithm": "AEAD_SM4_GCM"}},
            {"changes": {"algorithm": None}},
        ]
        for row in rows:
            body = gateway.make_event(self.payment, **row)
            with self.subTest(row):
                self._assert_refused(body, gateway.sign_headers(body), 400)

    def test_case_12_null_associated_data_reads_as_empty(self):
        body = gateway.make_event(self.payment, associated_data=None)
        self.assertEqual(self._post(NOTIFY_ROUTE, body, gateway.sign_headers(body)).status_code, 200)

    def test_bodies_of_any_shape_are_no_server_error(self):
        for body in (b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"event_type": 5}', b"[" * 20000):
            with self.subTest(body[:10]):
                self._assert_refused(body, gateway.sign_headers(body), 400)
        body = b"x" * 70000
        self._assert_refused(body, gateway.sign_headers(body), 413)


@tagged("post_install", "-at_install")
class TestNotifyContent(WechatpayCase):
    """It is from WeChat Pay. Is it about this, and does it agree?"""

    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction()
        self.payment = gateway.make_payment(self.transaction.reference, 8800)

    def _assert_refused(self, payment, **values):
        with mute_logger(LOGGER), self._assert_nothing_changes(self.transaction):
            status = self._notify(payment, **values)
        self.assertTrue(400 <= status < 500, status)
        return status

    def test_case_09_same_callback_twice(self):
        body = gateway.make_event(self.payment)
        headers = gateway.sign_headers(body)
        for _time in range(2):
            self.assertEqual(self._post(NOTIFY_ROUTE, body, headers).status_code, 200)
        changed = self.transaction.last_state_change
        self.transaction.is_post_processed = True
        self.assertEqual(self._post(NOTIFY_ROUTE, body, headers).status_code, 200)
        self.assertEqual((self.transaction.state, self.transaction.last_state_change), ("done", changed))
        self.assertTrue(self.transaction.is_post_processed, "a repetition does not start it all over")

    def test_case_10_twenty_copies_at_once(self):
        body = gateway.make_event(self.payment)
        headers = gateway.sign_headers(body) | {"Content-Type": "application/json"}
        self.env.flush_all()
        with self.allow_requests(), ThreadPoolExecutor(20) as pool:
            cookies = self.opener.cookies.get_dict()
            url = f"{self.base_url()}{NOTIFY_ROUTE}/{self.provider.id}"
            sent = [
                pool.submit(requests.post, url, data=body, headers=headers, cookies=cookies, timeout=60)
                for _copy in range(20)
            ]
            statuses = [future.result().status_code for future in sent]
        self.env.invalidate_all()
        self.assertEqual(statuses, [200] * 20)
        self.assertEqual(self.transaction.state, "done")

    def test_case_13_another_merchant(self):
        self._assert_refused(self.payment | {"mchid": "1900000110"})

    def test_case_14_another_app(self):
        self._assert_refused(self.payment | {"appid": "wx0000000000000000"})

    def test_case_15_another_providers_address(self):
        other = self._make_provider("Second merchant")
        with mute_logger(LOGGER), self._assert_nothing_changes(self.transaction):
            self.assertEqual(self._notify(self.payment, provider=other), 404)
        demo = self.env["payment.provider"].create({"name": "Other kind"})
        with mute_logger(LOGGER):
            self.assertEqual(self._notify(self.payment, provider=demo), 404)
            response = self._post(
                f"{NOTIFY_ROUTE}/0", b"", {}, provider=self.env["payment.provider"].browse(10**8)
            )
        self.assertEqual(response.status_code, 404)

    def test_case_16_reference_of_another_company(self):
        company = self.env["res.company"].create({"name": "Another company"})
        provider = self._make_provider("Theirs", company_id=company.id)
        theirs = self._make_transaction(provider=provider)
        with mute_logger(LOGGER), self._assert_nothing_changes(theirs):
            self.assertEqual(self._notify(gateway.make_payment(theirs.reference, 8800)), 404)

    def test_case_17_unknown_reference(self):
        self.assertEqual(self._assert_refused(gateway.make_payment("NOBODYKNOWSME", 8800)), 404)

    def test_case_18_amounts_that_are_not_ours(self):
        for total in (1, 8799, 8801, 880000, 88, 0, -8800, "8800", 8800.0, True, None, [8800]):
            amount = {"total": total, "payer_total": 8800, "currency": "CNY", "payer_currency": "CNY"}
            with self.subTest(total=total):
                self._assert_refused(self.payment | {"amount": amount})
        self._assert_refused(self.payment | {"amount": {"payer_total": 8800, "currency": "CNY"}})
        self._assert_refused(self.payment | {"amount": 8800})

    def test_case_18_a_coupon_of_wechat_is_no_difference(self):
        amount = {"total": 8800, "payer_total": 8000, "currency": "CNY", "payer_currency": "CNY"}
        self.assertEqual(self._notify(self.payment | {"amount": amount}), 200)
        self.assertEqual(self.transaction.state, "done")

    def test_case_19_wrong_amount_again_and_again(self):
        amount = {"total": 1, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY"}
        body = gateway.make_event(self.payment | {"amount": amount})
        headers = gateway.sign_headers(body)
        for _time in range(4):
            with mute_logger(LOGGER):
                self.assertEqual(self._post(NOTIFY_ROUTE, body, headers).status_code, 409)
            self.assertNotEqual(self.transaction.state, "done")
        self.assertEqual(len(self._get_cases(self.transaction)), 1)
        self.assertEqual(self._notify(self.payment), 200)
        self.assertEqual(self.transaction.state, "done", "the true amount still counts")

    def test_case_20_another_currency(self):
        for currency in ("USD", "cny", "", None, 156):
            amount = {"total": 8800, "payer_total": 8800, "currency": currency}
            with self.subTest(currency=currency):
                self._assert_refused(self.payment | {"amount": amount})

    def test_case_21_event_and_state_disagree(self):
        for state in ("NOTPAY", "CLOSED", "REFUND", "USERPAYING", "PAYERROR", "REVOKED", "", None, "success"):
            with self.subTest(state=state):
                self._assert_refused(self.payment | {"trade_state": state})
        for event in ("TRANSACTION.FAIL", "REFUND.SUCCESS", "PAYSCORE.USER_PAID", ""):
            with self.subTest(event=event):
                self._assert_refused(self.payment, event=event)

    def test_case_22_transaction_id_of_another_payment(self):
        other = self._make_transaction()
        paid = self._pay(other)
        with self._assert_nothing_changes(other):
            status = self._assert_refused(self.payment | {"transaction_id": paid["transaction_id"]})
        self.assertEqual(status, 409)
        self.assertTrue(self._get_cases(self.transaction))

    def test_case_23_second_transaction_id_for_a_paid_order(self):
        self._pay(self.transaction)
        status = self._assert_refused(self.payment | {"transaction_id": "4200999999999999999999999999"})
        self.assertEqual(status, 409)
        self.assertTrue(self._get_cases(self.transaction))

    def test_case_24_paid_after_local_cancel_or_error(self):
        for state in ("cancel", "error"):
            transaction = self._make_transaction()
            if state == "cancel":
                transaction._set_canceled()
            else:
                transaction._set_error("gone wrong")
            with self.subTest(state):
                self.assertEqual(self._notify(gateway.make_payment(transaction.reference, 8800)), 200)
                self.assertEqual(transaction.state, "done")
                self.assertTrue(transaction.gateway_late)

    def test_case_25_closed_or_unpaid_after_paid(self):
        self._pay(self.transaction)
        for state in ("CLOSED", "NOTPAY"):
            self._assert_refused(self.payment | {"trade_state": state})
        self.assertEqual(self.transaction.state, "done")

    def test_case_26_refund_told_at_the_payment_route_and_the_reverse(self):
        self._pay(self.transaction)
        child = self._make_refund(self.transaction, 10)
        refund = gateway.make_refund(self.transaction.reference, child.reference, 8800, 1000)
        with self._assert_nothing_changes(child):
            self._assert_refused(refund, event="REFUND.SUCCESS")
            self._assert_refused(refund, event="TRANSACTION.SUCCESS")
            with mute_logger(LOGGER):
                self.assertEqual(
                    self._notify_refund(refund | {"refund_status": "SUCCESS"}, event="TRANSACTION.SUCCESS"),
                    400,
                )
                body = gateway.make_event(self.payment)
                status = self._post(REFUND_NOTIFY_ROUTE, body, gateway.sign_headers(body)).status_code
        self.assertEqual(status, 400)

    def test_case_39_disabled_and_other_mode(self):
        self.provider.state = "disabled"
        self._assert_refused(self.payment)
        self.provider.state = "test"
        self.assertEqual(self._assert_refused(self.payment), 403)
        in_test = self._make_transaction()
        self.provider.state = "enabled"
        with mute_logger(LOGGER), self._assert_nothing_changes(in_test):
            self.assertEqual(self._notify(gateway.make_payment(in_test.reference, 8800)), 403)
        self.assertEqual(self._notify(self.payment), 200)

    def test_case_42_old_and_new_key_both_count_until_one_is_removed(self):
        pem, serial = gateway.make_certificate("platform")
        self.provider.wechatpay_key_ids = [Command.create({"kind": "platform_certificate", "pem": pem})]
        body = gateway.make_event(self.payment)
        by_certificate = gateway.sign_headers(body, key="platform", serial=serial)
        by_public_key = gateway.sign_headers(body)
        for headers in (by_certificate, by_public_key, by_certificate | {"Wechatpay-Serial": serial.lower()}):
            self.assertEqual(self._post(NOTIFY_ROUTE, body, headers).status_code, 200)
        self.provider.wechatpay_key_ids.filtered(lambda key: key.kind == "public_key").active = False
        with mute_logger(LOGGER):
            self.assertEqual(self._post(NOTIFY_ROUTE, body, by_public_key).status_code, 401)
        self.assertEqual(self._post(NOTIFY_ROUTE, body, by_certificate).status_code, 200)
        self.provider.wechatpay_key_ids.unlink()
        with mute_logger(LOGGER):
            self.assertEqual(self._post(NOTIFY_ROUTE, body, by_certificate).status_code, 401)

    def test_case_42_ended_certificate_proves_nothing(self):
        pem, serial = gateway.make_certificate("ended", days=30, start_days=-60)
        self.provider.wechatpay_key_ids = [Command.create({"kind": "platform_certificate", "pem": pem})]
        headers = gateway.sign_headers(gateway.make_event(self.payment), key="ended", serial=serial)
        self.assertEqual(self._assert_refused(self.payment, headers=headers), 401)

    def test_case_43_logs_hold_no_key_payer_or_body(self):
        secrets = [
            gateway.API_V3_KEY,
            self.payment["payer"]["openid"],
            "BEGIN PRIVATE KEY",
            "ciphertext",
            "bank_type",
        ]
        body = gateway.make_event(self.payment)
        bad = gateway.sign_headers(body, key="stranger")
        with self.assertLogs(level="DEBUG") as logs:
            self._post(NOTIFY_ROUTE, body, bad)
            self._post(NOTIFY_ROUTE, body, gateway.sign_headers(body))
            self._notify(self.payment | {"amount": {"total": 1, "currency": "CNY"}})
        text = "\n".join(record.getMessage() for record in logs.records if "sql_db" not in record.name)
        self.assertIn("refused", text)
        for secret in [*secrets, bad["Wechatpay-Signature"]]:
            self.assertNotIn(secret, text)

    def test_case_45_clock_zones_change_nothing(self):
        for time_text, moment in (
            ("2026-11-21T10:00:00+08:00", "2026-11-21T02:00:00Z"),
            ("2026-11-21T02:00:00+00:00", "2026-11-21T02:00:00Z"),
            ("2026-11-20T21:00:00-05:00", "2026-11-21T02:00:00Z"),
        ):
            transaction = self._make_transaction()
            payment = gateway.make_payment(transaction.reference, 8800, success_time=time_text)
            with self.subTest(time_text, moment=moment):
                self.assertEqual(self._notify(payment), 200)
                self.assertEqual(transaction.state, "done")
        self._assert_refused(self.payment | {"success_time": "2026-11-21 10:00:00"})


@tagged("post_install", "-at_install")
class TestNotifyRefund(WechatpayCase):
    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction()
        self._pay(self.transaction)
        self.refund = self._make_refund(self.transaction, 10)

    def _make(self, status="SUCCESS", **changes):
        return gateway.make_refund(
            self.transaction.reference, self.refund.reference, 8800, 1000, status, **changes
        )

    def test_refund_is_confirmed_by_its_callback(self):
        self.assertEqual(self._notify_refund(self._make()), 200)
        self.assertEqual(self.refund.state, "done")
        self.assertEqual(self.transaction.state, "done")

    def test_case_35_results_out_of_order(self):
        self.assertEqual(self._notify_refund(self._make("ABNORMAL")), 200)
        self.assertEqual(self.refund.state, "pending", "the merchant finishes it on the merchant platform")
        self.assertEqual(self._notify_refund(self._make("SUCCESS")), 200)
        self.assertEqual(self.refund.state, "done")
        with mute_logger(LOGGER):
            self._notify_refund(self._make("ABNORMAL"))
            self._notify_refund(self._make("CLOSED"))
        self.assertEqual(self.refund.state, "done", "what arrived later does not undo a refund")

    def test_case_35_closed_refund_gives_the_amount_free_again(self):
        self.assertEqual(self._notify_refund(self._make("CLOSED")), 200)
        self.assertEqual(self.refund.state, "error")

    def test_case_36_refund_of_other_amounts_or_payments(self):
        rows = [
            {"amount": {"total": 8800, "refund": 1001}},
            {"amount": {"total": 8800, "refund": 8800}},
            {"amount": {"total": 8801, "refund": 1000}},
            {"amount": {"total": 8800, "refund": "1000"}},
            {"amount": {"total": 8800, "refund": -1000}},
            {"out_trade_no": "ANOTHERORDER"},
            {"transaction_id": "4200000000000000000000000000"},
            {"out_refund_no": "R-NOBODY"},
            {"mchid": "1900000110"},
            {"refund_status": "DONE"},
        ]
        for row in rows:
            with (
                self.subTest(row),
                mute_logger(LOGGER),
                self._assert_nothing_changes(self.refund, self.transaction),
            ):
                status = self._notify_refund(self._make() | row, event="REFUND.SUCCESS")
                self.assertTrue(400 <= status < 500, status)
