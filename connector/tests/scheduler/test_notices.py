"""What buses tell by themselves: strange frames, clocks; and what they do when the disk fills."""

from __future__ import annotations

from pathlib import Path

from schedhelp import Stand, pass_time
from wirehelp import SimWire, meter_row, until, virtually

IDLE = {"energy_s": 3600, "live_s": 0, "switch_s": 0}
BUSY = {"energy_s": 1, "live_s": 0, "switch_s": 0}


def test_strange_frames_are_told_twenty_a_minute_and_the_rest_counted(tmp_path: Path) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2)]), disk=tmp_path / "outbox.sqlite3")
        disk = stand.disk
        assert disk is not None
        await stand.start(schedule=BUSY)
        await pass_time(5)
        stand.wire.faults(duplicate=1.0)
        await pass_time(180)
        told = disk.events("frame_unknown")
        assert 30 <= len(told) <= 80
        for event in told:
            assert event.bus_id == 1
            assert bytes.fromhex(event.data["hex"])
            assert event.data["size"] >= len(bytes.fromhex(event.data["hex"]))
            assert event.data["protocol"] == "dlt645-2007"
            assert event.data["reason"]
        times = sorted(event.at for event in told)
        assert all(later - first >= 60 for first, later in zip(times, times[20:], strict=False))
        assert sum(event.data["dropped"] for event in told) > 0
        await stand.close()

    virtually(main)


def test_every_clock_is_looked_at_after_the_broadcast_and_its_drift_told(tmp_path: Path) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1), meter_row(2, "lxsy315-dn15")]), disk=tmp_path / "outbox.sqlite3")
        disk = stand.disk
        assert disk is not None
        stand.wire.meter_faults("S1", clock_offset_s=-40)
        stand.wire.meter_faults("S2", clock_offset_s=-400)
        await stand.start(schedule={**IDLE, "clock_at": "12:05"})
        await until(lambda: len(disk.events("clock_checked")) == 2, 1200)
        drifts = {event.meter_id: event.data["drift_s"] for event in disk.events("clock_checked")}
        assert abs(drifts[101]) <= 2  # by broadcast
        assert abs(drifts[102]) <= 2  # one by one: no broadcast reaches it
        await stand.close()

    virtually(main)


def test_a_filling_disk_thins_reads_then_pauses_them_and_orders_go_on(tmp_path: Path) -> None:
    async def main() -> None:
        stand = Stand(SimWire([meter_row(1)]), disk=tmp_path / "outbox.sqlite3")
        disk = stand.disk
        assert disk is not None
        await stand.start(schedule={"energy_s": 10, "live_s": 0, "switch_s": 0})
        await pass_time(600)
        counts = [len(disk.readings())]
        for pressure in (2, 3, 0):
            disk.pressure = pressure
            await pass_time(100)  # what was planned before still comes
            before = len(disk.readings())
            await pass_time(600)
            counts.append(len(disk.readings()) - before)
            if pressure == 3:
                stand.odoo_orders(stand.make_order(1, "switch_off"))
                assert (await stand.told(1)).state == "confirmed"
        calm, thinned, paused, again = counts
        assert 50 <= calm <= 70
        assert 4 <= thinned <= 8
        assert paused == 0
        assert again >= 50
        await stand.close()

    virtually(main)
