from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..value_labels import find_value_label
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestEvent(MeterCase):
    def send(self, *events, face=None):
        self.env.flush_all()
        return (self.face if face is None else face).api_events({"batch": "b", "events": list(events)})

    def event(self, key, kind, at=None, **vals):
        return {"key": key, "kind": kind, "at": self.now if at is None else at, **vals}

    def test_an_event_counts_once(self):
        event = self.event("k1", "frame_unknown", bus_id=self.bus.id, data={"hex": "68 00"})
        self.assert_all_accepted(self.send(event), 1)
        answer = self.send(event, event | {"key": "k2"}, event)
        self.assertEqual(answer, {"accepted": 1, "exceptions": [[0, "duplicate", ""], [2, "duplicate", ""]]})
        stored = self.env["meter.event"].search([("connector_id", "=", self.connector.id)], order="id")
        self.assertEqual(stored.mapped("key"), ["k1", "k2"])
        self.assertEqual((stored[0].bus_id, stored[0].building_id), (self.bus, self.building))
        self.assertEqual(self.open_alarms("frame_unknown").times, 2)

    def test_an_alarm_says_what_exactly_is_wrong(self):
        table = [
            ("config_problem", {"problems": ["a: 1", "b: 2"], "count": 2}, "a: 1, b: 2"),
            ("nbiot_unknown_device", {"imei": "860000000000001", "platform": "ctwing"}, "860000000000001"),
        ]
        for kind, data, text in table:
            with self.subTest(kind=kind):
                self.assert_all_accepted(self.send(self.event(kind, kind, data=data)), 1)
                self.assertIn(text, self.open_alarms(kind).message)
        self.send(self.event("ok", "config_ok", at=self.now + 1, data={"version": 3}))
        self.assertFalse(self.open_alarms("config_problem"))
        self.send(self.event("odd", "made_up_kind"))
        odd = self.env["meter.event"].search([("key", "=", "odd")])
        self.assertEqual((odd.known_kind, odd.display_name), (False, "made_up_kind"))

    def test_a_trip_that_the_connector_closed_again_is_over(self):
        place = {"circuit_id": self.circuit.id}
        for number in range(1, 5):
            data = {"trips": number, "tries": 2}
            at = self.now + number * 60
            self.send(self.event(f"t{number}", "meter_tripped", at=at, data=data, **place))
            self.assertTrue(self.open_alarms("meter_tripped"))
            self.assertFalse(self.switch.is_locked, "the connector counts and says when it locks")
            data = data | {"wanted": "on", "result": "confirmed", "reported": "on"}
            self.send(self.event(f"r{number}", "auto_recovered", at=at + 30, data=data, **place))
            self.assertFalse(self.open_alarms("meter_tripped"))
        self.send(self.event("l", "recovery_locked", at=self.now + 400, **place))
        self.assertTrue(self.switch.is_locked)

    def test_what_a_meter_noted_is_shown_with_labels_and_opens_its_alarm(self):
        place = {"meter_id": self.meter.id, "circuit_id": self.circuit.id}
        data = {
            "count": 3,
            "new": 1,
            "begin": "2026-11-21 12:00:00",
            "operator": "00000001",
            "values": {"forward active": "12.00 kWh"},
        }
        self.send(self.event("t", "trip_recorded", data=data, **place))
        event = self.env["meter.event"].search([("key", "=", "t")])
        for text in ("Count", "Operator code", "00000001", "Forward active energy", "12.00 kWh"):
            self.assertIn(text, event.details)
        self.assertFalse(self.open_alarms())
        spoken = self.env(context={"lang": self.connector.user_id.lang})
        table = [
            ("cover_open", "cover_closed", {"begin": "2026-11-21 12:00:00"}, "2026-11-21 12:00:00"),
            ("overload", "overload_over", {"phases": ["A", "C"]}, "A, C"),
            ("battery_low", "battery_ok", {"batteries": ["clock"]}, find_value_label(spoken, "clock")),
        ]
        for number, (kind, over, data, text) in enumerate(table):
            with self.subTest(kind=kind):
                self.send(self.event(f"o{number}", kind, data=data, **place))
                alarm = self.open_alarms()
                self.assertEqual((alarm.meter_id, alarm.building_id), (self.meter, self.building))
                self.assertIn(text, alarm.message)
                self.send(self.event(f"e{number}", over, at=self.now + 1, data=data, **place))
                self.assertFalse(self.open_alarms())

    def test_the_readings_around_an_event_and_an_alarm(self):
        rows = [
            {"circuit": self.circuit, "at": self.now - 3600 + minutes * 60, "total": str(minutes)}
            for minutes in (0, 29, 30, 31, 59, 60, 61)
        ]
        self.ingest(rows)
        self.ingest([{"circuit": self.far_meter.circuit_ids, "at": self.now - 1800, "total": "7"}])
        at = self.now - 1800
        self.send(self.event("c", "cover_open", at=at, meter_id=self.meter.id, data={"begin": "x"}))
        event = self.env["meter.event"].search([("key", "=", "c")])
        reader = self.make_user("reader", "field_reader", buildings=self.building)
        for record in (event, self.open_alarms("cover_open")):
            action = record.with_user(reader).action_readings_around()
            found = self.env["meter.reading"].search(action["domain"])
            self.assertEqual(sorted(found.mapped("total")), [0, 29, 30, 31, 59, 60])
        stranger = self.make_user("stranger", "field_reader", buildings=self.other_building)
        for record in (event, self.open_alarms("cover_open")):
            with self.assertRaises(AccessError):
                record.with_user(stranger).action_readings_around()

    def test_what_makes_no_sense_is_refused(self):
        stranger = self.make_meter(self.make_bus(self.make_connector("c7"), self.building, "GW77"), "777")
        table = [
            ("x", "not an object"),
            (self.event("", "a"), "key"),
            (self.event("k" * 201, "a"), "key"),
            (self.event("k", None), "kind"),
            (self.event("k", "a", at="x"), "at:"),
            (self.event("k", "a", meter_id=stranger.id), "not of this connector"),
            (self.event("k", "a", meter_id="1"), "not of this connector"),
            (self.event("k", "a", gateway_id=10**9), "not of this connector"),
        ]
        answer = self.send(*[event for event, _text in table])
        self.assertEqual(answer["accepted"], 0)
        for (index, verdict, reason), (_event, text) in zip(answer["exceptions"], table, strict=True):
            with self.subTest(index=index):
                self.assertEqual(verdict, "rejected")
                self.assertIn(text, reason)

    def test_an_event_that_odoo_stumbles_over_holds_up_no_other_one_and_comes_again(self):
        events = [self.event(key, "gateway_refused", data={"peer": key}) for key in ("a", "bad", "c")]
        follow = type(self.env["meter.event"])._follow

        def stumbling(event):
            follow(event)
            if event.key == "bad":
                raise ValueError("no such thing")

        with (
            patch.object(type(self.env["meter.event"]), "_follow", stumbling),
            self.assertLogs("odoo.addons.meter_gateway.models.meter_event", "ERROR"),
        ):
            answer = self.send(*events)
        self.assertEqual(answer["accepted"], 2)
        self.assertEqual([item[:2] for item in answer["exceptions"]], [[1, "retry"]])
        self.assertEqual(self.open_alarms("gateway_refused").times, 2)
        self.assertEqual(self.send(*events)["exceptions"], [[0, "duplicate", ""], [2, "duplicate", ""]])
        self.assertEqual(self.open_alarms("gateway_refused").times, 3)

    def test_a_clock_that_is_right_at_the_daily_look_is_no_alarm_any_more(self):
        drift = {"meter_id": self.meter.id}
        self.send(self.event("1", "clock_drift", data={"drift_s": -3600.5}, **drift))
        for number, (drift_s, is_open) in enumerate(
            [(121, True), ("", True), (None, True), (-120.0, False)], 2
        ):
            data = {"drift_s": drift_s}
            self.send(self.event(str(number), "clock_checked", data=data, **drift))
            self.assertEqual(bool(self.open_alarms("clock_drift")), is_open, drift_s)

    def test_a_disk_with_room_again_is_no_alarm_any_more_though_the_connector_was_restarted(self):
        self.send(self.event("1", "outbox_filling", data={"level": 1, "share": 0.6}))
        table = [(None, True), ({}, True), ({"share": 0.45}, True), ({"share": 0.39}, False)]
        for outbox, is_open in table:
            with self.subTest(outbox=outbox):
                self.face.api_hello({"protocol": 1, "status": {"outbox": outbox}})
                self.assertEqual(bool(self.open_alarms("disk_filling")), is_open)

    def test_hello_says_how_much_room_there_is(self):
        outbox = {"share": 0.125, "bytes_a_day": 150_500_000, "days_left": 42.5, "events_dropped": 3}
        self.face.api_hello({"protocol": 1, "status": {"outbox": outbox}})
        connector = self.connector
        self.assertEqual((connector.outbox_share, connector.outbox_mb_a_day), (12.5, 150.5))
        self.assertEqual((connector.outbox_days_left, connector.outbox_events_dropped), (42.5, 3))

    def test_gateways_go_off_and_on_line(self):
        gateway = self.bus.gateway_id
        self.send(self.event("1", "gateway_offline", gateway_id=gateway.id))
        self.assertEqual(gateway.state, "offline")
        alarm = self.open_alarms("gateway_offline")
        self.assertEqual(
            (alarm.gateway_id, alarm.severity, alarm.building_id), (gateway, "critical", self.building)
        )
        self.send(self.event("0", "gateway_online", at=self.now - 100, gateway_id=gateway.id))
        self.assertEqual(gateway.state, "offline", "an event that comes late does not turn time back")
        self.send(self.event("2", "gateway_online", at=self.now + 5, gateway_id=gateway.id))
        self.assertEqual((gateway.state, alarm.state), ("online", "resolved"))

    def test_a_take_over_is_shown_as_event_and_as_count(self):
        gateway = self.bus.gateway_id
        data = {"peer": "10.0.0.7:4001", "former": "10.0.0.6:4001", "dropped": 0}
        self.send(self.event("1", "gateway_replaced", gateway_id=gateway.id, data=data))
        event = self.env["meter.event"].search([("gateway_id", "=", gateway.id)])
        self.assertEqual(event.display_name, "Gateway dialled in from elsewhere")
        self.assertEqual(event.summary, "10.0.0.7:4001 · 10.0.0.6:4001")
        row = {"id": gateway.id, "online": True, "since": self.now, "replaced": 3}
        far = {"id": self.other_bus.gateway_id.id, "online": True, "since": self.now}
        self.face.api_hello({"protocol": 1, "status": {"gateways": [row, far]}})
        self.assertEqual((gateway.takeover_count, self.other_bus.gateway_id.takeover_count), (3, 0))

    def test_meters_fall_silent_and_come_back(self):
        self.ingest([{"circuit": self.circuit, "at": self.now - 10, "total": "1"}])
        self.send(self.event("1", "meter_silent", meter_id=self.meter.id))
        self.assertEqual(self.meter.state, "offline")
        self.assertTrue(self.open_alarms("meter_offline"))
        self.ingest([{"circuit": self.circuit, "at": self.now + 10, "total": "2"}])
        self.assertEqual(self.meter.state, "online")
        self.assertFalse(self.open_alarms("meter_offline"))

    def test_hello_says_how_things_are(self):
        gateway = self.bus.gateway_id
        self.ingest([{"circuit": self.circuit, "at": self.now - 10, "total": "1"}])
        payload = {
            "protocol": 1,
            "version": "1.2.3",
            "started_at": self.now - 100,
            "status": {
                "outbox": {"readings": 7, "events": 0, "oldest_at": self.now - 50},
                "gateways": [
                    {"id": gateway.id, "online": True, "since": self.now - 30},
                    {"id": self.other_bus.gateway_id.id, "online": False, "since": self.now - 20},
                    {"id": "x"},
                    "junk",
                ],
                "buses": [
                    {
                        "id": self.bus.id,
                        "queue": 3,
                        "age_s": 4.5,
                        "reads_ok": 10,
                        "reads_failed": 1,
                        "dropped_bytes": 2,
                    }
                ],
                "meters_silent": [self.meter.id, "x"],
            },
        }
        answer = self.face.api_hello(payload)
        self.assertEqual(
            answer["connector"], {"id": self.connector.id, "code": "c1", "name": self.connector.name}
        )
        self.assertEqual((answer["config_version"], answer["hello_s"]), (self.connector.config_version, 15))
        self.assertEqual((self.connector.state, self.connector.software_version), ("online", "1.2.3"))
        self.assertEqual(self.connector.outbox_readings, 7)
        self.assertEqual((gateway.state, self.other_bus.gateway_id.state), ("online", "offline"))
        self.assertEqual((self.bus.queue_length, self.bus.data_age_s, self.bus.dropped_bytes), (3, 4.5, 2))
        self.assertEqual(self.meter.state, "offline")

    def test_hello_of_another_protocol_is_refused(self):
        with self.assertRaisesRegex(Exception, "protocol 2"):
            self.face.api_hello({"protocol": 2})

    def test_hello_cannot_touch_other_connectors(self):
        stranger = self.make_connector("c8")
        face = self.env["meter.connector"].with_user(stranger.user_id)
        status = {
            "gateways": [{"id": self.bus.gateway_id.id, "online": True}],
            "buses": [{"id": self.bus.id, "queue": 9}],
            "meters_silent": [self.meter.id],
        }
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        face.api_hello({"protocol": 1, "status": status})
        self.assertEqual((self.bus.gateway_id.state, self.bus.queue_length), ("unknown", 0))
        self.assertEqual(self.meter.state, "online")

    def test_a_connector_that_falls_silent_raises_one_alarm(self):
        self.face.api_hello({"protocol": 1})
        self.env["meter.connector"]._cron_find_silent()
        self.assertFalse(self.open_alarms("connector_offline"))
        self.connector.last_seen_at = self.utc(self.now - 300)
        for _again in range(2):
            self.env["meter.connector"]._cron_find_silent()
        alarm = self.open_alarms("connector_offline")
        self.assertEqual((alarm.connector_id, alarm.times), (self.connector, 2))
        self.face.api_hello({"protocol": 1})
        self.assertEqual(alarm.state, "resolved")

    def test_a_job_writes_its_alarms_in_the_language_of_the_company(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        self.env.company.partner_id.lang = "zh_CN"
        self.face.api_hello({"protocol": 1})
        self.connector.last_seen_at = self.utc(self.now - 300)
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref("meter_gateway.ir_cron_silent").method_direct_trigger()
        self.assertIn("连接器", self.open_alarms("connector_offline").message)

    def test_a_dead_gateway_or_connector_is_one_alarm_and_not_one_for_each_meter(self):
        self.ingest(
            [
                {"circuit": meter.circuit_ids, "at": self.now - 3600, "total": "1"}
                for meter in (self.meter, self.far_meter)
            ]
        )
        self.send(self.event("1", "gateway_offline", gateway_id=self.bus.gateway_id.id))
        self.env["meter.connector"]._cron_find_silent()
        self.assertEqual((self.meter.state, self.far_meter.state), ("offline", "offline"))
        self.assertEqual(self.open_alarms("meter_offline").meter_id, self.far_meter)
        self.connector.last_seen_at = self.utc(self.now - 300)
        self.send(self.event("2", "meter_silent", meter_id=self.water_meter.id))
        self.assertEqual(self.open_alarms("meter_offline").meter_id, self.far_meter)

    def test_a_meter_that_is_seldom_read_is_not_silent(self):
        vals = {"name": "Hourly", "code": "hourly", "energy_s": 3600, "live_s": 0, "switch_s": 0}
        group = self.env["meter.read.group"].create(vals)
        self.meter.read_group = "hourly"
        for age, state in ((3600, "online"), (11000, "offline")):
            self.ingest([{"circuit": self.circuit, "at": self.now - 11000 - age, "total": "1"}])
            self.meter.state = "online"
            self.env.cr.execute(
                "UPDATE meter_live SET at = %s WHERE circuit_id = %s",
                [self.utc(self.now - age), self.circuit.id],
            )
            self.env["meter.connector"]._cron_find_silent()
            self.assertEqual(self.meter.state, state)
        self.meter.state = "online"
        group.energy_s = 0
        self.env["meter.connector"]._cron_find_silent()
        self.assertEqual(self.meter.state, "online", "not by schedule: nobody waits for a reading")

    def test_an_alarm_is_acknowledged_resolved_and_opened_anew(self):
        alarm = self.env["meter.alarm"]._open("meter_offline", self.meter, "gone")
        operator = self.make_user("op", "power_operator", buildings=self.building)
        alarm.with_user(operator).action_acknowledge()
        self.assertEqual((alarm.state, alarm.acknowledged_by), ("acknowledged", operator))
        self.assertEqual(self.env["meter.alarm"]._open("meter_offline", self.meter, "still gone"), alarm)
        self.assertEqual((alarm.times, alarm.state, alarm.message), (2, "acknowledged", "still gone"))
        alarm.with_user(operator).action_resolve()
        again = self.env["meter.alarm"]._open("meter_offline", self.meter, "gone")
        self.assertNotEqual(again, alarm)

    def test_cashiers_do_not_acknowledge(self):
        alarm = self.env["meter.alarm"]._open("meter_offline", self.meter, "gone")
        for method in ("action_acknowledge", "action_resolve"):
            with self.assertRaises(AccessError):
                getattr(alarm.with_user(self.make_user(f"cash{method}", "cashier")), method)()
