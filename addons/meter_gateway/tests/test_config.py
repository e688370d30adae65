import hashlib

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger
from psycopg2.errors import ExclusionViolation, UniqueViolation

from ..models.meter_link_mixin import get_packet_key
from .common import MeterCase


@tagged("post_install", "-at_install")
class TestConfig(MeterCase):
    def test_the_document_has_everything_the_connector_needs(self):
        self.meter.write({"password": "123456", "operator_code": "00000001"})
        document = self.face.api_config({"since": 0})
        self.assertEqual(document["version"], self.connector.config_version)
        self.assertEqual(
            document["connector"], {"id": self.connector.id, "code": "c1", "timezone": "Asia/Shanghai"}
        )
        self.assertEqual(set(document["models"]), {"dds645-1p", "cjt188-cold-valve"})
        self.assertEqual(document["models"]["dds645-1p"]["protocol"], "dlt645-2007")
        kinds = {code: model["kind"] for code, model in document["models"].items()}
        self.assertEqual(kinds, {"dds645-1p": "power", "cjt188-cold-valve": "water"})
        self.assertEqual(
            document["schedules"]["default"],
            {"energy_s": 60, "live_s": 60, "switch_s": 60, "clock_at": "03:10"},
        )
        gateway = next(item for item in document["gateways"] if item["id"] == self.bus.gateway_id.id)
        [bus] = gateway["buses"]
        meters = {item["id"]: item for item in bus.pop("meters")}
        self.assertEqual(
            bus,
            {
                "id": self.bus.id,
                "number": 1,
                "baudrate": 2400,
                "bytesize": 8,
                "parity": "E",
                "stopbits": 1,
                "framing": "transparent",
                "extra_latency_ms": 0,
                "link": {"kind": "tcp_client", "host": "127.0.0.1", "port": 4001},
            },
        )
        self.assertEqual(
            meters[self.meter.id],
            {
                "id": self.meter.id,
                "serial": "202600000001",
                "address": "202600000001",
                "model": "dds645-1p",
                "password": "123456",
                "operator": "00000001",
                "read_group": "default",
                "circuits": [{"id": self.circuit.id, "number": 1, "has_switch": True}],
            },
        )

    def test_an_unchanged_document_is_not_sent(self):
        version = self.connector.config_version
        self.assertEqual(self.face.api_config({"since": version}), {"version": version, "unchanged": True})

    def test_every_change_that_matters_raises_the_version(self):
        changes = [
            lambda: self.meter.write({"address": "1"}),
            lambda: self.meter.write({"password": "1"}),
            lambda: self.meter.write({"active": False}),
            lambda: self.bus.write({"baudrate": "9600"}),
            lambda: self.bus.gateway_id.write({"host": "10.0.0.1"}),
            lambda: self.make_meter(self.bus, "55"),
            lambda: self.meter.model_id.write(
                {
                    "definition_text": '{"registers": [{"key": "total", "di": "00010000"}], "switch": {"kind": "dlt645"}}'
                }
            ),
            lambda: self.env.ref("meter_gateway.meter_read_group_default").write({"energy_s": 300}),
            lambda: self.env["meter.bus"].create({"gateway_id": self.bus.gateway_id.id, "number": 2}),
            lambda: self.env["meter.meter"].search([("serial", "=", "55")]).unlink(),
        ]
        for index, change in enumerate(changes):
            before = self.connector.config_version
            change()
            self.assertGreater(self.connector.config_version, before, f"change {index}")

    def test_what_does_not_matter_leaves_it(self):
        before = self.connector.config_version
        self.meter.write({"place": "cellar", "ct_ratio": 40})
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        self.face.api_hello({"protocol": 1})
        self.assertEqual(self.connector.config_version, before)

    def test_a_meter_moved_to_another_connector_changes_both(self):
        other = self.make_connector("c5")
        bus = self.make_bus(other, self.building, "GW55")
        before = (self.connector.config_version, other.config_version)
        self.meter.bus_id = bus
        self.assertGreater(self.connector.config_version, before[0])
        self.assertGreater(other.config_version, before[1])
        self.assertEqual(self.circuit.connector_id, other)
        answer = self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        self.assertEqual(answer["exceptions"], [[0, "rejected", "circuit of another connector"]])
        self.assert_all_accepted(
            self.ingest(
                [{"circuit": self.circuit, "at": self.now, "total": "1"}],
                self.env["meter.connector"].with_user(other.user_id),
            ),
            1,
        )

    def test_links_of_every_kind(self):
        gateway = self.bus.gateway_id
        gateway.write({"link_kind": "tcp_server", "registration": "hex:AA55", "heartbeat": "ping"})
        self.assertEqual(
            self.bus._get_link(), {"kind": "tcp_server", "registration": "hex:AA55", "heartbeat": "ping"}
        )
        self.bus.write({"registration": "line-1", "heartbeat": "hex:FE"})
        self.assertEqual(
            self.bus._get_link(), {"kind": "tcp_server", "registration": "line-1", "heartbeat": "hex:FE"}
        )
        self.bus.write({"link_kind": "serial", "device": "/dev/ttyS1"})
        self.assertEqual(self.bus._get_link(), {"kind": "serial", "device": "/dev/ttyS1"})
        self.bus.write({"link_kind": "tcp_client", "host": "h", "port": 1})
        self.assertEqual(self.bus._get_link(), {"kind": "tcp_client", "host": "h", "port": 1})

    def test_six_lines_of_one_box_call_with_a_name_each(self):
        lines = [(0, 0, {"number": number, "registration": f"BOX/{number}"}) for number in range(1, 7)]
        box = self.env["meter.gateway"].create(
            {
                "name": "six lines",
                "number": "GW-6",
                "connector_id": self.connector.id,
                "link_kind": "tcp_server",
                "bus_ids": lines,
            }
        )
        document = self.connector._prepare_gateway(box)
        self.assertEqual(
            [bus["link"]["registration"] for bus in document["buses"]],
            [f"BOX/{number}" for number in range(1, 7)],
        )
        gateway = self.bus.gateway_id
        cases = [
            (box.bus_ids[5], {"registration": False}, "or each of its buses one"),
            (gateway, {"link_kind": "tcp_server", "registration": "BOX/3"}, "GW-6 dials in with the same"),
        ]
        for record, vals, text in cases:
            with self.assertRaises(ValidationError) as caught:
                record.write(vals)
            self.assertIn(text, str(caught.exception))
        gateway.write({"link_kind": "tcp_server", "registration": "BOX"})
        with self.assertRaises(ValidationError):
            box.bus_ids[0].registration = "BOX"

    def dial_in(self, number, registration):
        link = {"link_kind": "tcp_server", "registration": registration}
        return self.env["meter.gateway"].create(
            {"name": number, "number": number, "connector_id": self.connector.id, **link}
        )

    def assert_refused(self, record, vals, text):
        with self.assertRaises(ValidationError) as caught:
            record.write(vals)
        self.assertIn(text, str(caught.exception))

    def test_no_two_gateways_call_by_one_name_however_it_is_written(self):
        cases = [
            ("860000000000001", "imei:860000000000001"),
            ("IMEI:860000000000002", "hex:0860000000000002"),
            ("IMEI=860000000000003", "hex:383630303030303030303030303033"),
            ("hex:4142", "AB"),
            ("HEX:43 44", "hex:4344"),
            ("acrel:2109", "Acrel:2109"),
        ]
        for index, (first, second) in enumerate(cases):
            with self.subTest(second=second):
                box = self.dial_in(f"D{index}", first)
                with self.assertRaises(UniqueViolation), mute_logger("odoo.sql_db"):
                    self.dial_in(f"E{index}", second)
                same = f"gateway D{index} dials in with the same"
                self.assert_refused(self.bus, {"registration": second}, same)
                box.active = False
                self.assert_refused(self.bus, {"registration": second}, same)
        self.bus.registration = "AB1"

    def test_the_connector_keeps_gateways_apart_by_the_same_key(self):
        try:
            from meter_connector.model import SiteConfig
            from meter_connector.transports.registration import key_of
        except ImportError:
            self.skipTest("the connector's package is not installed beside Odoo")
        packets = [
            *("imei:860000000000001", "IMEI=860000000000001", "hex:0860000000000001", "860000000000001"),
            *("hex:4142", "AB", "ab", "acrel:21", "ACREL:21", "hex:1860000000000001", "8600000000000011"),
        ]
        ours, theirs = {}, {}
        for index, packet in enumerate(packets, 1):
            link = {"kind": "tcp_server", "registration": packet}
            gateways = [{"id": index, "buses": [{"id": index, "link": link}]}]
            site = SiteConfig.from_document({"version": 1, "gateways": gateways}, is_strict=True)
            ours.setdefault(get_packet_key(packet), []).append(packet)
            theirs.setdefault(key_of(site.gateways[0].buses[0].link.registration), []).append(packet)
        self.assertEqual(list(ours.values()), list(theirs.values()))

    def test_buses_on_one_serial_port_run_at_one_speed(self):
        self.bus.gateway_id.write({"link_kind": "serial", "device": "/dev/ttyS7"})
        other = self.other_bus
        other.write({"link_kind": "serial", "device": "/dev/ttyS7"})
        text = "/dev/ttyS7 is set to 2400 8E1 for bus GW01/1 and to 9600 8E1 for bus GW02/1"
        self.assert_refused(other, {"baudrate": "9600"}, text)
        self.assert_refused(self.bus, {"parity": "N"}, "2400 8N1 for bus GW01/1")
        other.write({"device": "/dev/ttyS8", "baudrate": "9600"})
        self.assert_refused(other, {"device": "/dev/ttyS7"}, "one serial port")
        self.assert_refused(self.bus.gateway_id, {"device": "/dev/ttyS8"}, "one serial port")
        other.gateway_id.active = False
        self.bus.gateway_id.device = "/dev/ttyS8"
        self.assert_refused(other.gateway_id, {"active": True}, "one serial port")

    def test_wrong_settings_are_refused_with_the_name_of_the_record(self):
        gateway = self.bus.gateway_id
        cases = [
            (gateway, {"port": 70000}, "port 70000"),
            (gateway, {"link_kind": "tcp_server"}, "registration packet"),
            (gateway, {"heartbeat": "hex:XY"}, "not hexadecimal"),
            (self.bus, {"registration": "hex:XY"}, "not hexadecimal"),
            (self.bus, {"port": -1}, "port -1"),
            (gateway, {"registration": "imei:86142804123456"}, "not fifteen digits after 'imei:'"),
            (self.bus, {"registration": "IMEI:"}, "not fifteen digits"),
            (self.bus, {"registration": "acrel:"}, "not the serial number of an Acrel meter"),
            (self.bus, {"registration": "acrel:" + "1" * 21}, "not the serial number of an Acrel meter"),
            (self.meter, {"address": "12ab"}, "up to 12 digits"),
            (self.meter, {"address": "1234567890123"}, "up to 12 digits"),
            (self.water_meter, {"address": "123456789012345"}, "up to 14 digits"),
            (self.env.ref("meter_gateway.meter_read_group_default"), {"clock_at": "25:00"}, "not HH:MM"),
        ]
        for record, vals, text in cases:
            with self.subTest(vals=vals):
                with self.assertRaises(ValidationError) as caught:
                    record.write(vals)
                self.assertIn(text, str(caught.exception))
                self.assertIn(record.name, str(caught.exception))

    def test_a_meter_gets_its_circuits_live_rows_and_switches(self):
        model = self.env["meter.model"].create(
            {
                "name": "Four circuits",
                "code": "four",
                "protocol": "dlt645-2007",
                "kind_id": self.env.ref("property_utility.utility_kind_power").id,
                "circuit_count": 4,
                "has_switch": True,
                "definition": {
                    "registers": [
                        {"key": "total", "di": "00010000", "circuit": number} for number in range(1, 5)
                    ],
                    "switch": {"kind": "dlt645"},
                },
            }
        )
        meter = self.make_meter(self.bus, "4444", "four")
        self.assertEqual(meter.circuit_ids.mapped("number"), [1, 2, 3, 4])
        self.assertEqual(len(meter.switch_ids), 4)
        self.assertEqual(len(meter.circuit_ids.live_ids), 4)
        self.assertEqual(meter.model_id, model)

    def test_a_meter_that_was_read_is_not_deleted(self):
        self.ingest([{"circuit": self.circuit, "at": self.now, "total": "1"}])
        bare = self.make_meter(self.bus, "66")
        self.ingest([{"circuit": bare.circuit_ids, "at": self.now, "total": "1"}])
        for meter in (self.meter, bare):
            with self.assertRaises(UserError):
                meter.unlink()
        self.assertTrue(self.make_meter(self.bus, "67").unlink())

    def test_a_person_can_make_a_meter_in_the_form(self):
        form = Form(self.env["meter.meter"])
        form.serial = "888"
        form.address = "888"
        form.model_id = self.meter.model_id
        form.bus_id = self.bus
        meter = form.save()
        self.assertEqual((meter.name, meter.building_id, meter.state), ("888", self.building, "new"))


@tagged("post_install", "-at_install")
class TestInstallation(MeterCase):
    def test_the_open_installation_says_what_a_circuit_measures(self):
        self.assertEqual(self.circuit.service_point_id, self.point)
        self.assertEqual(self.circuit.building_id, self.building)
        self.assertEqual(self.point.meter_id, self.meter)
        self.circuit.installation_ids.end_at = "2026-06-01"
        self.assertFalse(self.circuit.service_point_id)

    def test_a_circuit_measures_one_point_at_a_time(self):
        other = self.make_point(self.building, "A-102")
        with self.assertRaises(ExclusionViolation), mute_logger("odoo.sql_db"):
            self.install(self.circuit, other, start_at="2026-05-01 00:00:00")
        self.circuit.installation_ids.end_at = "2026-05-01 00:00:00"
        self.assertTrue(self.install(self.circuit, other, start_at="2026-05-01 00:00:00"))

    def test_water_is_not_measured_by_a_power_meter(self):
        point = self.make_point(self.building, "A-103", "water")
        with self.assertRaises(ValidationError):
            self.install(self.make_meter(self.bus, "68").circuit_ids, point)

    def test_the_ratio_of_the_day_stays_with_the_installation(self):
        self.circuit.installation_ids.end_at = "2026-05-01 00:00:00"
        self.meter.ct_ratio = 40
        newer = self.install(self.circuit, self.point, start_at="2026-05-01 00:00:00")
        self.assertEqual((self.circuit.installation_ids - newer).multiplier, 1)
        self.assertEqual(newer.multiplier, 40)

    def test_changes_are_in_the_audit(self):
        installation = self.circuit.installation_ids
        installation.write({"end_at": "2026-06-01", "end_total": 5, "reason": "broken"})
        entry = self.env["audit.entry"].search(
            [("action", "=", "meter.installation.change"), ("res_id", "=", installation.id)], limit=1
        )
        self.assertIn('"end_total":"5.0"', entry.after)
        self.assertEqual(entry.reason, "broken")


@tagged("post_install", "-at_install")
class TestNbIot(MeterCase):
    def test_a_secret_is_shown_once_and_kept_as_a_hash(self):
        supervisor = self.make_user("boss", "supervisor")
        self.connector.with_user(supervisor).is_nbiot = True
        shown = self.connector.with_user(supervisor).action_create_nbiot_token()["params"]["message"]
        token = shown.split("/")[2]
        config = self.face.api_config({"since": 0})["nbiot"]
        digest = hashlib.sha256(token.encode()).hexdigest()
        self.assertEqual(config, {"enabled": True, "path_token_sha256": digest})
        with self.assertRaises(AccessError):
            self.connector.with_user(supervisor).read(["nbiot_token_sha256"])

    def test_wrong_users_make_no_secret(self):
        for role in ("power_operator", "cashier", "auditor"):
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.connector.with_user(self.make_user(f"w_{role}", role)).action_create_nbiot_token()

    def test_a_meter_behind_a_platform(self):
        self.bus.link_kind = "nbiot"
        self.meter.imei = "123456789012345"
        self.assertEqual(self.bus._get_link(), {"kind": "nbiot"})
        with self.assertRaisesRegex(ValidationError, "fifteen"):
            self.meter.imei = "12"
