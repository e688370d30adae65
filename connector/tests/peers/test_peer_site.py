"""The connector itself, scheduler, driver and link, at a slave that others wrote (`dlt645` 3.2.0), over TCP."""

from __future__ import annotations

from decimal import Decimal

from meter_connector.model import Order, OrderResult, SiteConfig
from meter_connector.ports import Stage
from meter_connector.scheduler import SiteScheduler
from peerhelp import ADDRESS, NEEDS_PEER
from wirehelp import MemoryRecorder, SimWire, make_clock, meter_row, really, until

pytestmark = NEEDS_PEER
OFTEN = {"energy_s": 1, "live_s": 1, "switch_s": 1}
VALUES = {
    "total": Decimal("1234.56"),
    "voltage_v": Decimal("223.1"),
    "current_a": Decimal("-1.234"),
    "power_kw": Decimal("5.4321"),
    "power_factor": Decimal("0.998"),
}


async def result_of(
    scheduler: SiteScheduler, recorder: MemoryRecorder, number: int, kind: str, data: str = ""
) -> OrderResult:
    now = scheduler.clock.now()
    order = Order(number, number, kind, 101, 1001, now, now + 60, data=data)  # type: ignore[arg-type]
    scheduler.submit(order, Stage.RECEIVED)
    await until(lambda: recorder.result(number), 20)
    result = recorder.result(number)
    assert result is not None
    return result


def test_the_connector_reads_writes_and_is_refused_by_a_slave_of_others(slave: int) -> None:
    async def main() -> None:
        wire = SimWire([meter_row(1, "ddsy315")])  # only for the configuration
        wire.rows[0]["address"] = ADDRESS
        document = wire.document(schedule=OFTEN)
        link = {"kind": "tcp_client", "host": "127.0.0.1", "port": slave}
        document["gateways"][0]["buses"][0].update(link=link)
        recorder = MemoryRecorder()
        scheduler = SiteScheduler(make_clock(), recorder, listen_host="127.0.0.1")
        await scheduler.apply(SiteConfig.from_document(document, is_strict=True))
        try:
            await until(lambda: len(recorder.readings) >= 3, 30)
            for reading in recorder.readings:
                found = {key: value for key, value in reading.values.items() if value is not None}
                assert {key: found.get(key) for key in VALUES} == VALUES
            asked = await result_of(scheduler, recorder, 1, "read")
            assert asked.state == "confirmed", asked.detail
            switched = await result_of(scheduler, recorder, 2, "switch_off")
            assert switched.state == "failed", "it has no relay, and says so"
            assert not scheduler.silent_meters(), "a meter that refuses is not a dead one"
        finally:
            await scheduler.stop()
            await wire.close()

    really(main)
