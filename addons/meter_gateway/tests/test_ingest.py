import json
import time
from decimal import Decimal

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..const import INGEST_COLUMNS
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestIngest(MeterCase):
    def get_reading(self, circuit, at):
        self.env.cr.execute(
            f"SELECT {', '.join(f'{name}::text' for name in INGEST_COLUMNS)} FROM meter_reading WHERE circuit_id = %s AND at = to_timestamp(%s) AT TIME ZONE 'utc'",
            [circuit.id, at],
        )
        return self.env.cr.dictfetchone()

    def test_a_reading_is_stored_exactly_as_sent(self):
        values = {
            "total": "123456.78",
            "t1": "1.10",
            "t2": "2.20",
            "t3": "3.30",
            "t4": "4.40",
            "voltage_v": "220.1",
            "current_a": "-1.234",
            "power_kw": "-0.2715",
            "power_factor": "-0.987",
            "switch": "on",
            "source": "on_demand",
            "extras": '{"voltage_b_v": "221.0"}',
        }
        self.assert_all_accepted(self.ingest([{"circuit": self.circuit, "at": self.now, **values}]), 1)
        row = self.get_reading(self.circuit, self.now)
        for name in ("total", "t1", "t4", "voltage_v", "current_a", "power_kw", "power_factor"):
            self.assertEqual(row[name], values[name], name)
        self.assertEqual((row["switch"], row["source"], row["extras"]), ("on", "on_demand", values["extras"]))

    def test_columns_may_come_as_text_joined_by_commas(self):
        payload = {
            "batch": "b",
            "circuit_id": f"{self.circuit.id},{self.far_meter.circuit_ids.id}",
            "at": f"{self.now},{self.now}",
            "total": "1.5,",
            "power_kw": ",0.2",
        }
        self.env.flush_all()
        self.assert_all_accepted(self.face.api_ingest(payload), 2)
        self.assertEqual(self.get_reading(self.circuit, self.now)["total"], "1.5")
        self.assertIsNone(self.get_reading(self.far_meter.circuit_ids, self.now)["total"])

    def test_the_same_batch_again_is_all_duplicates_and_changes_nothing(self):
        rows = [{"circuit": self.circuit, "at": self.now - i, "total": f"{100 - i}.00"} for i in range(5)]
        self.assert_all_accepted(self.ingest(rows), 5)
        answer = self.ingest(rows)
        self.assertEqual(answer, {"accepted": 0, "exceptions": [[i, "duplicate", ""] for i in range(5)]})
        self.env.cr.execute("SELECT count(*) FROM meter_reading WHERE circuit_id = %s", [self.circuit.id])
        self.assertEqual(self.env.cr.fetchone()[0], 5)
        self.assertFalse(self.env["meter.ingest.issue"].search([("circuit_id", "=", self.circuit.id)]))

    def test_the_same_time_with_another_content_is_a_conflict_kept_for_a_person(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "100.00"}])
        for _again in range(2):
            answer = self.ingest([{"circuit": self.circuit, "at": self.now, "total": "100.01"}])
            self.assertEqual([item[:2] for item in answer["exceptions"]], [[0, "conflict"]])
        self.assertEqual(self.get_reading(self.circuit, self.now)["total"], "100.00")
        issue = self.env["meter.ingest.issue"].search([("circuit_id", "=", self.circuit.id)])
        self.assertEqual((issue.verdict, issue.times, issue.state), ("conflict", 2, "open"))
        self.assertEqual(json.loads(issue.content)["total"], "100.01")
        self.assertIn("100.00", issue.stored_content)
        alarm = self.open_alarms("reading_conflict")
        self.assertEqual(alarm.circuit_id, self.circuit)
        issue.action_done()
        self.assertEqual(alarm.state, "resolved")

    def test_equal_and_unequal_copies_within_one_batch(self):
        row = {"circuit": self.circuit, "at": self.now, "total": "7.00"}
        answer = self.ingest([row, row, row | {"total": "8.00"}])
        self.assertEqual(answer["accepted"], 1)
        self.assertEqual([item[:2] for item in answer["exceptions"]], [[1, "duplicate"], [2, "conflict"]])
        self.assertEqual(self.get_reading(self.circuit, self.now)["total"], "7.00")

    def test_what_cannot_be_true_is_refused_with_its_reason_and_the_rest_is_stored(self):
        foreign = self.make_meter(
            self.make_bus(self.make_connector("c2"), self.building, "GW09"), "202600000099"
        )
        good = {"circuit": self.circuit, "total": "1"}
        table = [
            ({"at": self.now}, None),
            ({"circuit": foreign.circuit_ids, "at": self.now}, "circuit of another connector"),
            ({"at": self.now + 700}, "ahead of the server's clock"),
            ({"at": self.now + 500}, None),
            ({"at": 3600.0}, "before the year 2000"),
            ({"at": float("nan")}, "not a time"),
            ({"at": "soon"}, "not a time"),
            ({"at": self.now - 1, "total": "-1.00"}, "total: -1.00 is negative"),
            ({"at": self.now - 2, "total": "1e3"}, "not a decimal"),
            ({"at": self.now - 3, "total": "NaN"}, "not a decimal"),
            ({"at": self.now - 4, "total": 1.5}, "not a decimal"),
            ({"at": self.now - 5, "total": "1,2"}, "not a decimal"),
            ({"at": self.now - 6, "total": "９"}, "not a decimal"),
            ({"at": self.now - 7, "voltage_v": "-220"}, "voltage_v: -220 is negative"),
            ({"at": self.now - 8, "switch": "ajar"}, "switch: 'ajar' is not one of"),
            ({"at": self.now - 9, "switch": ["on"]}, "switch: ['on'] is not one of"),
            ({"at": self.now - 10, "source": "rumour"}, "source: 'rumour' is not one of"),
            ({"at": self.now - 11, "extras": "[1]"}, "extras: not a JSON object"),
            ({"at": self.now - 12, "extras": "{"}, "extras: not a JSON object"),
            ({"at": self.now - 13, "total": ""}, "the reading is empty"),
            ({"at": self.now - 14, "total": None, "power_kw": "-0.1"}, None),
        ]
        rows = [good | row for row, _reason in table]
        answer = self.ingest(rows)
        found = {index: (verdict, reason) for index, verdict, reason in answer["exceptions"]}
        for index, (_row, reason) in enumerate(table):
            with self.subTest(row=rows[index]):
                if reason is None:
                    self.assertNotIn(index, found)
                else:
                    self.assertEqual(found[index][0], "rejected")
                    self.assertIn(reason, found[index][1])
        self.assertEqual(answer["accepted"], sum(reason is None for _row, reason in table))
        issues = self.env["meter.ingest.issue"].search([("connector_id", "=", self.connector.id)])
        self.assertEqual(len(issues), len(found))
        self.assertEqual(self.open_alarms("reading_rejected").connector_id, self.connector)

    def test_unknown_circuits_are_refused(self):
        payload = {"circuit_id": [2**31 - 1, "x", True, -1, 2**40], "at": [self.now] * 5, "total": ["1"] * 5}
        answer = self.face.api_ingest(payload)
        self.assertEqual(answer["accepted"], 0)
        self.assertEqual([item[:2] for item in answer["exceptions"]], [[i, "rejected"] for i in range(5)])
        self.assertEqual(answer["exceptions"][0][2], "unknown circuit")

    def test_a_broken_frame_is_an_error_that_names_the_column(self):
        cases = [
            ({"circuit_id": [1], "at": []}, "column at has 0 values"),
            ({"circuit_id": [1], "at": [1.0], "volts": ["1"]}, "unknown column volts"),
            ({"circuit_id": [1] * 5001, "at": [1.0] * 5001}, "5001 rows"),
            ({"circuit_id": [1], "at": [1.0], "total": {"a": 1}}, "column total is neither"),
            ({"circuit_id": "x", "at": "1"}, "column circuit_id"),
        ]
        for payload, text in cases:
            with self.subTest(text=text), self.assertRaisesRegex(UserError, text):
                self.face.api_ingest(payload)

    def test_an_empty_batch_is_fine(self):
        self.assert_all_accepted(self.face.api_ingest({"batch": "b", "circuit_id": [], "at": []}), 0)

    def test_live_values_are_the_newest_of_each_register(self):
        self.ingest(
            [
                {
                    "circuit": self.circuit,
                    "at": self.now - 20,
                    "total": "10.00",
                    "t1": "1",
                    "voltage_v": "218.0",
                },
                {"circuit": self.circuit, "at": self.now - 10, "total": "11.00"},
                {"circuit": self.circuit, "at": self.now, "voltage_v": "221.0", "switch": "on"},
            ]
        )
        live = self.env["meter.live"]._get_rows(self.circuit.ids)[self.circuit.id]
        self.assertEqual(
            (live["total"], live["t1"], live["voltage_v"]), (Decimal("11.00"), 1, Decimal("221.0"))
        )
        self.assertEqual((live["at"], live["total_at"]), (self.utc(self.now), self.utc(self.now - 10)))
        self.assertEqual(self.meter.live_voltage_v, 221.0)
        self.assertEqual(self.meter.last_read_at, self.utc(self.now))

    def test_a_late_reading_is_stored_and_does_not_turn_back_live_values(self):
        self.ingest(
            [{"circuit": self.circuit, "at": self.now, "total": "50.00", "power_kw": "2", "switch": "on"}]
        )
        self.assert_all_accepted(
            self.ingest(
                [
                    {
                        "circuit": self.circuit,
                        "at": self.now - 86400 * 40,
                        "total": "40",
                        "power_kw": "1",
                        "switch": "off",
                    }
                ]
            ),
            1,
        )
        live = self.env["meter.live"]._get_rows(self.circuit.ids)[self.circuit.id]
        self.assertEqual((live["total"], live["power_kw"], live["switch"]), (50, 2, "on"))
        self.assertEqual(self.switch.reported, "on")

    def test_the_hook_gets_the_circuits_that_have_something_new(self):
        touched = []
        self.patch(
            self.registry["meter.circuit"], "_after_ingest", lambda model, ids: touched.append(sorted(ids))
        )
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        self.ingest(
            [
                {"circuit": self.circuit, "at": self.now, "total": "1"},
                {"circuit": self.far_meter.circuit_ids, "at": self.now, "total": "1"},
            ]
        )
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        self.assertEqual(touched, [self.circuit.ids, self.far_meter.circuit_ids.ids])

    def test_a_batch_costs_a_fixed_number_of_statements(self):
        circuits = [self.circuit, self.far_meter.circuit_ids, self.water_meter.circuit_ids]

        def rows(start, count):
            return [
                {"circuit": circuits[i % 3], "at": self.now - start - i, "total": f"{i}.5", "switch": "on"}
                for i in range(count)
            ]

        self.ingest(rows(0, 3))  # meters wake up, switches become known
        for count in (3, 600):
            batch = rows(10 * count, count)
            payload = {
                "batch": "b",
                "circuit_id": [row["circuit"].id for row in batch],
                **{name: [row[name] for row in batch] for name in ("at", "total", "switch")},
            }
            # seven of ours, and one of whoever settles what was read (the hook)
            with self.assertQueryCount(8):
                self.assert_all_accepted(self.face.api_ingest(payload), count)

    def test_only_connectors_ingest(self):
        manager = self.make_user("mgr", "property_manager", "supervisor")
        with self.assertRaises(AccessError):
            self.env["meter.connector"].with_user(manager).api_ingest({"circuit_id": [], "at": []})
        with self.assertRaises(AccessError):
            self.env["meter.connector"].api_ingest({"circuit_id": [], "at": []})

    def test_a_switch_changes_only_by_a_newer_word_of_its_meter(self):
        self.ingest([{"circuit": self.circuit, "at": self.now - 10, "switch": "on"}])
        self.assertEqual((self.switch.reported, self.switch.reported_at), ("on", self.utc(self.now - 10)))
        self.ingest([{"circuit": self.circuit, "at": self.now - 20, "switch": "off"}])
        self.assertEqual(self.switch.reported, "on")
        self.ingest([{"circuit": self.circuit, "at": self.now, "switch": "off"}])
        self.assertEqual(self.switch.reported, "off")

    def test_a_meter_that_was_offline_is_online_with_its_next_reading(self):
        self.ingest([{"circuit": self.circuit, "at": self.now - 3600, "total": "1"}])
        self.assertEqual(self.meter.state, "online")
        self.meter._cron_find_silent()
        self.assertEqual(self.meter.state, "offline")
        self.assertEqual(self.open_alarms("meter_offline").meter_id, self.meter)
        self.ingest([{"circuit": self.circuit, "at": self.now - 1800, "total": "2"}])
        self.assertEqual(self.meter.state, "offline", "a late reading does not prove that the meter is back")
        self.ingest([{"circuit": self.circuit, "at": time.time() + 1, "total": "3"}])
        self.assertEqual(self.meter.state, "online")
        self.assertFalse(self.open_alarms("meter_offline"))
