"""The state of a switch in the tenant's words, for every pair of wanted and reported."""

from odoo.tests import tagged

from .common import PortalData

#: wanted, wanted by, reported -> state, words that must be in the hint
ROWS = (
    (None, None, "on", "on", ""),
    (None, None, "unknown", "unknown", ""),
    (None, None, "pending", "unknown", ""),
    (None, None, "off", "off", "property office"),
    ("on", "policy", "on", "on", ""),
    ("on", "policy", "off", "coming", "few seconds"),
    ("on", "policy", "pending", "coming", "few seconds"),
    ("on", "operator", "unknown", "coming", "few seconds"),
    ("off", "policy", "off", "off", "Top up"),
    ("off", "operator", "off", "off", "property office"),
    ("off", "policy", "on", "going", "about to be"),
    ("off", "policy", "pending", "going", "about to be"),
)


@tagged("post_install", "-at_install")
class TestSupply(PortalData):
    def setUp(self):
        super().setUp()
        self.switch = self.env["meter.switch"].search([("service_point_id", "=", self.point.id)])

    def get_point(self):
        self.env.invalidate_all()
        return self.contract._get_portal_points()[0]

    def test_every_pair_of_wanted_and_reported_has_its_words(self):
        self.switch.circuit_id.live_id.sudo().is_silent = False
        for desired, source, reported, state, hint in ROWS:
            with self.subTest(f"{desired} {source} {reported}"), self.env.cr.savepoint() as savepoint:
                if desired:
                    self.switch._set_desired(desired, "test", source, force=True)
                self.switch.write({"reported": reported, "reported_at": self.env.cr.now()})
                point = self.get_point()
                self.assertEqual(point["state"], state)
                self.assertIn(hint, point["hint"])
                self.assertTrue(point["label"] and point["state_icon"])
                savepoint.rollback()
                self.env.invalidate_all()

    def test_a_meter_that_does_not_answer_is_told(self):
        self.switch._set_desired("on", "test", "policy")
        self.switch.circuit_id.live_id.sudo().is_silent = True
        point = self.get_point()
        self.assertEqual(point["state"], "coming")
        self.assertIn("does not answer", point["hint"])

    def test_a_breaker_that_only_a_hand_closes_promises_no_seconds(self):
        model = self.switch.meter_id.model_id
        model.definition = model.definition | {"switch": {"kind": "dlt645", "off": "1A", "close": "by_hand"}}
        self.switch._set_desired("off", "test", "policy", force=True)
        self.switch.write({"reported": "off", "reported_at": self.env.cr.now()})
        self.assertIn("closes the breaker by hand", self.get_point()["hint"])
        self.switch._set_desired("on", "test", "policy")
        point = self.get_point()
        self.assertEqual(point["state"], "coming")
        self.assertIn("when somebody has closed it by hand", point["hint"])

    def test_power_is_what_flows_behind_the_transformers(self):
        circuit = self.switch.circuit_id
        circuit.meter_id.ct_ratio = 40
        self.env.flush_all()
        self.env.cr.execute("UPDATE meter_live SET power_kw = 0.5 WHERE circuit_id = %s", [circuit.id])
        self.assertEqual(self.get_point()["power_kw"], 20)

    def test_water_without_a_valve_counts_as_on(self):
        water = self.make_shop(
            "A-101", self.make_tariff("Water", "water", structure="flat", price=5), model="cjt188-cold"
        )
        points = {point["id"]: point for point in self.contract._get_portal_points()}
        self.assertEqual(points[water.id]["state"], "none")
        self.assertEqual(points[water.id]["label"], "Water is on")

    def test_points_of_the_present_tenant_only(self):
        self.assertEqual(len(self.contract._get_portal_points()), 1)
        self.assertEqual(self.contract_c._get_portal_points(), [])

    def test_reasons_of_operators_are_not_told_to_tenants(self):
        self.switch._set_desired("off", "SECRET REASON", "operator")
        self.switch.write({"reported": "off"})
        self.assertNotIn("SECRET", str(self.get_point()))
