"""Attacks and faults at the notify route: real requests, really signed, nothing replaced on the way."""

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch
from urllib.parse import quote_plus

import requests
from odoo.tests import tagged

from . import keyring
from .common import AlipayHttpCase


@tagged("post_install", "-at_install")
class TestNotifyRoute(AlipayHttpCase):
    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction()

    # --- it works -------------------------------------------------------------------------------------------------

    def test_a_paid_order_is_done_and_post_processing_is_woken(self):
        woken = self._count_wakes()
        self.assertTaken(self._notify(self.transaction))
        self.assertPaid(self.transaction)
        self.assertEqual(self._count_wakes(), woken + 1)
        self.assertTaken(self._notify(self.transaction))
        self.assertEqual(self._count_wakes(), woken + 2, "it had not got there, so it is woken again")
        self.transaction._post_process()
        self.assertTaken(self._notify(self.transaction))
        self.assertEqual(self._count_wakes(), woken + 2)

    def _count_wakes(self):
        cron = self.env.ref("payment.cron_post_process_payment_tx")
        return self.env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)])

    def test_nothing_is_asked_of_anybody_while_a_notice_is_taken(self):
        sent, real = [], requests.Session.send

        def send(session, request, **options):
            sent.append(request.url)
            return real(session, request, **options)

        with patch.object(requests.Session, "send", send):
            self.assertTaken(self._notify(self.transaction))
            self.assertRefused(self._notify(self.transaction, owner="stranger"))
        self.assertEqual({url.split("/payment/")[0] for url in sent}, {self.base_url()})

    def test_a_waiting_order_is_pending_and_a_closed_one_is_cancelled(self):
        self.assertTaken(self._notify(self.transaction, trade_status="WAIT_BUYER_PAY", gmt_payment=None))
        self.assertEqual(self.transaction.state, "pending")
        self.assertTaken(self._notify(self.transaction, trade_status="TRADE_CLOSED", gmt_payment=None))
        self.assertEqual(self.transaction.state, "cancel")

    # --- signature ------------------------------------------------------------------------------------------------

    def test_case_01_to_05_a_notice_not_signed_by_alipay_changes_nothing(self):
        good = self._get_notice(self.transaction)
        body = keyring.encode(good)
        rows = {
            "no signature": {name: value for name, value in good.items() if name != "sign"},
            "empty signature": good | {"sign": ""},
            "bad base64": good | {"sign": "***"},
            "another key": self._get_notice(self.transaction, owner="stranger"),
            "our own key": self._get_notice(self.transaction, owner="app"),
            "one character changed": body.replace("TRADE_SUCCESS", "TRADE_SUCCESs"),
            "a parameter taken away": {name: value for name, value in good.items() if name != "notify_id"},
            "a parameter added": good | {"fund_bill_list": "[]"},
            "nothing": "",
            "no form": b"\xff\xfe\x00",
            "JSON": '{"out_trade_no": "x"}',
        }
        for title, params in rows.items():
            with self.subTest(title):
                self.assertRefused(self._post_notice(params), 400)
                self.assertUntouched(self.transaction)

    def test_parameters_in_the_address_do_not_count(self):
        good = self._get_notice(self.transaction)
        path = f"/payment/alipay/notify/{self.provider.id}?{keyring.encode(good)}"
        response = self.url_open(
            path, data="x=1", headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        self.assertEqual(response.status_code, 400)
        self.assertUntouched(self.transaction)
        self.assertEqual(self.url_open(path).status_code, 405)

    # --- repetition -----------------------------------------------------------------------------------------------

    def test_case_09_the_same_notice_twice_pays_once(self):
        params = self._get_notice(self.transaction)
        self.assertTaken(self._post_notice(params))
        self.transaction._post_process()
        changed_at = self.transaction.last_state_change
        self.assertTaken(self._post_notice(params))
        self.assertPaid(self.transaction)
        self.assertTrue(self.transaction.is_post_processed, "not to be processed again")
        self.assertEqual(self.transaction.last_state_change, changed_at)

    def test_case_10_twenty_copies_at_once_pay_once(self):
        body = keyring.encode(self._get_notice(self.transaction))
        url = f"{self.base_url()}/payment/alipay/notify/{self.provider.id}"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with self.allow_requests():
            cookies = self.opener.cookies.get_dict()

            def post(_number):
                return requests.post(url, data=body, headers=headers, cookies=cookies, timeout=60).text

            with ThreadPoolExecutor(20) as pool:
                answers = list(pool.map(post, range(20)))
        self.env.invalidate_all()
        self.assertEqual(answers, ["success"] * 20)
        self.assertPaid(self.transaction)

    # --- whose notice ---------------------------------------------------------------------------------------------

    def test_case_13_and_30_another_merchant_s_notice_is_refused(self):
        self.assertRefused(self._notify(self.transaction, seller_id="2088000000000002"), 400)
        self.assertRefused(self._notify(self.transaction, seller_id=None), 400)
        self.assertRefused(self._notify(self.transaction, seller_id=""), 400)
        self.assertUntouched(self.transaction)

    def test_case_14_and_30_another_application_s_notice_is_refused(self):
        self.assertRefused(self._notify(self.transaction, app_id="2021000000000002"), 400)
        self.assertRefused(self._notify(self.transaction, app_id=None), 400)
        self.assertUntouched(self.transaction)

    def test_case_15_a_notice_at_another_provider_s_address_is_refused(self):
        same_merchant = self._make_provider(name="Second Alipay")
        other_keys = self._make_provider(
            name="Third Alipay",
            alipay_public_key=keyring.get_public_text(keyring.make_key("alipay_next"), pem=False),
        )
        params = self._get_notice(self.transaction)
        self.assertRefused(self._post_notice(params, same_merchant), 404)
        self.assertRefused(self._post_notice(params, other_keys), 400)
        foreign = self.env["payment.provider"].search([("code", "!=", "alipay")], limit=1)
        self.assertRefused(self._post_notice(params, foreign), 404)
        for number in (0, 2**31, 10**30):
            path = f"/payment/alipay/notify/{number}"
            self.assertEqual(self.url_open(path, data=keyring.encode(params)).status_code, 404)
        self.assertUntouched(self.transaction)

    def test_case_16_a_reference_of_another_company_or_database_is_refused(self):
        company = self.env["res.company"].create({"name": "Other Company", "currency_id": self.currency.id})
        provider = self._make_provider(company_id=company.id)
        foreign = self._make_transaction(provider=provider)
        self.assertRefused(self._notify(foreign), 404)
        self.assertUntouched(foreign)
        mark = self.env["payment.transaction"]._alipay_get_database_mark()
        other = self.transaction.reference.replace(mark, "0BADBA5E")
        self.assertRefused(self._notify(self.transaction, out_trade_no=other), 404)
        self.assertUntouched(self.transaction)

    def test_case_17_an_unknown_reference_is_refused(self):
        for reference in (
            "UNKNOWN_1",
            self.transaction.reference + "X",
            self.transaction.reference.lower(),
            "%",
        ):
            self.assertRefused(self._notify(self.transaction, out_trade_no=reference), 404)
        self.assertRefused(self._notify(self.transaction, out_trade_no=None), 400)
        self.assertUntouched(self.transaction)

    # --- amount ---------------------------------------------------------------------------------------------------

    def test_case_18_another_amount_never_pays(self):
        for amount in ("99.99", "100.01", "0.01", "0.00", "1.00", "10000.00", "10000"):
            with self.subTest(amount=amount):
                self.assertRefused(self._notify(self.transaction, total_amount=amount), 409)
                self.assertUntouched(self.transaction)
        for amount in (None, "", "abc", "1e2", "100.000", "-100.00", "+100.00", "１００.00", "100,00", "NaN"):
            with self.subTest(amount=amount):
                self.assertRefused(self._notify(self.transaction, total_amount=amount), 400)
                self.assertUntouched(self.transaction)

    def test_case_19_a_wrong_amount_stays_wrong_when_repeated(self):
        params = self._get_notice(self.transaction, total_amount="0.01")
        for _ in range(3):
            self.assertRefused(self._post_notice(params), 409)
            self.assertUntouched(self.transaction)
        self.assertEqual(
            self._find_cases(self.transaction).mapped("kind"), ["amount_differs"], "one case, once"
        )

    def test_case_19_the_right_amount_after_a_wrong_one_pays(self):
        self.assertRefused(self._notify(self.transaction, total_amount="0.01"), 409)
        self.assertTaken(self._notify(self.transaction))
        self.assertPaid(self.transaction)

    def test_case_20_what_is_not_in_yuan_is_not_paid_with_alipay(self):
        euro = self.env.ref("base.EUR")
        euro.active = True
        self.assertEqual(self.provider.available_currency_ids.mapped("name"), ["CNY"])
        transaction = self._make_transaction(currency_id=euro.id)
        self.assertRefused(self._notify(transaction), 409)
        self.assertUntouched(transaction)

    # --- state ----------------------------------------------------------------------------------------------------

    def test_case_21_status_and_traces_must_agree(self):
        self.assertRefused(self._notify(self.transaction, trade_status="SUCCESS"), 400)
        self.assertRefused(self._notify(self.transaction, trade_status=None), 400)
        self.assertUntouched(self.transaction)
        self._notify(self.transaction, trade_status="WAIT_BUYER_PAY")  # with a time of payment
        self.assertNotEqual(self.transaction.state, "done")

    def test_case_22_a_trade_that_paid_one_order_pays_no_other(self):
        self.assertTaken(self._notify(self.transaction))
        other = self._make_transaction()
        self.assertRefused(self._notify(other), 409)
        self.assertUntouched(other)
        self.assertEqual(self._find_cases(other).mapped("kind"), ["reference_reused"])

    def test_case_23_a_second_trade_for_a_paid_order_changes_nothing(self):
        self.assertTaken(self._notify(self.transaction))
        self.assertRefused(self._notify(self.transaction, trade_no="2026112122001499999"), 409)
        self.assertPaid(self.transaction)
        self.assertEqual(self._find_cases(self.transaction).mapped("kind"), ["paid_twice"])

    def test_case_24_paid_after_cancel_or_error_is_not_lost(self):
        cancelled, failed = self.transaction, self._make_transaction()
        cancelled._set_canceled()
        failed._set_error("no answer")
        self.assertTaken(self._notify(cancelled))
        self.assertTaken(self._notify(failed, trade_no="2026112122001400002"))
        self.assertPaid(cancelled)
        self.assertPaid(failed, "2026112122001400002")
        self.assertTrue(cancelled.gateway_late and failed.gateway_late)

    def _find_cases(self, transaction):
        return self.env["payment.gateway.case"].search([("transaction_id", "=", transaction.id)])

    def test_case_25_closed_or_waiting_after_paid_changes_nothing(self):
        self.assertTaken(self._notify(self.transaction))
        self.transaction._post_process()
        for changes in (
            {"trade_status": "TRADE_CLOSED", "gmt_payment": None},
            {"trade_status": "WAIT_BUYER_PAY", "gmt_payment": None},
            {"trade_status": "TRADE_CLOSED"},
        ):
            self.assertTaken(self._notify(self.transaction, **changes))
            self.assertPaid(self.transaction)
            self.assertTrue(self.transaction.is_post_processed)

    def test_case_26_a_notice_about_a_refund_s_number_finds_no_order(self):
        self.assertTaken(self._notify(self.transaction))
        refund = self._make_refund(self.transaction, 30.0)
        answer = self._notify(
            self.transaction, out_trade_no=refund.reference, total_amount="30.00", trade_no="1"
        )
        self.assertRefused(answer, 404)
        self.assertEqual(refund.state, "draft")

    def test_case_27_notices_of_refunds_neither_pay_nor_cancel(self):
        refund = {"refund_fee": "30.00", "gmt_refund": "2026-11-21 11:00:00.123", "out_biz_no": "R_1"}
        full = refund | {"refund_fee": "100.00", "trade_status": "TRADE_CLOSED"}
        unpaid = self._make_transaction()
        for changes in (refund, full):
            self.assertTaken(self._notify(unpaid, **changes))
            self.assertNotIn(unpaid.state, ("done", "cancel"))
        self.assertTaken(self._notify(self.transaction))
        self.transaction._post_process()
        for changes in (refund, full, refund):
            self.assertTaken(self._notify(self.transaction, **changes))
            self.assertPaid(self.transaction)
            self.assertTrue(self.transaction.is_post_processed, "not credited again")

    def test_case_27_refunds_nobody_here_asked_for_are_cases(self):
        refund = {"refund_fee": "30.00", "gmt_refund": "2026-11-21 11:00:00"}
        self.assertTaken(self._notify(self.transaction))
        ours = self._make_refund(self.transaction, 30.0)
        self.assertTaken(self._notify(self.transaction, out_biz_no=ours.reference, **refund))
        self.assertFalse(self._find_cases(self.transaction))
        for _ in range(2):
            self.assertTaken(self._notify(self.transaction, out_biz_no="FROM_ALIPAY_S_PAGE", **refund))
        self.assertEqual(self._find_cases(self.transaction).mapped("kind"), ["state_differs"])
        cancelled = self._make_transaction()
        cancelled._set_canceled()
        self.assertTaken(self._notify(cancelled, **refund))
        self.assertEqual(cancelled.state, "cancel")
        self.assertEqual(self._find_cases(cancelled).mapped("kind"), ["state_differs"])

    def test_case_28_finished_months_later_changes_nothing_and_alone_it_pays(self):
        self.assertTaken(self._notify(self.transaction))
        self.transaction._post_process()
        self.assertTaken(self._notify(self.transaction, trade_status="TRADE_FINISHED"))
        self.assertPaid(self.transaction)
        self.assertTrue(self.transaction.is_post_processed)
        other = self._make_transaction()
        self.assertTaken(self._notify(other, trade_status="TRADE_FINISHED", trade_no="2"))
        self.assertPaid(other, "2")

    def test_case_29_weaker_missing_and_double_parameters_are_refused(self):
        for sign_type in ("RSA", "MD5", "rsa2", "", None):
            self.assertRefused(self._notify(self.transaction, sign_type=sign_type), 400)
        good = self._get_notice(self.transaction, total_amount="0.01")
        for extra in ("total_amount=100.00", "sign_type=RSA2", "out_trade_no=x"):
            for body in (f"{keyring.encode(good)}&{extra}", f"{extra}&{keyring.encode(good)}"):
                self.assertRefused(self._post_notice(body), 400)
        self.assertUntouched(self.transaction)

    def test_case_31_a_forged_return_pays_nothing(self):
        params = self._get_notice(self.transaction, owner="stranger")
        signed = self._get_notice(self.transaction)
        for query in (
            "",
            keyring.encode(params),
            keyring.encode(signed),
            f"out_trade_no={quote_plus('../x')}",
        ):
            response = self.url_open(f"/payment/alipay/return?{query}", allow_redirects=False)
            self.assertEqual(response.status_code, 303)
            self.assertTrue(response.headers["Location"].endswith("/payment/status"))
            self.env.invalidate_all()
            self.assertUntouched(self.transaction)

    # --- provider's state and settings ----------------------------------------------------------------------------

    def test_case_39_a_disabled_or_differently_meant_provider_takes_nothing(self):
        self.provider.state = "disabled"
        self.assertRefused(self._notify(self.transaction), 404)
        self.provider.state = "enabled"
        self.assertRefused(self._notify(self.transaction), 404)  # made in test mode, heard in real life
        live = self._make_transaction()
        self.provider.state = "test"
        self.assertRefused(self._notify(live), 404)  # made in real life, paid with play money
        self.assertUntouched(self.transaction)
        self.assertUntouched(live)

    def test_case_42_old_and_new_key_are_both_valid_and_a_removed_one_is_not(self):
        texts = [keyring.get_public_text(keyring.make_key(owner)) for owner in ("alipay", "alipay_next")]
        self.provider.alipay_public_key = "\n".join(texts)
        other = self._make_transaction()
        self.assertTaken(self._notify(self.transaction, owner="alipay"))
        self.assertTaken(self._notify(other, owner="alipay_next", trade_no="2"))
        self.provider.alipay_public_key = texts[1]
        late = self._make_transaction()
        self.assertRefused(self._notify(late, owner="alipay", trade_no="3"), 400)
        self.assertTaken(self._notify(late, owner="alipay_next", trade_no="3"))

    def test_case_42_in_certificate_mode_the_named_certificate_must_be_ours(self):
        texts = {owner: keyring.make_certificate(owner) for owner in ("alipay", "alipay_next")}
        self.provider.write(
            {
                "alipay_key_mode": "certificate",
                "alipay_app_certificate": keyring.make_certificate("app"),
                "alipay_gateway_certificate": "".join(texts.values()),
                "alipay_root_certificate": keyring.make_certificate("authority", ca=True),
            }
        )
        numbers = list(self.provider._alipay_get_keys_sudo().by_number)
        self.assertRefused(self._notify(self.transaction, alipay_cert_sn="0" * 32), 400)
        self.assertRefused(self._notify(self.transaction, alipay_cert_sn=numbers[1]), 400)
        self.assertTaken(self._notify(self.transaction, alipay_cert_sn=numbers[0]))

    def test_case_43_logs_hold_neither_keys_nor_payers_nor_bodies(self):
        with self.assertLogs("odoo", "DEBUG") as logs:
            self.assertTaken(self._notify(self.transaction))
            self.assertRefused(self._notify(self.transaction, owner="stranger"), 400)
            self.assertRefused(self._notify(self.transaction, trade_no="9"), 409)
        text = "\n".join(line for line in logs.output if "odoo.sql_db" not in line)
        self.assertIn(self.transaction.reference, text)
        sign = self._get_notice(self.transaction)["sign"]
        secrets = ["yan***", "163.com", sign[:40], self.provider.alipay_private_key[:40], "PRIVATE KEY"]
        for secret in [*secrets, self.provider.alipay_public_key[40:80]]:
            self.assertNotIn(secret, text)

    def test_an_oversize_notice_is_refused(self):
        good = keyring.encode(self._get_notice(self.transaction))
        self.assertRefused(self._post_notice(good + "&x=" + "1" * 100_000))
        self.assertUntouched(self.transaction)
