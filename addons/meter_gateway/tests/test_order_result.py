"""What connectors say of an order's end is told in people's words; what nobody foresaw comes as it is."""

from odoo.tests import tagged

from .common import MeterCase

#: As connectors write them, see their drivers, scheduler and nbiot packages.
WORDS = {
    "meter 202601000101 relay: no answer": "The meter did not answer.",
    "bus G1/1: not connected": "There is no connection to the gateway.",
    "meter S1 read 00010000: 12 bytes came, none of them the answer: FE FE": "The meter's answer was garbled.",
    "the switch cannot be read back: meter S1: no answer": "It was sent; whether it was done could not be read.",
    "was sent, but could not be read back before it expired": "It was sent; whether it was done could not be read.",
    "the switch shows on, 3 command(s) notwithstanding": "The meter shows something else than was ordered.",
    "read back on": "The meter shows something else than was ordered.",
    "count mismatch": "The purchase count in the meter is not the one expected.",
    "the meter shows no clock to compare": "This meter cannot do that.",
    "may have been sent; no meter shows its alarm": "This meter cannot do that.",
    "read: must be read first, and the meter sleeps": "The meter sleeps and must report first.",
    "data of the order: amount is missing": "The order's data is not usable.",
}


@tagged("post_install", "-at_install")
class TestOrderResult(MeterCase):
    def make_order(self, state="pending"):
        order = self.switch._set_desired("off", "arrears", "policy", force=True)
        order.state = state
        self.env.flush_all()
        return order

    def test_known_words_become_a_sentence(self):
        for words, sentence in WORDS.items():
            with self.subTest(words):
                order = self.make_order("accepted")
                self.report(order, "failed", detail=words)
                told = order.with_context(lang="en_US").result_text
                self.assertEqual((order.result, told), (words, sentence))
                self.now += 1

    def test_a_confirmed_order_of_a_meter_that_shows_only_its_command_is_not_verified(self):
        meter = self.make_meter(self.bus, "9", "acrel-ddsy1352")
        for switch, is_unverified in ((meter.switch_ids, True), (self.switch, False)):
            order = switch._set_desired("off", "arrears", "policy", force=True)
            self.env.flush_all()
            self.report(order, "confirmed", "off")
            self.assertEqual(order.state, "confirmed")
            self.assertEqual("Not verified by a read-back" in (order.result_text or ""), is_unverified)

    def test_a_meter_that_left_its_command_is_unknown_and_ordered_again(self):
        meter = self.make_meter(self.bus, "9", "acrel-ddsy1352")
        switch, circuit = meter.switch_ids, meter.circuit_ids
        order = switch._set_desired("on", "paid", "policy")
        self.env.flush_all()
        self.report(order, "confirmed", "on")
        self.ingest([{"circuit": circuit, "at": self.now + 60, "switch": "unknown"}])
        self.env.invalidate_all()
        self.assertEqual((switch.reported, switch.is_mismatch), ("unknown", True))
        self.ingest([{"circuit": circuit, "at": self.now + 120, "total": "1"}])
        self.env.invalidate_all()
        self.assertEqual(switch.reported, "unknown", "a reading that says nothing changes nothing")

    def test_unknown_words_stay(self):
        order = self.make_order("accepted")
        self.report(order, "failed", detail="the moon is full")
        self.assertEqual(order.result_text, "the moon is full")
        self.assertFalse(self.make_order().result_text)

    def test_in_the_reader_s_language(self):
        order = self.make_order("accepted")
        self.report(order, "failed", detail="meter S1: no answer")
        self.assertEqual(order.with_context(lang="zh_CN").result_text, "表计无应答。")
