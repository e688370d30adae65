"""The machine loses its power with Odoo away, and starts with a wrong clock: nothing is carried out late, and every stamp becomes right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from meter_connector.app import App, make_buses
from meter_connector.clock import Anchor, Clock
from meter_connector.model import Event, Order, Reading
from meter_connector.outbox import Outbox
from meter_connector.outbox.upkeep import Upkeep
from meter_connector.simulator.virtual import VirtualWorld, Weather, virtual_loop, virtually
from meter_connector.simulator.virtual.machine import Life, Machine, _settings
from wirehelp import DEMO, meter_row

HOUR_S = 3600.0
FAST = {"energy_s": 20, "live_s": 0, "switch_s": 0}
LINK = {"kind": "tcp_client", "host": "127.0.0.1", "port": 0}
BUS = {"number": 1, "baudrate": 2400, "parity": "E", "link": LINK, "meters": [meter_row(1)]}
SITE = {key: DEMO[key] for key in ("site", "models", "loads")} | {
    "seed": 7,
    "gateways": [{"code": "G1", "name": "G1", "link": LINK, "buses": [BUS]}],
}


class Box(Machine):
    """A machine that can be started anew: another boot, its steady clock from 0, its wall clock where it happens to be."""

    boot = 1
    booted_at = 0.0
    is_synchronised = False

    def cut_power(self) -> None:
        self.kill()
        self.boot += 1

    def power_back(self, *, wall_ahead_s: float, is_synchronised: bool = False) -> None:
        self.booted_at, self.wall_skew_s, self.is_synchronised = (
            virtual_loop().time(),
            wall_ahead_s,
            is_synchronised,
        )
        self.start()

    async def _live(self, life: Life) -> None:
        loop, boot, since = virtual_loop(), self.boot, self.booted_at
        clock = Clock(
            lambda: self._wall() + self.wall_skew_s,
            lambda: loop.time() - since,
            lambda: f"boot {boot}",
            lambda: self.is_synchronised,
        )
        life.app = App(_settings(life.folder, 0), make_buses, self.odoo.client, clock, self._open)
        await life.app.run()


@asynccontextmanager
async def small_world() -> AsyncIterator[tuple[VirtualWorld, Box]]:
    """A meter with a switch that has been read for a while."""
    async with VirtualWorld(SITE, schedule=FAST) as world:
        box = world.machine = Box(world.odoo, world.wall, world.folder)
        box.start()
        await asyncio.sleep(150)
        yield world, box
        assert world.troubles == box.crashes == []


async def cut_with_a_trip_on_the_disk(world: VirtualWorld, box: Box) -> None:
    """A trip that lives for half an hour is stored, Odoo goes, and the power."""
    box.kill_at = lambda label: label == "orders.received"
    world.odoo.order(1, "switch_off", meter_id=1, circuit_id=1, expires_at=world.wall() + 1800)
    await asyncio.sleep(10)
    assert box.life is None
    box.kill_at = lambda _label: False
    world.odoo.set_weather(Weather(is_down=True))
    box.cut_power()


@pytest.mark.parametrize("wall_ahead_s", [-10 * HOUR_S, -56 * 365 * 24 * HOUR_S, 20.0, 365 * 24 * HOUR_S])
def test_an_expired_trip_is_not_carried_out_and_readings_get_their_true_times(wall_ahead_s: float) -> None:
    async def story() -> None:
        async with small_world() as (world, box):
            await cut_with_a_trip_on_the_disk(world, box)
            before = set(world.odoo.readings)
            await asyncio.sleep(10 * HOUR_S)
            began = world.wall()
            box.power_back(wall_ahead_s=wall_ahead_s)
            await asyncio.sleep(400)
            box.kill()  # the process alone: its guess goes on in the next one
            box.start()
            await asyncio.sleep(300)
            assert world.journal.since(kind="command") == []
            world.odoo.set_weather(Weather())
            await asyncio.sleep(30)
            came = sorted(at for key in world.odoo.readings if key not in before for at in [key[1]])
            meant = [at for at in came if at >= began]
            assert len(meant) == len(came) >= 30, "none has a time of the hours in which nothing was read"
            assert max(came) <= world.wall()
            gaps = sorted(later - earlier for earlier, later in zip(came, came[1:], strict=False))
            assert gaps[0] > 1
            assert gaps[-2] < 25, "but for the pause of the restart they are as far apart as they were read"
            assert world.odoo.states(1)[-1] == "expired"
            assert world.journal.since(kind="command") == []

    virtually(story)


def test_a_trip_that_is_still_young_when_the_time_is_known_is_carried_out() -> None:
    async def story() -> None:
        async with small_world() as (world, box):
            await cut_with_a_trip_on_the_disk(world, box)
            await asyncio.sleep(600)
            box.power_back(wall_ahead_s=-600)
            await asyncio.sleep(120)
            assert world.journal.since(kind="command") == []
            world.odoo.set_weather(Weather())
            await asyncio.sleep(60)
            assert world.odoo.states(1)[-1] == "confirmed"
            assert len(world.journal.since(kind="command")) == 1

    virtually(story)


@pytest.mark.parametrize(("away_s", "commands"), [(600.0, 1), (3600.0, 0)])
def test_a_wall_clock_that_is_synchronised_is_believed_without_odoo(away_s: float, commands: int) -> None:
    async def story() -> None:
        async with small_world() as (world, box):
            await cut_with_a_trip_on_the_disk(world, box)
            await asyncio.sleep(away_s)
            box.power_back(wall_ahead_s=-9000)
            await asyncio.sleep(60)
            assert world.journal.since(kind="command") == []
            box.wall_skew_s, box.is_synchronised = 0.0, True
            await asyncio.sleep(120)
            assert len(world.journal.since(kind="command")) == commands

    virtually(story)


def test_two_power_cuts_without_a_word_leave_the_order_of_readings() -> None:
    async def story() -> None:
        async with small_world() as (world, box):
            world.odoo.set_weather(Weather(is_down=True))
            before = max(at for _, at in world.odoo.readings)
            for _ in range(2):
                box.cut_power()
                await asyncio.sleep(HOUR_S)
                box.power_back(wall_ahead_s=1e9)
                await asyncio.sleep(300)
            world.odoo.set_weather(Weather())
            await asyncio.sleep(30)
            came = [at for _, at in world.odoo.arrivals if at > before]
            assert came == sorted(came)
            assert world.odoo.readings_counted_once()
            last = [at for at in came if at > world.wall() - 400]
            assert len(last) >= 15
            assert max(came) <= world.wall()

    virtually(story)


def test_a_full_disk_at_a_new_boot_keeps_nobody_from_starting() -> None:
    async def story() -> None:
        async with small_world() as (world, box):
            world.odoo.set_weather(Weather(is_down=True))
            box.cut_power()
            await asyncio.sleep(HOUR_S)
            began = world.wall()
            before = max(at for _, at in world.odoo.readings)
            box.is_disk_full = True
            box.power_back(wall_ahead_s=1e9)
            await asyncio.sleep(300)
            assert box.app is not None
            assert box.refused_commits > 0
            box.is_disk_full = False
            await asyncio.sleep(120)
            world.odoo.set_weather(Weather())
            await asyncio.sleep(60)
            came = [at for _, at in world.odoo.arrivals if at > before]
            assert began < min(came) <= max(came) <= world.wall()
            assert len([at for at in came if at < began + 300]) >= 10, "what was read then waited in memory"

    virtually(story)


def test_the_time_is_kept_every_minute_with_odoo_away() -> None:
    async def story() -> None:
        async with small_world() as (world, box):
            world.odoo.set_weather(Weather(is_down=True))
            await asyncio.sleep(HOUR_S)
            kept_at = world.wall()
            box.cut_power()
            await asyncio.sleep(HOUR_S)
            box.power_back(wall_ahead_s=-5 * HOUR_S)
            await asyncio.sleep(1)
            assert box.app is not None
            assert kept_at - 60 < box.app.clock.now() - 1 < kept_at + 1

    virtually(story)


def test_what_a_meter_has_noted_is_kept_over_a_kill() -> None:
    async def story() -> None:
        async with small_world() as (world, box):
            box.kill_at = lambda label: label == "state.kept"
            await asyncio.sleep(3 * HOUR_S)
            assert box.kills == {"state.kept": 1}
            box.kill_at = lambda _label: False
            box.start()
            app = await box.ready()
            kept = await app.outbox.kept_state(1)
            assert '"counts"' in kept
            await asyncio.sleep(3 * HOUR_S)
            assert world.odoo.readings_counted_once()

    virtually(story)


async def test_nothing_is_sent_whose_end_nobody_can_judge(tmp_path: Path) -> None:
    clock = Clock(wall=lambda: 1000.0, steady=lambda: 5.0, boot=lambda: "one")
    box = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    orders = [Order(1, 1, "switch_off", 5, 50, 900, 2000), Order(2, 0, "read", 5, 0, 900, 0)]
    await box.receive_orders(orders)
    clock.guess(1000)
    mine = await box.own_order(
        Order(0, 0, "switch_on", 6, 60, clock.now(), 2000, data='{"event": "plan_switched"}')
    )
    assert mine is not None
    assert [await box.start_order(order) for order in (*orders, mine)] == [False, True, True]
    clock.learn(1500, 5.0, 5.0)
    assert await box.start_order(orders[0])
    await box.close()


async def test_what_was_stamped_by_a_guess_is_set_right_once_and_nothing_else_is(tmp_path: Path) -> None:
    steady, path = [5.0], tmp_path / "outbox.sqlite3"

    def started() -> Clock:
        return Clock(lambda: 0.0, lambda: steady[0], lambda: "one")

    def reading(at: float, source: str = "scheduled") -> Reading:
        return Reading(50, at, {"total": "1"}, source)  # type: ignore[arg-type]

    clock = started()
    box = await Outbox.open(path, clock)
    await box.put_reading(reading(5000))  # by the true time: the guess begins behind it
    await box.begin_time()
    assert clock.guessed_since == 5000
    steady[0] += 100
    await box.put_readings([reading(5099), reading(5050, "freeze")])
    await box.put_event(Event("e", "meter_back", 5080))
    await box.keep_upkeep(Upkeep(50, "recovery", 0, 1, 5090))
    clock.learn(6000, steady[0], steady[0])
    await box.close()  # before the end of the guess is on the disk
    clock = started()
    box = await Outbox.open(path, clock)
    await box.begin_time()
    assert clock.now() == 5100
    clock.learn(6000, steady[0], steady[0])
    for _ in range(2):
        await box.keep_time()
        assert [row.reading.at for row in await box.readings(10)] == [5000, 5999, 5050]
        assert [row.event.at for row in await box.events(10)] == [5980]
        assert (await box.upkeeps())[50].tripped_at == 5990
    await box.put_readings([reading(5100), reading(6001)])  # read before, stored after
    assert [row.reading.at for row in await box.readings(10)][3:] == [6000, 6001]
    await box.close()
    again = started()
    box = await Outbox.open(path, again)
    await box.begin_time()
    assert (again.is_known, again.now()) == (True, 6000)
    assert again.anchor() == Anchor(6000, steady[0], "one")
    await box.close()


async def test_a_guess_that_was_ahead_of_the_true_time_leaves_true_stamps_alone(tmp_path: Path) -> None:
    steady = [5.0]

    def reading(at: float) -> Reading:
        return Reading(50, at, {"total": "1"})

    clock = Clock(lambda: 5000.0, lambda: steady[0], lambda: "one")
    box = await Outbox.open(tmp_path / "outbox.sqlite3", clock)
    await box.begin_time()  # nothing is known but the wall clock, which is 100 s ahead
    steady[0] += 10
    await box.put_reading(reading(5010))
    clock.learn(4910, steady[0], steady[0])
    await box.keep_time()
    await box.put_reading(reading(5009))  # read before the lesson, stored after it
    steady[0] += 95
    await box.put_readings([reading(5004), reading(5005)])  # by now true
    assert [row.reading.at for row in await box.readings(10)] == [4910, 4909, 5004, 5005]
    await box.close()
