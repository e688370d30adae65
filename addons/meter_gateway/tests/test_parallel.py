"""Two connections at once: what REPEATABLE READ and the unique key do to a batch that is sent twice."""

import time
import uuid

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.service.model import retrying
from odoo.tests import BaseCase, get_db_name, tagged
from odoo.tools import mute_logger

from .common import MeterFactory


@tagged("post_install", "-at_install", "meter_parallel")
class TestParallel(BaseCase):
    """Works with real, committed transactions, so it makes its own records and takes them away again."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        self.code = f"par{uuid.uuid4().hex[:8]}"
        with self.registry.cursor() as cr:
            factory = self.get_factory(cr)
            building = factory.make_building(self.code)
            connector = factory.make_connector(self.code)
            bus = factory.make_bus(connector, building, self.code)
            meters = [factory.make_meter(bus, f"{int(self.code[3:], 16)}{i}") for i in range(3)]
            self.user_id = connector.user_id.id
            self.circuit_ids = [meter.circuit_ids.id for meter in meters]
            self.switch_id = meters[0].switch_ids.id
        self.addCleanup(self.clean)

    def get_factory(self, cr):
        class Factory(MeterFactory):
            env = api.Environment(cr, SUPERUSER_ID, {"tracking_disable": True})

        return Factory

    def clean(self):
        """Readings cannot be deleted: what is left is archived and out of the way."""
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            circuits = env["meter.circuit"].browse(self.circuit_ids)
            circuits.meter_id.active = False
            connector = env["meter.connector"].search([("code", "=", self.code)])
            connector.user_id.active = False
            connector.active = False

    def run_overlapping(self, first, second):
        """Two transactions whose snapshots are both taken before either works; the first commits before the second.

        Like RPC calls, the second is tried again when PostgreSQL finds that it cannot be in order. Returns both answers
        and how often the second was tried.
        """
        with self.registry.cursor() as early, self.registry.cursor() as late:
            envs = [api.Environment(cr, self.user_id, {}) for cr in (early, late)]
            for env in envs:
                env.cr.execute("SELECT 1")
            answers = [first(envs[0])]
            early.commit()
            tries = []

            def call():
                tries.append(1)
                return second(envs[1])

            answers.append(retrying(call, envs[1]))
        return answers, len(tries)

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_the_same_batch_by_two_connections_is_stored_once(self):
        now = time.time()
        payload = {
            "batch": "twice",
            "circuit_id": self.circuit_ids * 50,
            "at": [now - i // 3 for i in range(150)],
            "total": [f"{i}.00" for i in range(150)],
        }

        def ingest(env):
            return env["meter.connector"].api_ingest(payload)

        answers, tries = self.run_overlapping(ingest, ingest)
        self.assertEqual(tries, 2, "the second did not see the first, and must not have stored a thing")
        self.assertEqual(answers[0], {"accepted": 150, "exceptions": []})
        self.assertEqual(
            answers[1], {"accepted": 0, "exceptions": [[i, "duplicate", ""] for i in range(150)]}
        )
        with self.registry.cursor() as cr:
            cr.execute("SELECT count(*) FROM meter_reading WHERE circuit_id = ANY(%s)", [self.circuit_ids])
            self.assertEqual(cr.fetchone()[0], 150)

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_two_wishes_at_once_leave_one_open_order(self):
        def wish(state):
            return lambda env: (
                env["meter.switch"].sudo().browse(self.switch_id)._set_desired(state, "x", "system").id
            )

        (trip_id, close_id), tries = self.run_overlapping(wish("off"), wish("on"))
        self.assertEqual(tries, 2)
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            trip, close = env["meter.order"].browse([trip_id, close_id])
            self.assertEqual((trip.state, close.state, close.generation), ("superseded", "pending", 2))
            self.assertEqual(env["meter.switch"].browse(self.switch_id).desired, "on")

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_payment_overtakes_the_report_of_a_trip(self):
        """The connector reports the trip while the payment is being booked: the newest wish is under way in the end."""
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            order_id = env["meter.switch"].browse(self.switch_id)._set_desired("off", "x", "system").id
        result = {
            "order_id": order_id,
            "generation": 1,
            "state": "confirmed",
            "reported": "off",
            "at": time.time(),
        }

        def pay(env):
            return env["meter.switch"].sudo().browse(self.switch_id)._set_desired("on", "paid", "topup").id

        def report(env):
            return env["meter.connector"].api_report({"results": [result]})

        (_close_id, answer), _tries = self.run_overlapping(pay, report)
        self.assertEqual(answer["exceptions"][0][1], "rejected")
        with self.registry.cursor() as cr:
            switch = api.Environment(cr, SUPERUSER_ID, {})["meter.switch"].browse(self.switch_id)
            self.assertEqual((switch.reported, switch.desired), ("off", "on"))
            self.assertEqual(switch._get_open_order().kind, "switch_on")
