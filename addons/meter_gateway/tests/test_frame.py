from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..frame_decoder import MAX_FRAME_BYTES, decode_best, is_available, read_hex
from ..models.meter_frame import KNOWN_MESSAGES
from .common import MeterCase

try:
    from meter_connector.codecs.acrel import AcrelFrame
except ImportError:  # Odoo without the connector's package
    AcrelFrame = None

#: A relay command of DL/T 645-2007 with a password in it.
TRIP = "68611001301215681C10356A3935343333334D3333333363 45CC2C16".replace(" ", "")


@tagged("post_install", "-at_install")
class TestFrame(MeterCase):
    def send(self, key="1", **data):
        self.env.flush_all()
        event = {"key": key, "kind": "frame_unknown", "at": self.now, "bus_id": self.bus.id, "data": data}
        self.assert_all_accepted(self.face.api_events({"events": [event]}), 1)
        return self.env["meter.frame"].search([], limit=1)

    def test_a_frame_is_kept_where_it_came_from(self):
        frame = self.send(hex="68 00 16", protocol="dlt645-2007", reason="checksum", dropped=7)
        self.assertEqual(
            (frame.bus_id, frame.building_id, frame.hex, frame.size, frame.reason, frame.dropped),
            (self.bus, self.building, "680016", 3, "checksum", 7),
        )
        self.assertTrue(self.open_alarms("frame_unknown"))
        frame.with_user(self.make_user("r", "power_operator", buildings=self.building)).action_seen()
        self.assertFalse(self.open_alarms("frame_unknown"))

    def test_what_is_too_long_is_cut(self):
        frame = self.send(hex="AB" * 9000, size=9000)
        self.assertEqual((len(frame.hex), frame.size, frame.is_cut), (MAX_FRAME_BYTES * 2, 9000, True))

    def test_nonsense_in_the_data_raises_nothing(self):
        for number, data in enumerate(
            ({}, {"hex": 7}, {"hex": "xyz"}, {"hex": "6", "size": "x", "dropped": -1})
        ):
            with self.subTest(data=data):
                self.assertTrue(self.send(key=f"k{number}", **data))

    def test_a_frame_sent_twice_is_kept_once(self):
        self.send(hex="68")
        event = {"key": "1", "kind": "frame_unknown", "at": self.now, "bus_id": self.bus.id, "data": {}}
        self.face.api_events({"events": [event]})
        self.assertEqual(self.env["meter.frame"].search_count([]), 1)

    def test_the_decoder_beside_it(self):
        if not is_available():
            self.skipTest("the connector's package is not installed beside Odoo")
        frame = self.send(hex=TRIP)
        self.assertIn("DL/T 645-2007", frame.decoded)
        self.assertIn("151230011061", frame.decoded)
        best = decode_best(TRIP, "dlt645-2007")[0]
        self.assertNotIn("370602", str(best), "passwords of meters are not shown")
        wizard = self.env["meter.frame.decoder"].new({"text": "hex: 68,xx"})
        self.assertIn("not hexadecimal", wizard.decoded)
        self.assertEqual(decode_best("FE6800", "cjt188")[0].protocol, "cjt188")

    def test_what_is_wrong_is_said_in_peoples_words(self):
        frame = self.send(hex=TRIP[:-4] + "0016", protocol="dlt645-2007", reason="bad_checksum")
        self.assertIn("wrong checksum", frame.reason_label)
        self.assertEqual(self.send(key="2", hex="68", reason="something else").reason_label, "something else")
        event = self.env["meter.event"].search([("key", "=", "1")])
        self.assertEqual((event.display_name, event.summary), ("Frame not understood", frame.reason_label))
        if is_available():
            self.assertIn("wrong checksum", frame.decoded)
            self.assertNotIn("bad_checksum", frame.decoded)

    def test_a_known_message_is_decoded_and_alarms_nobody(self):
        upload = "7B7B915B5B312828646174612929 5D5D".replace(" ", "")
        if is_available():
            upload = AcrelFrame(0x91, b"[[1((data))]]").encode().hex()
        for key, reason in (("1", "acrel_upload"), ("2", "acrel_config")):
            frame = self.send(key=key, hex=upload, reason=reason, protocol="acrel")
            self.assertEqual(frame.state, "seen")
            self.assertNotIn("acrel", frame.reason_label)
        self.assertFalse(self.open_alarms())
        if is_available():
            self.assertIn("Acrel 4G", frame.decoded)
            self.assertIn("upload", frame.decoded)
            self.assertEqual(decode_best(upload, "acrel")[0].protocol, "acrel")
        self.send(key="3", hex=upload, reason="acrel_alarm", protocol="acrel")
        self.assertTrue(self.open_alarms("frame_unknown"), "a meter's own alarm is one")

    def test_every_word_of_the_connector_has_a_label(self):
        words = (
            "bad_checksum",
            "bad_end",
            "bad_length",
            "frame_inside",
            "expired",
            "truncated",
            "unasked",
            "no_frame",
        )
        words += ("other_address", "model", "not_an_answer", "not_in_model", "acrel", "acrel_alarm")
        for word in words + KNOWN_MESSAGES:
            label = self.env["meter.frame"]._label_reason(word)
            self.assertNotEqual(label, word)
            self.assertNotIn("_", label)

    def test_known_messages_push_out_no_strange_frame(self):
        self.env["ir.config_parameter"].set_param("meter_gateway.frame_keep_per_bus", 1)
        strange = self.send(key="0", hex="68")
        for number in range(3):
            self.send(key=f"u{number}", hex="7B7B", reason="acrel_upload")
        self.env["meter.frame"]._cron_trim()
        self.assertTrue(strange.exists())
        self.assertEqual(self.env["meter.frame"].search_count([]), 2)

    def test_hexadecimal_as_people_write_it(self):
        table = [
            ("68 0a", "680A"),
            ("0x68,0x0A", "680A"),
            ("hex:680A", "680A"),
            ("6", None),
            ("zz", None),
            ("", ""),
        ]
        for text, digits in table:
            with self.subTest(text=text):
                self.assertEqual(read_hex(text), digits)

    def test_only_the_newest_are_kept(self):
        self.env["ir.config_parameter"].set_param("meter_gateway.frame_keep_per_bus", 2)
        for number in range(4):
            self.send(key=f"n{number}", hex=f"0{number}")
        old = self.env["meter.frame"].create({"at": "2020-01-01", "connector_id": self.connector.id})
        self.env["meter.frame"]._cron_trim()
        self.assertFalse(old.exists())
        self.assertEqual(self.env["meter.frame"].search([]).mapped("hex"), ["03", "02"])

    def test_wrong_users(self):
        frame = self.send(hex="68")
        stranger = self.make_user("far", "power_operator", buildings=self.other_building)
        self.assertFalse(self.env["meter.frame"].with_user(stranger).search([]))
        for role, user in (("far", stranger), ("cash", self.make_user("cash", "cashier"))):
            with self.subTest(role=role), self.assertRaises(AccessError):
                frame.with_user(user).action_seen()
        operator = self.make_user("near", "power_operator", buildings=self.building)
        with self.assertRaises(AccessError):
            frame.with_user(operator).unlink()
