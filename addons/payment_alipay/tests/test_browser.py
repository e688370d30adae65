"""The QR page in a browser."""

import json

from odoo.tests import tagged

from . import keyring
from .common import AlipayHttpCase
from .standin import ok

#: Wait for the countdown, let Alipay's notice arrive while the page is open, and see the page go on by itself.
CODE = """
(async () => {
    const time = document.querySelector(".o_alipay_qr_time");
    for (let i = 0; i < 100 && !/^14:[0-5]\\d$/.test(time.textContent); i++) {
        await new Promise((done) => setTimeout(done, 100));
    }
    const first = time.textContent;
    await new Promise((done) => setTimeout(done, 1500));
    if (!/^14:[0-5]\\d$/.test(first) || time.textContent === first) {
        throw new Error(`no countdown: ${first} ${time.textContent}`);
    }
    window.addEventListener("beforeunload", () => console.log("test successful"));
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const answer = await fetch(%(path)s, { method: "POST", headers, body: %(body)s });
    if ((await answer.text()) !== "success") {
        throw new Error("the notice was refused");
    }
})();
"""


@tagged("post_install", "-at_install")
class TestQrPage(AlipayHttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._start_standin()

    def test_the_page_counts_down_and_goes_on_when_the_notice_arrives(self):
        transaction = self._make_transaction(alipay_product="qr", landing_route="/my")
        self.standin.say(
            ok(
                "alipay.trade.precreate",
                out_trade_no=transaction.reference,
                qr_code="https://qr.alipay.com/bax0",
            )
        )
        values = {
            "path": json.dumps(f"/payment/alipay/notify/{self.provider.id}"),
            "body": json.dumps(keyring.encode(self._get_notice(transaction))),
        }
        token = transaction._alipay_get_access_token()
        self.browser_js(
            f"/payment/alipay/qr/{transaction.id}?access_token={token}",
            CODE % values,
            "Boolean(document.querySelector('.o_alipay_qr_time')?.textContent)",
        )
        self.assertPaid(transaction)
