"""What the pages say is what was measured, charged and entered."""

import re
from datetime import date
from decimal import Decimal

from odoo import fields
from odoo.tests import tagged

from .common import PortalCase

ODD = (
    "",
    "abc",
    "-1",
    "0",
    "9" * 40,
    "1e5",
    "2025-13",
    "2025-02-31",
    "1999-01",
    "2025-8",
    "<script>",
    "٢٠٢٥-٠٨",
    "None",
    "../..",
)


@tagged("post_install", "-at_install")
class TestPages(PortalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_readings()

    def setUp(self):
        super().setUp()
        self.base = f"/my/utility/{self.contract.id}"
        self.sign_in(self.alice)

    def get_text(self, path):
        """The words of a page, markup and runs of blanks taken out."""
        main = self.get_page(path).split("<main", 1)[1].split("</main>")[0]
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main).replace("\xa0", " "))

    # --- charges ----------------------------------------------------------------------------------------------

    def test_a_charge_tells_readings_quantity_price_and_version(self):
        text = self.get_text(f"{self.base}/charges?day=2025-08-02")
        for words in (
            "08-02 00:00 1,100.00",
            "08-03 00:00 1,140.00",
            "40.00 kWh",
            "40 kWh × 0.85",
            "Charged ¥ 34.00",
            "Price list Flat",
            "Single charges (2)",
        ):
            self.assert_says(text, words)

    def test_tiers_and_rates_are_told_one_by_one(self):
        label = self.contract._get_portal_price_label
        self.assertEqual(
            label({"line": "tier", "tier": 1, "above": "0", "upto": "230.0000"}), "Tier 1 (0–230)"
        )
        self.assertEqual(label({"line": "tier", "tier": 2, "above": "230"}), "Tier 2 (above 230)")
        self.assertEqual(label({"line": "rate", "rate": "t4"}), "Valley")
        tariff = self.make_tariff("Tiers", structure="tiered", tiers=((80, 0.5), (0, 0.8)))
        self.assign(self.point, tariff, "2025-08-04 00:00")
        self.read(("2025-08-04 00:00", "1160"))
        self.read(
            ("2025-08-04 12:00", "1190")
        )  # 60 kWh were used this month before: 20 more in the first tier
        text = self.get_text(f"{self.base}/charges?day=2025-08-04")
        self.assert_says(text, "Tier 1 (0–80)", "20 kWh × 0.5")
        self.assert_says(text, "Tier 2 (above 80)", "10 kWh × 0.8")

    def test_a_charge_over_several_days_shows_the_share_of_the_day(self):
        self.read(("2025-08-06 00:00", "1160"))
        self.read(("2025-08-09 00:00", "1190"))
        text = self.get_text(f"{self.base}/charges?day=2025-08-07")
        self.assert_says(text, "08-06 00:00")
        self.assert_says(text, "08-09 00:00")
        self.assert_says(text, "Its own share: 10.00 kWh, ¥ 8.50")

    def test_the_ratio_of_transformers_is_told(self):
        point = self.make_shop("A-104", self.flat, ct_ratio=40)
        contract = self.make_tenant("Big", point)
        contract.partner_id = self.contract.partner_id
        self.read(("2025-08-02 00:00", "1000"), ("2025-08-02 12:00", "1002"), point=point)
        text = self.get_text(f"/my/utility/{contract.id}/charges?day=2025-08-02")
        self.assert_says(text, "Ratio ×40")
        self.assert_says(text, "80.00 kWh")

    def test_single_charges_come_in_pages(self):
        rows = [
            (f"2025-08-05 {hour:02}:{minute:02}", str(1160 + hour + minute / 100))
            for hour in range(12)
            for minute in (0, 30)
        ]
        for row in rows:
            self.read(row)
        first = self.get_page(f"{self.base}/charges?day=2025-08-05")
        second = self.get_page(f"{self.base}/charges/page/2?day=2025-08-05")
        count = first.count('class="tp-charge"')
        self.assertEqual(count, 20)
        self.assertTrue(0 < second.count('class="tp-charge"') < 20)

    def test_odd_parameters_are_harmless(self):
        for odd in ODD:
            for path in ("charges", "use", "use.csv", "ledger", "topups", "notices"):
                with self.subTest(f"{path} {odd[:12]}"):
                    params = dict.fromkeys(("day", "month", "period", "kind", "step", "page"), odd)
                    self.assertEqual(self.get(f"{self.base}/{path}", params=params).status_code, 200)
        for path in ("charges", "topups", "notices"):
            for page in ("0", "abc", "-1", "9" * 40, "1.5", "%00", "٣"):
                with self.subTest(f"{path} {page[:12]}"):
                    self.assertIn(self.get(f"{self.base}/{path}/page/{page}").status_code, (200, 404))

    # --- ledger -----------------------------------------------------------------------------------------------

    def test_each_running_balance_follows_from_the_line_before(self):
        wallet = self.contract.wallet_id
        general = self.env["utility.kind"]
        for number, amount in enumerate(("50.00", "-12.34", "7.00")):
            kind = "topup" if amount[0] != "-" else "fee"
            at = fields.Datetime.to_datetime(f"2025-08-0{number + 3} 05:00:00")
            wallet._post_entry(kind, general, Decimal(amount), f"test,{number}", "x", at=at)
        self.read(("2025-08-06 00:00", "1160"), ("2025-08-06 12:00", "1170"))
        rows = self.contract._get_portal_ledger(date(2025, 8, 1), date(2025, 9, 1))
        before = Decimal(0)
        for row in reversed(rows):
            self.assertEqual(row["balance"], before + row["amount"])
            before = row["balance"]
        self.assertEqual(before, self.get_balance())
        self.assertEqual(sum(row["amount"] for row in rows), self.get_balance())

    def test_consumption_of_a_day_is_one_line(self):
        rows = self.contract._get_portal_ledger(date(2025, 8, 1), date(2025, 9, 1))
        self.assertEqual(
            [(row["day"], row["amount"], row["count"]) for row in rows],
            [(date(2025, 8, 3), Decimal("-17.00"), 1), (date(2025, 8, 2), Decimal("-34.00"), 2)],
        )

    def test_the_ledger_filters_by_kind(self):
        self.contract.wallet_id._post_entry(
            "topup",
            self.env["utility.kind"],
            Decimal("50.00"),
            "test,1",
            "x",
            at=fields.Datetime.to_datetime("2025-08-03 05:00:00"),
        )
        text = self.get_text(f"{self.base}/ledger?month=2025-08&kind=topup")
        self.assert_says(text, "+¥ 50.00")
        self.assert_silent(text, "−¥ 34.00")
        text = self.get_text(f"{self.base}/ledger?month=2025-08&kind=charge")
        self.assert_says(text, "−¥ 34.00")
        self.assert_silent(text, "+¥ 50.00 Balance")

    # --- use --------------------------------------------------------------------------------------------------

    def test_use_by_day_is_what_the_settlement_summed(self):
        use = self.contract._get_portal_use(self.point.kind_id, "day", date(2025, 8, 1))
        rows = {row["at"].day: (row["quantity"], row["amount"]) for row in use["rows"]}
        self.assertEqual(len(rows), 31)
        self.assertEqual(rows[2], (Decimal(40), Decimal("34.00")))
        self.assertEqual(rows[3], (Decimal(20), Decimal("17.00")))
        self.assertEqual((use["quantity"], use["amount"]), (Decimal(60), Decimal("51.00")))

    def test_use_by_month_and_the_period_before(self):
        self.read(("2025-09-02 00:00", "1160"), ("2025-09-02 12:00", "1250"))
        year = self.contract._get_portal_use(self.point.kind_id, "month", date(2025, 1, 1))
        self.assertEqual(
            {row["at"].month: row["quantity"] for row in year["rows"] if row["quantity"]}, {8: 60, 9: 90}
        )
        september = self.contract._get_portal_use(self.point.kind_id, "day", date(2025, 9, 1))
        self.assertEqual(september["before_quantity"], 60)
        text = self.get_text(f"{self.base}/use?period=2025-09")
        self.assert_says(text, "+50.0%")
        self.assert_says(text, "Compared with 2025-08")

    def test_the_list_can_be_saved(self):
        response = self.get(f"{self.base}/use.csv?period=2025-08&kind=power")
        self.assertIn("attachment", response.headers["Content-Disposition"])
        lines = response.content.decode("utf-8-sig").splitlines()
        self.assertEqual(lines[0], "Date,Use (kWh),Cost (¥)")
        self.assertEqual(len(lines), 32)
        day, quantity, amount = lines[2].split(",")
        self.assertEqual((day, Decimal(quantity), Decimal(amount)), ("2025-08-02", 40, 34))

    def test_before_the_first_reading_the_pages_say_what_comes(self):
        contract = self.make_tenant("New", self.make_shop("A-105", self.flat))
        contract.partner_id = self.contract.partner_id
        base = f"/my/utility/{contract.id}"
        rows = (
            (base, "Your first top-up will appear here"),
            (base, "The meter has not been read yet"),
            (f"{base}/ledger", "No entries in this month"),
            (f"{base}/topups", "No top-ups yet"),
            (f"{base}/notices", "No notices yet"),
            (f"{base}/charges", "Nothing was charged on this day"),
        )
        for path, words in rows:
            with self.subTest(path):
                self.assert_says(self.get_text(path), words)
        bare = self.env["contract.contract"].create(
            {"is_tenancy": True, "partner_id": self.contract.partner_id.id}
        )
        self.assert_says(self.get_text(f"/my/utility/{bare.id}/use"), "no metered supply")

    # --- notices and live -------------------------------------------------------------------------------------

    def test_notices_show_text_channel_and_delivery(self):
        self.env["prepaid.notice"].create(
            {
                "contract_id": self.contract.id,
                "kind": "warning_1",
                "subject": "Please top up",
                "text": "Balance <b>low</b>",
                "state": "delivered",
                "delivered_at": "2025-08-02 01:00:00",
            }
        )
        page = self.get_page(f"{self.base}/notices")
        self.assert_says(page, "Balance &lt;b&gt;low&lt;/b&gt;")
        text = self.get_text(f"{self.base}/notices")
        for words in ("Please top up", "E-mail", "Delivered", "2025-08-02 09:00"):
            self.assert_says(text, words)

    def test_live_pieces_follow_the_balance_and_hurry_while_something_is_switched(self):
        result, _error = self.call(f"{self.base}/live")
        self.assert_says(result["parts"]["balance"], "−¥\xa051.00")
        self.assertEqual(result["next_s"], 5)
        self.contract.wallet_id._post_entry(
            "topup", self.env["utility.kind"], Decimal("151.00"), "test,1", "x"
        )
        self.set_switch(self.point, "on", "off")
        result, _error = self.call(f"{self.base}/live")
        self.assert_says(result["parts"]["balance"], ">¥\xa0100.00<")
        self.assert_says(result["parts"]["supply"], 'data-state="coming"')
        self.assertEqual(result["next_s"], 2)

    def test_asking_again_and_again_stays_cheap(self):
        contract = self.contract
        contract._get_portal_live_values()
        self.env.invalidate_all()
        with self.assertQueryCount(60):
            contract._get_portal_live_values()

    # --- language ---------------------------------------------------------------------------------------------

    def test_the_language_is_the_tenants_own_and_stays(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        self.assert_says(self.get_text(self.base), "Balance")
        page = self.get_page(self.base)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page).group(1)
        response = self.url_open(
            "/my/utility/lang", data={"lang": "zh_CN", "next": self.base, "csrf_token": token}
        )
        self.assertEqual(response.status_code, 200)
        self.assert_says(response.text, "余额")
        self.assert_says(response.text, "充值")
        self.assertEqual(self.alice.lang, "zh_CN")
        self.assert_says(self.get_page(f"{self.base}/use"), "用量")

    def test_the_language_switch_leads_nowhere_else(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get_page(self.base)).group(1)
        for target in (
            "https://evil.example.com",
            "//evil.example.com",
            "/my/utility//evil",
            "/web",
            "/my/utility\\evil",
        ):
            with self.subTest(target):
                response = self.url_open(
                    "/my/utility/lang",
                    data={"lang": "en_US", "next": target, "csrf_token": token},
                    allow_redirects=False,
                )
                self.assertRegex(
                    response.headers["Location"], r"^(https?://127\.0\.0\.1:\d+)?(/en)?/my/utility$"
                )
        self.url_open("/my/utility/lang", data={"lang": "xx_XX", "next": self.base, "csrf_token": token})
        self.assertEqual(self.alice.lang, "en_US")
