"""From the transaction to the order, over real HTTP on both sides: the browser's and the gateway's."""

import json
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from odoo import fields
from odoo.addons.payment import utils as payment_utils
from odoo.tests import JsonRpcException, tagged
from odoo.tools import mute_logger

from ..const import OAUTH_ROUTE, PAY_ROUTE, STATUS_ROUTE
from . import gateway
from .common import DESKTOP, IN_WECHAT, PHONE, WechatpayCase, parse_order

PAY_LOGGERS = (
    "odoo.addons.payment_wechatpay.models.payment_transaction",
    "odoo.addons.payment_wechatpay.controllers.oauth",
    "odoo.http",
)
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


class PayCase(WechatpayCase):
    def setUp(self):
        super().setUp()
        self.gateway = self._start_gateway(self._serve)
        self._simulate(self.provider, self.gateway)
        self.provider.write(
            {
                "wechatpay_has_jsapi": True,
                "wechatpay_has_h5": True,
                "wechatpay_app_secret": "0123456789abcdef0123456789abcdef",
            }
        )
        self.answers = {
            "/v3/pay/transactions/native": {"code_url": "weixin://wxpay/bizpayurl?pr=NwY5Mz9"},
            "/v3/pay/transactions/jsapi": {"prepay_id": "wx201410272009395522657a690389285100"},
            "/v3/pay/transactions/h5": {
                "h5_url": "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=1"
            },
        }

    def _serve(self, _method, path, _headers, _body):
        path = path.partition("?")[0]
        if path == "/sns/oauth2/access_token":
            return (
                200,
                {},
                json.dumps({"access_token": "T", "openid": OPENID, "scope": "snsapi_base"}).encode(),
            )
        if path in self.answers:
            return gateway.answer(self.answers[path])
        return gateway.answer({"code": "ORDER_NOT_EXIST", "message": ""}, 404)

    def _open(self, transaction, user_agent=DESKTOP, **options):
        self.env.flush_all()
        response = self.url_open(
            f"{PAY_ROUTE}/{transaction.id}?access_token={transaction._get_wechatpay_token()}",
            headers={"User-Agent": user_agent},
            timeout=30,
            **options,
        )
        self.env.invalidate_all()
        return response

    def _ask_status(self, transaction, token=None):
        self.env.flush_all()
        result = self.make_jsonrpc_request(
            f"{STATUS_ROUTE}/{transaction.id}", {"access_token": token or transaction._get_wechatpay_token()}
        )
        self.env.invalidate_all()
        return result


@tagged("post_install", "-at_install")
class TestPayPage(PayCase):
    def test_qr_code_with_the_time_left(self):
        transaction = self._make_transaction()
        response = self._open(transaction)
        self.assertEqual(response.status_code, 200)
        self.assertIn('src="data:image/svg+xml;base64,', response.text)
        seconds = int(re.search(r'data-seconds-left="(\d+)"', response.text)[1])
        self.assertTrue(800 < seconds <= 900, seconds)
        order = parse_order(self.gateway.requests[0])
        self.assertEqual(order["amount"], {"total": 8800, "currency": "CNY"})
        self.assertEqual(order["out_trade_no"], transaction.reference)
        self.assertTrue(order["notify_url"].endswith(f"/payment/wechatpay/notify/{self.provider.id}"))
        self.assertNotIn("?", order["notify_url"])
        self.assertRegex(order["time_expire"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00$")
        self.assertEqual(transaction.state, "pending")

    def test_case_45_expiry_is_beijing_time_of_the_same_moment(self):
        transaction = self._make_transaction()
        self._open(transaction)
        text = parse_order(self.gateway.requests[0])["time_expire"]
        beijing = transaction.gateway_expires_at + timedelta(hours=8)
        self.assertEqual(text, beijing.strftime("%Y-%m-%dT%H:%M:%S+08:00"))

    def test_case_43_logs_of_an_order_hold_no_secret(self):
        transaction = self._make_transaction(wechatpay_kind="jsapi", wechatpay_openid=OPENID)
        with self.assertLogs(level="DEBUG") as logs:
            self._open(transaction)
        text = "\n".join(record.getMessage() for record in logs.records if "sql_db" not in record.name)
        sent = self.gateway.requests[0][2]["Authorization"]
        signature = re.search(r'signature="([^"]*)"', sent)[1]
        for secret in (gateway.API_V3_KEY, "PRIVATE KEY", signature, OPENID, "paySign", "prepay_id"):
            self.assertNotIn(secret, text)

    def test_page_again_orders_once(self):
        transaction = self._make_transaction()
        for _time in range(3):
            self._open(transaction)
        self.assertEqual(len(self.gateway.requests), 1)

    def test_case_37_order_whose_answer_was_lost_is_repeated_with_the_same_values(self):
        transaction = self._make_transaction()
        good = self.answers.pop("/v3/pay/transactions/native")
        lost = [(502, {}, b""), (200, {}, b'{"code_url":"weixin://evil"}')]
        for answer in lost:
            self.gateway.script = lambda *_request, answer=answer: answer
            with mute_logger(*PAY_LOGGERS):
                response = self._open(transaction)
            self.assertIn("o_wechatpay_reload", response.text)
            self.assertNotIn("data:image/svg+xml", response.text)
        self.answers["/v3/pay/transactions/native"] = good
        self.gateway.script = self._serve
        self.assertIn("data:image/svg+xml", self._open(transaction).text)
        bodies = {request[3] for request in self.gateway.requests}
        self.assertEqual((len(self.gateway.requests), len(bodies)), (3, 1))

    def test_page_needs_its_token(self):
        transaction = self._make_transaction()
        other = self._make_transaction()
        self.env.flush_all()
        for token in ("", "x", other._get_wechatpay_token()):
            with self.subTest(token):
                response = self.url_open(f"{PAY_ROUTE}/{transaction.id}?access_token={token}")
                self.assertEqual(response.status_code, 404)
        self.assertFalse(self.gateway.requests)

    def test_nothing_is_ordered_after_the_end(self):
        transaction = self._make_transaction()
        transaction.gateway_expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.assertIn("o_wechatpay_reload", self._open(transaction).text)
        transaction._set_canceled()
        response = self._open(transaction, allow_redirects=False)
        self.assertEqual((response.status_code, response.headers["Location"]), (303, "/payment/status"))
        self.assertFalse(self.gateway.requests)

    def test_phone_gets_a_link_to_the_app_and_back(self):
        transaction = self._make_transaction(wechatpay_kind="h5")
        response = self._open(transaction, PHONE)
        link = re.search(r'class="o_wechatpay_app[^>]*href="([^"]*)"', response.text)
        self.assertTrue(link, response.text[:2000])
        query = parse_qs(urlsplit(link[1].replace("&amp;", "&")).query)
        self.assertIn(f"{PAY_ROUTE}/{transaction.id}?access_token=", query["redirect_url"][0])
        scene = parse_order(self.gateway.requests[0])["scene_info"]
        self.assertEqual(scene, {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}})
        self.assertEqual(response.headers["Referrer-Policy"], "origin")
        transaction.wechatpay_code_at -= timedelta(minutes=5)
        self._open(transaction, PHONE)
        self.assertEqual(
            self.gateway.requests[0][3], self.gateway.requests[1][3], "the same order, a new link"
        )

    def test_status_asks_nobody_before_an_order_and_notices_the_payment(self):
        transaction = self._make_transaction()
        self.assertEqual(self._ask_status(transaction)["state"], "draft")
        self.assertFalse(self.gateway.requests)
        self._open(transaction)
        payment = gateway.make_payment(transaction.reference, 8800)
        self.answers[f"/v3/pay/transactions/out-trade-no/{transaction.reference}"] = payment
        status = self._ask_status(transaction)
        self.assertEqual((status["state"], status["is_final"]), ("done", True))
        self.assertEqual(transaction.provider_reference, payment["transaction_id"])

    def test_status_of_an_open_order_changes_nothing(self):
        transaction = self._make_transaction()
        self._open(transaction)
        for trade_state in ("NOTPAY", "CLOSED"):
            payment = gateway.make_payment(transaction.reference, 8800, trade_state=trade_state)
            self.answers[f"/v3/pay/transactions/out-trade-no/{transaction.reference}"] = payment
            self.assertFalse(self._ask_status(transaction)["is_final"])
        self.assertEqual(len(self.gateway.requests), 2, "the gateway is not asked at every poll")


@tagged("post_install", "-at_install")
class TestFromThePaymentForm(PayCase):
    """Odoo's own transaction route, as the payment form calls it."""

    def _create(self, user_agent=DESKTOP, **values):
        token = payment_utils.generate_access_token(self.partner.id, 88.0, self.currency.id, env=self.env)
        params = {
            "provider_id": self.provider.id,
            "payment_method_id": self.method.id,
            "token_id": None,
            "amount": 88.0,
            "currency_id": self.currency.id,
            "partner_id": self.partner.id,
            "access_token": token,
            "flow": "redirect",
            "tokenization_requested": False,
            "landing_route": "/payment/confirmation",
            "reference_prefix": "INV/2026/00001",
            "is_validation": False,
        }
        self.env.flush_all()
        result = self.make_jsonrpc_request(
            "/payment/transaction", params | values, headers={"User-Agent": user_agent}
        )
        self.env.invalidate_all()
        return result

    def test_browser_decides_the_way_and_the_form_leads_to_the_page(self):
        for user_agent, kind in ((DESKTOP, "native"), (PHONE, "h5"), (IN_WECHAT, "jsapi")):
            values = self._create(user_agent)
            transaction = self.env["payment.transaction"].search([("reference", "=", values["reference"])])
            with self.subTest(kind):
                self.assertEqual((transaction.wechatpay_kind, transaction.gateway_fen), (kind, 8800))
                self.assertNotIn("INV", transaction.reference)
                form = values["redirect_form_html"]
                action = re.search(r'action="([^"]*)"', form)[1]
                token = re.search(r'name="access_token" value="([^"]*)"', form)[1]
                page = self.url_open(
                    action,
                    params={"access_token": token},
                    headers={"User-Agent": user_agent},
                    allow_redirects=False,
                )
                self.assertEqual(page.status_code, 303 if kind == "jsapi" else 200)

    def test_case_32_values_of_the_browser_are_refused(self):
        for name, value in (
            ("wechatpay_openid", "oATTACKER"),
            ("gateway_fen", 1),
            ("custom_create_values", {"gateway_fen": 1}),
            ("reference", "MINE"),
        ):
            with self.subTest(name), mute_logger("odoo.http"), self.assertRaises(JsonRpcException):
                self._create(**{name: value})
        self.assertFalse(self.gateway.requests)

    def test_case_34_token_of_another_amount(self):
        for values in ({"amount": 0.01}, {"partner_id": self.env.user.partner_id.id}, {"access_token": "x"}):
            with self.subTest(values), mute_logger("odoo.http"), self.assertRaises(JsonRpcException):
                self._create(**values)


@tagged("post_install", "-at_install")
class TestPayInBrowser(PayCase):
    def _browse(self, transaction, code, ready):
        self.env.flush_all()
        self.browser_js(
            f"{PAY_ROUTE}/{transaction.id}?access_token={transaction._get_wechatpay_token()}",
            code,
            ready,
            timeout=60,
        )
        self.env.invalidate_all()

    def test_page_counts_down_and_notices_the_payment_by_itself(self):
        transaction = self._make_transaction()
        body = gateway.make_event(gateway.make_payment(transaction.reference, 8800))
        callback = json.dumps(
            {
                "method": "POST",
                "headers": {"Content-Type": "application/json"} | gateway.sign_headers(body),
                "body": body.decode(),
            }
        )
        code = f"""
            const text = () => document.querySelector(".o_wechatpay_countdown").textContent;
            const before = text();
            if (!/^1[45]:\\d\\d$/.test(before)) {{ console.error(`countdown shows ${{before}}`); }}
            setTimeout(async () => {{
                if (text() === before) {{ console.error("the countdown stands still"); }}
                const answer = await fetch("/payment/wechatpay/notify/{self.provider.id}", {callback});
                if (answer.status !== 200) {{ console.error(`callback: ${{answer.status}}`); }}
            }}, 2500);
            // the page leaves by itself: the next one is Odoo's
            window.addEventListener("beforeunload", () => console.log("test successful"));
        """
        self._browse(transaction, code, "!!document.querySelector('.o_wechatpay_countdown')?.textContent")
        self.assertEqual(transaction.state, "done")

    def test_payment_window_inside_wechat_is_no_proof_of_payment(self):
        transaction = self._make_transaction(wechatpay_kind="jsapi", wechatpay_openid=OPENID)
        code = """
            const asked = [];
            window.WeixinJSBridge = { invoke: (name, values, done) => {
                asked.push([name, values]);
                done({ err_msg: asked.length === 1 ? "get_brand_wcpay_request:cancel" : "get_brand_wcpay_request:ok" });
            } };
            document.dispatchEvent(new Event("WeixinJSBridgeReady"));
            const isShown = (name) => !document.querySelector(`.o_wechatpay_${name}`).classList.contains("d-none");
            const check = (isTrue, text) => isTrue || console.error(text);
            check(asked.length === 1 && asked[0][0] === "getBrandWCPayRequest", "the window was not opened");
            check(asked[0][1].package.startsWith("prepay_id=wx") && asked[0][1].paySign, "values are missing");
            check(isShown("failed") && !isShown("checking"), "cancelling is not told");
            document.querySelector(".o_wechatpay_start").click();
            check(asked.length === 2 && isShown("checking") && !isShown("failed"), "paying again is not possible");
            setTimeout(() => {
                check(location.pathname.startsWith("/payment/wechatpay/pay"), "the page took the window's word for it");
                console.log("test successful");
            }, 3000);
        """
        self._browse(transaction, code, "!!document.querySelector('.o_wechatpay_countdown')?.textContent")
        self.assertEqual(transaction.state, "pending")


@tagged("post_install", "-at_install")
class TestOauth(PayCase):
    def setUp(self):
        super().setUp()
        self.transaction = self._make_transaction(wechatpay_kind="jsapi")

    def _start(self):
        """Query of WeChat's address a payer without known openid is sent to."""
        response = self._open(self.transaction, IN_WECHAT, allow_redirects=False)
        self.assertEqual(response.status_code, 303)
        location = urlsplit(response.headers["Location"])
        self.assertEqual(location.path, "/connect/oauth2/authorize")
        return {name: values[0] for name, values in parse_qs(location.query).items()}

    def _return(self, **params):
        with mute_logger(*PAY_LOGGERS):
            return self.url_open(
                OAUTH_ROUTE, params=params, headers={"User-Agent": IN_WECHAT}, allow_redirects=False
            )

    def test_payer_is_asked_for_once_and_pays(self):
        query = self._start()
        self.assertEqual((query["scope"], query["appid"]), ("snsapi_base", gateway.APPID))
        response = self._return(code="CODE1", state=query["state"])
        self.assertEqual(response.status_code, 303)
        page = self._open(self.transaction, IN_WECHAT)
        self.assertIn("o_wechatpay_start", page.text)
        orders = [request for request in self.gateway.requests if request[1].endswith("/jsapi")]
        self.assertEqual(parse_order(orders[0])["payer"], {"openid": OPENID})
        self.assertIn("paySign", page.text)
        second = self._make_transaction(wechatpay_kind="jsapi")
        self.assertIn("o_wechatpay_start", self._open(second, IN_WECHAT).text)

    def test_case_46_state_counts_once_and_in_its_own_session_only(self):
        query = self._start()
        self.assertEqual(self._return(code="CODE1", state="0" * 32).status_code, 403)
        self.assertEqual(
            self._return(code="CODE1", state=query["state"]).status_code, 403, "used up by the attempt"
        )
        query = self._start()
        self.assertEqual(self._return(code="CODE1", state=query["state"]).status_code, 303)
        self.assertEqual(self._return(code="CODE1", state=query["state"]).status_code, 403)
        self.opener.cookies.clear()
        query = self._start()
        self.opener.cookies.clear()
        self.assertEqual(self._return(code="CODE1", state=query["state"]).status_code, 403)
        self.assertEqual(self._return(code="CODE1").status_code, 403)

    def test_case_46_code_that_wechat_refuses(self):
        for answer in (
            (200, {}, b'{"errcode":40163,"errmsg":"code been used"}'),
            (200, {}, b'{"openid": 5}'),
            (200, {}, b"{}"),
            (302, {"Location": "http://127.0.0.1:9"}, b""),
            (500, {}, b""),
        ):
            query = self._start()
            self.gateway.script = lambda *_request, answer=answer: answer
            with self.subTest(answer):
                self.assertEqual(self._return(code="CODE1", state=query["state"]).status_code, 403)

    def test_case_32_openid_from_the_browser_counts_nothing(self):
        url = f"{PAY_ROUTE}/{self.transaction.id}?access_token={self.transaction._get_wechatpay_token()}"
        self.env.flush_all()
        response = self.url_open(
            url + "&openid=oATTACKER&wechatpay_openid=oATTACKER",
            headers={"User-Agent": IN_WECHAT, "X-Openid": "oATTACKER"},
            allow_redirects=False,
        )
        self.assertEqual(response.status_code, 303)
        self.assertFalse(self.gateway.requests)

    def test_case_43_secret_of_the_app_is_in_no_log(self):
        query = self._start()
        with self.assertLogs(level="DEBUG") as logs:
            self._return(code="CODE1", state=query["state"])
        text = "\n".join(record.getMessage() for record in logs.records if "sql_db" not in record.name)
        self.assertNotIn(self.provider.wechatpay_app_secret, text)
        self.assertNotIn(OPENID, text)


@tagged("post_install", "-at_install")
class TestReference(WechatpayCase):
    def test_reference_is_legal_and_of_this_database(self):
        compute = self.env["payment.transaction"]._compute_reference
        first = compute("wechatpay")
        self.assertRegex(first, r"^[A-Z2-7]{6}\d{12}[A-Z2-7]{6}$")
        for prefix in ("INV/2026/0001", "水费", "x" * 60, "R-anything", "R-", None):
            with self.subTest(prefix):
                self.assertRegex(compute("wechatpay", prefix=prefix), r"^[A-Z2-7]{6}\d{12}[A-Z2-7]{6}$")
        uuid = self.env["ir.config_parameter"].sudo()
        uuid.set_param("database.uuid", "00000000-0000-0000-0000-000000000001")
        self.assertNotEqual(compute("wechatpay")[:6], first[:6])
        self.assertEqual(len({compute("wechatpay") for _time in range(50)}), 50)

    def test_refunds_carry_the_number_of_their_payment(self):
        transaction = self._make_transaction()
        transaction._set_done()
        references = [self._make_refund(transaction, 1).reference for _time in range(3)]
        base = f"R-{transaction.reference}"
        self.assertEqual(references, [base, f"{base}-1", f"{base}-2"])
