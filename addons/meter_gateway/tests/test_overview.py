import time
from datetime import datetime, timedelta

import pytz
from odoo.exceptions import AccessError
from odoo.tests import HttpCase, tagged

from .common import MeterCase, MeterFactory

ZONE = pytz.timezone("Asia/Shanghai")


@tagged("post_install", "-at_install")
class TestOverview(MeterCase):
    def get_data(self, user=None, **options):
        overview = self.env["meter.overview"]
        return (overview.with_user(user) if user else overview).action_get_data(options)

    def get_cards(self, data):
        return {card["key"]: card for card in data["cards"]}

    def midnight(self, days=0):
        local = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
        return local.timestamp()

    def test_counts_of_the_cards(self):
        user = self.make_user("viewer", "property_manager", buildings=self.building)
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1", "switch": "off"}])
        self.switch.desired = "on"
        self.env["meter.alarm"]._open("gateway_offline", self.bus.gateway_id, "gone")
        self.env["meter.alarm"]._open("gateway_offline", self.other_bus.gateway_id, "not mine")
        cards = self.get_cards(self.get_data(user))
        self.assertEqual((cards["meters_power"]["value"], cards["meters_power"]["unit"]), ("1", "/ 1"))
        self.assertEqual((cards["meters_water"]["value"], cards["meters_water"]["state"]), ("0", "warning"))
        self.assertEqual((cards["switched_off"]["value"], cards["switched_off"]["state"]), ("1", "danger"))
        self.assertEqual((cards["alarms"]["value"], cards["alarms"]["state"]), ("1", "danger"))
        for card in cards.values():
            if card["action"]:
                self.assertTrue(self.env.ref(card["action"]), "a card leads somewhere")

    def test_energy_of_today_and_yesterday_by_the_sites_clock(self):
        midnight, yesterday = self.midnight(), self.midnight(1)
        self.ingest(
            [
                {"circuit": self.circuit, "at": yesterday + 60, "total": "10.00"},
                {"circuit": self.circuit, "at": yesterday + 3600 * 5, "total": "14.00"},
                {"circuit": self.circuit, "at": midnight, "total": "20.00"},
            ]
        )
        if time.time() > midnight + 120:
            self.ingest([{"circuit": self.circuit, "at": midnight + 60, "total": "21.50"}])
            expected = 1.5
        else:
            expected = 0
        [kind] = self.get_data()["energy"]["kinds"]
        self.assertEqual(
            (kind["code"], kind["total_yesterday"], kind["total_today"]), ("power", 10, expected)
        )
        self.assertEqual((kind["yesterday"][0], kind["yesterday"][5]), (4, 6))

    def test_rooms_are_coloured_by_state(self):
        contract = self.env["contract.contract"].create(
            {
                "name": "T",
                "partner_id": self.env["res.partner"].create({"name": "Tenant"}).id,
                "is_tenancy": True,
                "account_number": "900001",
            }
        )
        unit = self.point.unit_id
        self.env["property.occupancy"].create(
            {"unit_id": unit.id, "contract_id": contract.id, "start_at": "2026-01-01"}
        )

        def get_state():
            self.env.invalidate_all()
            floors = [floor for building in self.get_data()["buildings"] for floor in building["floors"]]
            return next(item["state"] for floor in floors for item in floor["units"] if item["id"] == unit.id)

        self.assertEqual(get_state(), "offline")
        rows = [
            {"circuit": meter.circuit_ids, "at": self.now - 5, "total": "1"}
            for meter in (self.meter, self.water_meter)
        ]
        self.ingest(rows)
        self.assertEqual(get_state(), "normal")
        self.ingest([{"circuit": self.circuit, "at": self.now - 4, "switch": "off"}])
        self.assertEqual(get_state(), "tripped")
        self.env["meter.alarm"]._open("switch_disobeyed", self.circuit, "x")
        self.assertEqual(get_state(), "alarm")

    def test_a_user_sees_the_own_buildings_only(self):
        user = self.make_user("viewer", "power_operator", buildings=self.building)
        data = self.get_data(user)
        self.assertEqual([building["name"] for building in data["buildings"]], [self.building.name])

    def test_somebody_without_a_role_sees_nothing(self):
        with self.assertRaises(AccessError):
            self.get_data(self.env["res.users"].create({"name": "x", "login": "nobody-overview"}))

    def test_one_site_of_many(self):
        other = self.make_building("ZZ")
        self.make_point(other, "Z-1")
        data = self.get_data(site_id=other.site_id.id)
        self.assertEqual([building["id"] for building in data["buildings"]], [other.id])
        self.assertGreaterEqual(len(data["sites"]), 2)

    def test_first_steps_until_readings_arrive(self):
        done = [step["done"] for step in self.get_data()["setup"]]
        self.assertEqual(done, [True, True, True, True, False])
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        self.assertEqual(self.get_data()["setup"], [])

    def test_energy_is_left_out_on_request(self):
        self.assertFalse(self.get_data(with_energy=False)["energy"])

    def test_cost_does_not_grow_with_the_rooms(self):
        self.get_data()
        with self.assertQueryCount(60):
            self.get_data()
        for number in range(30):
            self.make_point(self.building, f"A-5{number:02d}")
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertQueryCount(60):
            self.get_data()


@tagged("post_install", "-at_install")
class TestPanel(MeterCase):
    def test_live_values_are_exact_text(self):
        self.ingest(
            [
                {
                    "circuit": self.circuit,
                    "at": self.now,
                    "total": "12.30",
                    "voltage_v": "220.1",
                    "switch": "on",
                    "extras": '{"voltage_b_v": "221.0"}',
                }
            ]
        )
        panel = self.meter.action_get_panel()
        [circuit] = panel["circuits"]
        self.assertEqual((panel["state"], panel["unit"], circuit["total"]), ("online", "kWh", "12.30"))
        self.assertEqual(
            [(item["key"], item["value"]) for item in circuit["values"]], [("voltage_v", "220.1")]
        )
        self.assertEqual(circuit["switch"]["reported"], "on")
        self.assertEqual([item["value"] for item in circuit["extras"]], ["221.0 V"])

    def test_a_curve_has_about_two_hundred_points(self):
        rows = [
            {"circuit": self.circuit, "at": self.now - 60 * i, "total": f"{5000 - i}", "power_kw": "1.5"}
            for i in range(1000)
        ]
        self.ingest(rows)
        curve = self.meter.action_get_curve(self.circuit.id, "24h")
        self.assertLess(len(curve["points"]), 200)
        self.assertGreater(len(curve["points"]), 100)
        self.assertEqual(curve["points"][-1][1:3], [5000.0, 1.5])

    def test_nobody_sees_the_curve_of_another_building(self):
        user = self.make_user("op", "power_operator", buildings=self.building)
        for method, args in (
            ("action_get_panel", ()),
            ("action_get_curve", (self.far_meter.circuit_ids.id, "24h")),
        ):
            with self.assertRaises(AccessError):
                getattr(self.far_meter.with_user(user), method)(*args)
        self.ingest([{"circuit": self.far_meter.circuit_ids, "at": self.now, "total": "1"}])
        curve = self.meter.with_user(user).action_get_curve(self.far_meter.circuit_ids.id, "24h")
        self.assertEqual(curve["points"], [], "a circuit of another meter is not shown")


@tagged("post_install", "-at_install")
class TestOverviewPage(MeterFactory, HttpCase):
    """The page in a real browser: a console error fails it."""

    def test_the_page_opens_in_a_browser(self):
        building = self.make_building("WEB")
        bus = self.make_bus(self.make_connector("web"), building, "GWWEB")
        point = self.make_point(building, "W-1")
        meter = self.make_meter(bus, "4242", point=point)
        face = self.env["meter.connector"].with_user(bus.connector_id.user_id)
        self.env.flush_all()
        face.api_ingest(
            {"circuit_id": meter.circuit_ids.ids, "at": [time.time()], "total": ["1.00"], "switch": ["on"]}
        )
        self.browser_js(
            "/odoo/utility-overview",
            """
            const unit = [...document.querySelectorAll(".o_meter_unit b")].find((el) => el.textContent === "W-1");
            if (!unit) { throw new Error("the room is not on the page"); }
            if (!document.querySelector(".o_meter_card[data-key='meters_power']")) { throw new Error("no card"); }
            if (!document.querySelector(".o_meter_energy canvas")) { throw new Error("no chart"); }
            console.log("test successful");
            """,
            ready="!!document.querySelector('.o_meter_unit') && !!document.querySelector('.o_meter_energy canvas')",
            login="admin",
        )

    def test_the_meters_page_opens_in_a_browser(self):
        building = self.make_building("WEB2")
        bus = self.make_bus(self.make_connector("web2"), building, "GWWEB2")
        meter = self.make_meter(bus, "4243")
        face = self.env["meter.connector"].with_user(bus.connector_id.user_id)
        self.env.flush_all()
        face.api_ingest(
            {"circuit_id": meter.circuit_ids.ids, "at": [time.time()], "total": ["77.25"], "switch": ["off"]}
        )
        self.browser_js(
            f"/odoo/meter.meter/{meter.id}",
            """
            if (!document.querySelector(".o_switch_off")) { throw new Error("the switch is not shown as off"); }
            if (!document.querySelector(".o_meter_tile_total").textContent.includes("77.25")) { throw new Error("no register"); }
            if (!document.querySelector(".o_meter_curve canvas")) { throw new Error("no curve"); }
            console.log("test successful");
            """,
            ready="!!document.querySelector('.o_meter_curve canvas')",
            login="admin",
        )
