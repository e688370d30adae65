"""Gateways that dial in, below a whole scheduler: what is queued outlives every connection."""

from __future__ import annotations

import asyncio
import random

from meter_connector.model import Bus, Link, Order, SiteConfig
from meter_connector.ports import Stage
from meter_connector.scheduler import SiteScheduler
from meter_connector.scheduler.links import LinkPool
from meter_connector.simulator.links import DialLink
from meter_connector.simulator.site import LinkSpec
from meter_connector.transports import DialInListener
from meter_connector.transports.acrel import DOWNLINK, REGISTER, TIME, UPLOAD, AcrelFrame, take_frame
from meter_connector.transports.dial_in import DialInLink
from wirehelp import MemoryRecorder, SimWire, make_clock, meter_row, really, until

FAST = {"energy_s": 1, "live_s": 0, "switch_s": 1}


def spec_of(name: str) -> LinkSpec:
    return LinkSpec(
        "tcp_server", registration=name.encode(), heartbeat=f"BEAT-{name}".encode(), heartbeat_s=0.05
    )


def link_row(name: str) -> dict[str, str]:
    return {"kind": "tcp_server", "registration": name, "heartbeat": f"BEAT-{name}"}


class Box:
    """A simulated gateway with one bus, and the scheduler it dials."""

    def __init__(self) -> None:
        self.wire = SimWire([meter_row(1)], bus={"baudrate": 9600})
        self.recorder = MemoryRecorder()
        self.scheduler = SiteScheduler(make_clock(), self.recorder, listen_host="127.0.0.1")
        self.lines: list[DialLink] = []

    async def start(self) -> None:
        document = self.wire.document(schedule=FAST)
        document["gateways"][0]["buses"][0]["link"] = link_row("REG-0001")
        await self.scheduler.apply(SiteConfig.from_document(document, is_strict=True))

    async def dial(self) -> DialLink:
        line = DialLink(spec_of("REG-0001"), self.wire.bus, random.Random(1))
        await line.start()
        line.dial("127.0.0.1", self.scheduler.listener.port)
        self.lines.append(line)
        return line

    def order(self, key: int, kind: str) -> None:
        now = self.scheduler.clock.now()
        order = Order(key, key, kind, 101, 1001, now, now + 600)  # type: ignore[arg-type]
        self.scheduler.submit(order, Stage.RECEIVED)

    async def ended(self, key: int) -> tuple[str, str]:
        await until(lambda: self.recorder.result(key), 30)
        result = self.recorder.result(key)
        assert result is not None
        return result.state, result.reported

    async def stop(self) -> None:
        for line in self.lines:
            await line.stop()
        await self.scheduler.stop()
        await self.wire.close()
        await asyncio.sleep(0.05)


def test_an_order_given_while_the_gateway_is_away_is_carried_out_once_when_it_calls_again() -> None:
    async def main() -> None:
        box = Box()
        await box.start()
        line = await box.dial()
        await until(lambda: box.recorder.readings, 20)
        await line.stop()
        box.order(1, "switch_off")
        await asyncio.sleep(0.3)
        assert box.recorder.result(1) is None
        await box.dial()
        assert await box.ended(1) == ("confirmed", "off")
        assert len(box.wire.commands("S1")) == 1
        await box.stop()

    really(main)


def test_a_connection_taken_over_in_the_middle_of_everything_loses_no_order() -> None:
    async def main() -> None:
        box = Box()
        await box.start()
        await box.dial()
        await until(lambda: box.recorder.readings, 20)
        link = box.scheduler._runners[1].link
        assert isinstance(link, DialInLink)
        for key in range(1, 5):
            box.order(key, "switch_off" if key % 2 else "switch_on")
            _, writer = await asyncio.open_connection("127.0.0.1", box.scheduler.listener.port)
            writer.write(b"REG-0001")  # the same gateway over another cell; then this one dies, too
            await until(lambda: link.replaced >= key, 20)  # noqa: B023
            writer.close()
            assert await box.ended(key) == ("confirmed", "off" if key % 2 else "on")
        assert len(box.wire.commands("S1")) == 4
        assert box.wire.moves("S1") == ["off", "on", "off", "on"]
        await box.stop()

    really(main)


def test_a_take_over_from_another_address_is_told_and_every_one_is_counted() -> None:
    async def main() -> None:
        box = Box()
        await box.start()
        link = box.scheduler._runners[1].link
        assert isinstance(link, DialInLink)
        writers = []
        for number, host in enumerate(["127.0.0.1", "127.0.0.1", *["127.0.0.2", "127.0.0.1"] * 5]):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", box.scheduler.listener.port, local_addr=(host, 0)
            )
            writers.append(writer)
            writer.write(b"REG-0001\r\n")
            await until(lambda: link.connections == number + 1, 20)  # noqa: B023
        assert box.scheduler.gateway_statuses()[0].replaced == 11
        assert box.scheduler.details()["dial_in"]["replaced"] == 11
        await until(lambda: box.recorder.kinds().count("gateway_replaced") == 6, 5)
        (event, *_) = [event for event in box.recorder.events if event.kind == "gateway_replaced"]
        assert event.gateway_id == box.scheduler.gateway_statuses()[0].id
        assert str(event.data["peer"]).startswith("127.0.0.2:")
        assert str(event.data["former"]).startswith("127.0.0.1:")
        for writer in writers:
            writer.close()
        await box.stop()

    really(main)


def test_61_gateways_are_read_while_strangers_knock() -> None:
    async def main() -> None:
        boxes = [SimWire([meter_row(1)], bus={"baudrate": 9600}, seed=n) for n in range(61)]
        names = [f"REG-{number:04}" for number in range(61)]
        gateways = []
        for number, (wire, name) in enumerate(zip(boxes, names, strict=True), 1):
            document = wire.document(schedule={**FAST, "switch_s": 0}, bus_id=number)
            (gateway,) = document["gateways"]
            (bus,) = gateway["buses"]
            bus["link"] = link_row(name)
            for meter in bus["meters"]:
                meter["id"] += 1000 * number
                meter["circuits"][0]["id"] += 10_000 * number
            gateways.append(gateway)
        document["gateways"] = gateways
        recorder = MemoryRecorder()
        scheduler = SiteScheduler(make_clock(), recorder, listen_host="127.0.0.1")
        await scheduler.apply(SiteConfig.from_document(document, is_strict=True))
        lines = []
        for wire, name in zip(boxes, names, strict=True):
            line = DialLink(spec_of(name), wire.bus, random.Random(name))
            await line.start()
            line.dial("127.0.0.1", scheduler.listener.port)
            lines.append(line)
        strangers = []
        for number in range(30):
            _, writer = await asyncio.open_connection("127.0.0.1", scheduler.listener.port)
            writer.write(random.Random(number).randbytes(50))
            strangers.append(writer)
        await until(lambda: len({reading.circuit_id for reading in recorder.readings}) == 61, 60)
        assert scheduler.listener.pending <= 30
        assert recorder.kinds().count("gateway_online") == 61
        for writer in strangers:
            writer.close()
        for line in lines:
            await line.stop()
        await scheduler.stop()
        for wire in boxes:
            await wire.close()
        await asyncio.sleep(0.05)

    really(main)


def test_a_link_that_cannot_be_opened_keeps_no_other_from_it() -> None:
    async def main() -> None:
        listener = DialInListener("127.0.0.1", 0)
        pool = LinkPool(listener)
        stranger = DialInLink(listener, b"REG-0001")
        await stranger.open()
        names = (b"REG-0001", b"REG-0002")
        links = [pool.get(Bus(1, 1, Link("tcp_server", registration=name), ())) for name in names]
        await pool.open()
        assert listener._links[b"REG-0002"] is links[1]
        await stranger.close()
        await pool.open()  # with the next configuration
        assert listener._links[b"REG-0001"] is links[0]

    really(main)


def test_six_buses_behind_one_connection_take_turns_and_none_waits_for_ever() -> None:
    """Transparent gateways with one connection for all their buses: one request at a time, each bus its share."""

    async def main() -> None:
        wire = SimWire([meter_row(n) for n in range(1, 7)], bus={"baudrate": 9600})
        document = wire.document(schedule={**FAST, "switch_s": 0})
        (bus,) = document["gateways"][0]["buses"]
        document["gateways"][0]["buses"] = [
            {**bus, "id": number, "number": number, "link": link_row("REG-0001"), "meters": [meter]}
            for number, meter in enumerate(bus["meters"], 1)
        ]
        recorder = MemoryRecorder()
        scheduler = SiteScheduler(make_clock(), recorder, listen_host="127.0.0.1")
        await scheduler.apply(SiteConfig.from_document(document, is_strict=True))
        line = DialLink(spec_of("REG-0001"), wire.bus, random.Random(1))
        await line.start()
        line.dial("127.0.0.1", scheduler.listener.port)
        await until(lambda: len(recorder.readings) >= 24, 30)
        counts = [sum(reading.circuit_id == 1000 + n for reading in recorder.readings) for n in range(1, 7)]
        assert min(counts) >= 2
        assert recorder.kinds() == ["gateway_online"]
        assert sum(status.dropped_bytes for status in scheduler.bus_statuses()) == 0
        assert len({id(runner.link) for runner in scheduler._runners.values()}) == 1
        await line.stop()
        await scheduler.stop()
        await wire.close()
        await asyncio.sleep(0.05)

    really(main)


class AcrelMeter:
    """Dials, registers, answers Modbus in envelopes, asks for the time, uploads what nobody can read."""

    padded = b"21091234560001".ljust(20, b"\0")

    def __init__(self, wire: SimWire) -> None:
        self.wire = wire
        self.heard: list[AcrelFrame] = []

    async def run(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(AcrelFrame(REGISTER, self.padded + bytes(38)).encode())
        writer.write(AcrelFrame(TIME).encode() + AcrelFrame(UPLOAD, b"[[1((data))]]").encode() * 3)
        held = b""
        try:
            while data := await reader.read(4096):
                held += data
                while held:
                    frame, size, is_open = take_frame(held)
                    if is_open:
                        break
                    held = held[size:]
                    if frame is not None:
                        self._take(frame, writer)
        finally:
            writer.close()

    def _take(self, frame: AcrelFrame, writer: asyncio.StreamWriter) -> None:
        self.heard.append(frame)
        if frame.command == DOWNLINK:
            assert frame.payload.startswith(self.padded)
            request = frame.payload[len(self.padded) :]

            def reply(data: bytes) -> None:
                writer.write(AcrelFrame(DOWNLINK, self.padded + data).encode())

            self.wire.bus.receive(request, reply)


def test_an_acrel_meter_is_read_and_switched_and_its_upload_is_shown_to_a_person() -> None:
    async def main() -> None:
        model = {"ddsy1352": {"protocol": "modbus-rtu"}}
        wire = SimWire([meter_row(1, "ddsy1352")], bus={"baudrate": 9600, "parity": "N"}, models=model)
        document = wire.document(schedule=FAST)
        (bus,) = document["gateways"][0]["buses"]
        bus["link"] = {"kind": "tcp_server", "registration": "acrel:21091234560001"}
        recorder = MemoryRecorder()
        scheduler = SiteScheduler(make_clock(), recorder, listen_host="127.0.0.1")
        await scheduler.apply(SiteConfig.from_document(document, is_strict=True))
        meter = AcrelMeter(wire)
        task = asyncio.create_task(meter.run(scheduler.listener.port))
        await until(lambda: recorder.readings, 20)
        assert recorder.readings[0].values["total"] >= 100
        now = scheduler.clock.now()
        scheduler.submit(Order(1, 1, "switch_off", 101, 1001, now, now + 60), Stage.RECEIVED)
        await until(lambda: recorder.result(1), 20)
        assert wire.moves("S1") == ["off"]
        assert meter.heard[0].encode().hex() == "7b7b84bf237d7d"
        assert bytes(meter.heard[1].payload[:5]) == bytes((26, 11, 21, 6, 12))  # Saturday, noon at the site
        (event,) = [event for event in recorder.events if event.kind == "frame_unknown"]
        assert "5B5B31" in str(event.data)
        assert (event.data["reason"], event.data["protocol"]) == ("acrel_upload", "acrel")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await scheduler.stop()
        await wire.close()
        await asyncio.sleep(0.05)

    really(main)
