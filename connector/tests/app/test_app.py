"""The whole connector but the buses: a real outbox, a real client, a fake Odoo over HTTP, a fake bus layer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_buses import FakeBuses
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo, Mood
from meter_connector.app import App
from meter_connector.clock import Clock
from meter_connector.config import Settings
from meter_connector.errors import LinkError
from meter_connector.model import Event, Order, Reading, SiteConfig
from meter_connector.odoo import sender
from meter_connector.odoo.client import OdooSettings
from meter_connector.outbox import Outbox
from meter_connector.ports import Stage
from site_documents import document

pytestmark = pytest.mark.usefixtures("nothing_left_behind")
NOW = time.time()


@pytest.fixture
def odoo() -> Iterator[FakeOdoo]:
    with FakeOdoo(document=document()) as server:
        yield server


def settings_for(odoo: FakeOdoo, folder: Path, rpc: str = "xmlrpc") -> Settings:
    account = OdooSettings(odoo.url, DATABASE, LOGIN, KEY, rpc, timeout_s=5)
    return Settings(None, account, folder, 0, "127.0.0.1", 0, "127.0.0.1", 0, "info", "json")


@asynccontextmanager
async def running(
    odoo: FakeOdoo,
    folder: Path,
    *,
    is_obeying: bool = True,
    rpc: str = "xmlrpc",
    is_wall_right: bool = False,
) -> AsyncIterator[tuple[App, FakeBuses]]:
    app = App(
        settings_for(odoo, folder, rpc),
        lambda recorder, _clock, _settings: FakeBuses(recorder, is_obeying=is_obeying),
        clock=Clock(is_wall_right=lambda: is_wall_right),
    )
    task = asyncio.create_task(app.run())
    started = asyncio.create_task(app.running.wait())
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    if task.done():
        await task
    try:
        assert isinstance(app.buses, FakeBuses)
        yield app, app.buses
    finally:
        app.stop()
        await task


def reading(number: int, circuit: int = 50) -> Reading:
    return Reading(circuit, NOW + number, {"total": f"{number}.25", "switch": "on"}, extras={"n": number})


async def soon(predicate: object, timeout_s: float = 8.0) -> None:
    """For what shows only in the app itself."""
    async with asyncio.timeout(timeout_s):
        while not predicate():  # type: ignore[operator]  # noqa: ASYNC110 - the app gives no event for each of its facts
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("rpc", ["xmlrpc", "json2"])
async def test_a_reading_is_at_odoo_within_a_second_and_leaves_the_outbox(
    odoo: FakeOdoo, tmp_path: Path, rpc: str
) -> None:
    async with running(odoo, tmp_path, rpc=rpc) as (app, _buses):
        await odoo.until(lambda: odoo.count("api_hello"))
        put = time.monotonic()
        await app.outbox.put_reading(reading(1))
        await odoo.until(lambda: odoo.readings)
        assert time.monotonic() - put < 1.0
        await soon(lambda: app.uplink.readings.sent == 1)
        assert (await app.outbox.stats()).readings == 0
    [row] = odoo.readings.values()
    expected = {
        "circuit_id": 50,
        "at": NOW + 1,
        "total": "1.25",
        "switch": "on",
        "source": "scheduled",
        "extras": '{"n":1}',
    }
    assert row == expected


async def test_a_thousand_readings_go_in_few_calls_of_at_most_a_thousand(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_readings([reading(number) for number in range(2500)])
        await odoo.until(lambda: len(odoo.readings) == 2500)
    sizes = [len(payload["at"].split(",")) for method, payload in odoo.calls if method == "api_ingest"]
    assert max(sizes) <= 1000
    assert len(sizes) <= 5
    assert [at for _, at in odoo.arrivals] == sorted(at for _, at in odoo.arrivals)


async def test_odoo_away_stops_nothing_and_what_was_read_meanwhile_arrives_in_order(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    async with running(odoo, tmp_path) as (app, _buses):
        await odoo.until(lambda: odoo.count("api_config"))
        await soon(
            lambda: app.clock.is_known
        )  # what was stamped before would be set right by the first lesson
        odoo.stop()
        for number in range(50):
            await app.outbox.put_reading(reading(number))
        await soon(lambda: not app.uplink.contact.is_up)
        assert (await app.outbox.stats()).readings == 50
        odoo.start()
        await odoo.until(lambda: len(odoo.readings) == 50, 20)
    assert [at for _, at in odoo.arrivals] == [NOW + number for number in range(50)]


async def test_an_answer_that_was_lost_counts_nothing_twice(odoo: FakeOdoo, tmp_path: Path) -> None:
    odoo.mood("api_ingest", Mood(is_lost=True), Mood(is_lost=True), Mood(is_lost=True))
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_readings([reading(number) for number in range(10)])
        await odoo.until(lambda: len(odoo.readings) == 10)
        await soon(lambda: app.uplink.readings.sent == 10, 15)
    assert len(odoo.arrivals) == 10
    assert odoo.readings_counted_once()


async def test_each_answer_is_honoured_on_its_own(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "HOLD_S", 0.3)
    verdicts = {
        0: None,
        1: ("duplicate", ""),
        2: ("conflict", "other total"),
        3: ("rejected", "no such circuit"),
        4: ("retry", "busy"),
    }
    odoo.judge = lambda _method, item: verdicts[round(item["at"] - NOW)]
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_readings([reading(number, circuit=number + 1) for number in range(5)])
        await soon(lambda: app.uplink.readings.sent == 4)
        [left] = await app.outbox.readings(10)
        assert left.reading.circuit_id == 5
        verdicts[4] = None
        await soon(lambda: app.uplink.readings.sent == 5)
        assert app.uplink.readings.final == {"accepted": 2, "duplicate": 1, "conflict": 1, "rejected": 1}
    assert {"readings_conflict", "readings_rejected"} <= {record.message for record in caplog.records}


async def test_a_word_of_odoo_we_do_not_know_keeps_the_reading(odoo: FakeOdoo, tmp_path: Path) -> None:
    odoo.judge = lambda _method, _item: ("postponed", "new word")
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_reading(reading(1))
        await odoo.until(lambda: odoo.count("api_ingest"))
        assert (await app.outbox.stats()).readings == 1


async def test_what_waits_to_be_retried_holds_back_its_own_circuit_only(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "HOLD_S", 0.5)
    sulking = {50}
    odoo.judge = lambda _method, item: ("retry", "later") if item["circuit_id"] in sulking else None
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_reading(reading(1, 50))
        await odoo.until(lambda: odoo.count("api_ingest"))
        await app.outbox.put_readings([reading(2, 50), reading(3, 51)])
        await odoo.until(lambda: (51, NOW + 3) in odoo.readings)
        sulking.clear()
        await odoo.until(lambda: len(odoo.readings) == 3)
    assert [at for circuit, at in odoo.arrivals if circuit == 50] == [NOW + 1, NOW + 2]


async def test_one_reading_that_odoo_stumbles_over_is_found_and_the_others_get_through(
    odoo: FakeOdoo, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def judge(_method: str, item: dict[str, object]) -> None:
        if item["circuit_id"] == 13:
            raise_in_odoo(odoo)

    odoo.judge = judge
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_readings([reading(number, circuit=number) for number in range(1, 17)])
        await odoo.until(lambda: len(odoo.readings) == 15, 30)
        await soon(lambda: app.uplink.readings.sent == 15)
        [left] = await app.outbox.readings(10)
        assert left.reading.circuit_id == 13
    assert "readings_stumbled" in {record.message for record in caplog.records}


def raise_in_odoo(_odoo: FakeOdoo) -> None:
    raise RuntimeError("a fault of Odoo's")


async def test_an_answer_that_is_nonsense_leaves_everything_where_it_is(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "HOLD_S", 0.2)
    for answer in (
        {"accepted": 1},
        {"accepted": 1, "exceptions": [[7, "rejected", ""]]},
        {"accepted": 1, "exceptions": "x"},
    ):
        odoo.mood("api_ingest", Mood(answer=answer))
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_reading(reading(1))
        await soon(lambda: app.uplink.contact.calls_failed >= 3, 15)
        assert (await app.outbox.stats()).readings == 1
        await odoo.until(lambda: odoo.readings, 15)


async def test_events_arrive_once(odoo: FakeOdoo, tmp_path: Path) -> None:
    odoo.mood("api_events", Mood(is_lost=True))
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_event(Event("a", "gateway_offline", NOW, gateway_id=1, data={"links": ["x"]}))
        await soon(lambda: app.uplink.events.sent == 1)
    assert odoo.events == {
        "a": {"key": "a", "kind": "gateway_offline", "at": NOW, "gateway_id": 1, "data": {"links": ["x"]}}
    }


# -- orders ----------------------------------------------------------------------------------------


async def test_an_order_is_carried_out_and_reported_step_by_step(odoo: FakeOdoo, tmp_path: Path) -> None:
    async with running(odoo, tmp_path) as (_app, buses):
        await odoo.until(lambda: odoo.count("api_config"))
        ordered = time.monotonic()
        odoo.order(9)
        await odoo.until(lambda: "confirmed" in odoo.states(9))
        assert time.monotonic() - ordered < 2.0
    assert odoo.states(9) == ["received", "accepted", "confirmed"]
    assert buses.carried_out == [9]
    assert odoo.results[-1]["reported"] == "on"


async def test_a_kept_configuration_that_cannot_be_applied_is_replaced_by_odoos(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(odoo, tmp_path) as (app, _buses):
        await soon(lambda: app.held_version() == 1)
    apply = FakeBuses.apply

    async def stumbles(self: FakeBuses, site: SiteConfig) -> None:
        if site.version == 1:
            raise LinkError("the old one does not work")
        await apply(self, site)

    monkeypatch.setattr(FakeBuses, "apply", stumbles)
    odoo.document = document(2)
    odoo.order(9)
    odoo.mood("api_config", Mood(delay_s=0.5, answer=document(2)))  # orders come before it
    async with running(odoo, tmp_path) as (app, buses):
        assert app.held_version() == 0
        assert "the old one does not work" in app.config_problem
        await odoo.until(lambda: "confirmed" in odoo.states(9))  # it has waited for a configuration in force
        assert [site.version for site in buses.sites] == [2]
        assert (app.held_version(), app.config_problem) == (2, "")
        await odoo.until(lambda: {"config_refused", "config_ok"} <= {e["kind"] for e in odoo.events.values()})


async def test_an_order_is_on_the_disk_before_a_bus_hears_of_it(odoo: FakeOdoo, tmp_path: Path) -> None:
    async with running(odoo, tmp_path) as (app, buses):
        await odoo.until(lambda: odoo.count("api_config"))
        stored: list[int] = []
        receive = app.outbox.receive_orders

        async def slow(orders: list[Order]) -> list[Order]:
            await asyncio.sleep(0.2)
            assert buses.submitted == []
            wanted = await receive(orders)
            stored.extend(order.id for order in wanted)
            return wanted

        app.outbox.receive_orders = slow  # type: ignore[method-assign, assignment]
        odoo.order(9)
        await soon(lambda: buses.submitted)
        assert stored == [9]


async def test_an_order_whose_report_was_lost_is_not_carried_out_again(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    odoo.mood("api_report", Mood(is_lost=True), Mood(delay_s=0.3))
    async with running(odoo, tmp_path) as (_app, buses):
        odoo.order(9)
        await odoo.until(lambda: "confirmed" in odoo.states(9))
    assert buses.carried_out == [9]


async def test_orders_are_polled_while_ingest_hangs(odoo: FakeOdoo, tmp_path: Path) -> None:
    odoo.mood("api_ingest", Mood(delay_s=3, answer={"accepted": 1, "exceptions": []}))
    async with running(odoo, tmp_path) as (app, _buses):
        await odoo.until(lambda: odoo.count("api_config"))
        await app.outbox.put_reading(reading(1))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        odoo.order(9)
        await odoo.until(lambda: "confirmed" in odoo.states(9))
        assert time.monotonic() - started < 2.0


async def test_after_an_outage_orders_are_fetched_within_moments(odoo: FakeOdoo, tmp_path: Path) -> None:
    async with running(odoo, tmp_path) as (app, _buses):
        await odoo.until(lambda: odoo.count("api_config"))
        odoo.stop()
        await soon(lambda: not app.uplink.contact.is_up)
        odoo.order(9)
        odoo.start()
        await odoo.until(lambda: "confirmed" in odoo.states(9), 12)


async def test_an_order_for_a_meter_that_odoo_has_just_added_waits_for_the_configuration(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    async with running(odoo, tmp_path) as (_app, buses):
        await odoo.until(lambda: odoo.count("api_config"))
        fresh = document(2)
        fresh["gateways"][0]["buses"][0]["meters"][0].update(id=6, circuits=[{"id": 60, "number": 1}])
        odoo.mood("api_config", Mood(delay_s=0.3))
        odoo.document = fresh
        odoo.order(9, meter_id=6, circuit_id=60)
        await odoo.until(lambda: "confirmed" in odoo.states(9))
        assert buses.submitted[0][0] == 9


async def test_orders_left_open_by_a_kill_come_back_with_their_stage_after_the_first_contact(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    path = tmp_path / "outbox.sqlite3"
    box = await Outbox.open(path, Clock())
    await box.keep_config(document())
    orders = [Order(n, n, "switch_on", 5, 50 if n == 1 else 50 + n, NOW, NOW + 600) for n in (1, 2, 3)]
    await box.receive_orders(orders)
    await box.start_order(orders[1])
    await box.start_order(orders[2])
    await box.accept_order(orders[2])
    await box.close()
    odoo.mood("api_hello", Mood(delay_s=0.5))
    async with running(odoo, tmp_path, is_obeying=False) as (app, buses):
        assert buses.submitted == []
        await soon(lambda: len(buses.submitted) >= 3)
        assert app.uplink.first_contact.is_set()
        assert buses.submitted[:3] == [(1, 1, Stage.RECEIVED), (2, 2, Stage.STARTED), (3, 3, Stage.ACCEPTED)]


async def test_an_order_that_expired_by_the_servers_clock_is_not_carried_out_though_ours_is_slow(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    """Our clock is an hour behind: only what Odoo told us of the time says that the order is over."""
    odoo.clock_offset = 3600.0
    box = await Outbox.open(tmp_path / "outbox.sqlite3", Clock())
    await box.keep_config(document())
    await box.receive_orders([Order(1, 1, "switch_off", 5, 50, NOW, NOW + 600)])
    await box.close()
    async with running(odoo, tmp_path) as (_app, buses):
        await odoo.until(lambda: "expired" in odoo.states(1))
    assert buses.carried_out == []


async def test_with_odoo_down_open_orders_are_resumed_all_the_same(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meter_connector.app.FIRST_CONTACT_S", 0.2)
    box = await Outbox.open(tmp_path / "outbox.sqlite3", Clock())
    await box.keep_config(document())
    await box.receive_orders([Order(1, 1, "switch_on", 5, 50, NOW, NOW + 600)])
    await box.close()
    odoo.stop()
    async with running(odoo, tmp_path, is_wall_right=True) as (_app, buses):
        await soon(lambda: buses.carried_out == [1])


# -- configuration -----------------------------------------------------------------------------------


async def test_the_configuration_is_fetched_when_its_version_moves_and_only_then(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    async with running(odoo, tmp_path) as (_app, buses):
        await soon(lambda: [site.version for site in buses.sites] == [1])
        await odoo.until(lambda: odoo.count("api_orders") > 5)
        assert odoo.count("api_config") == 1
        odoo.document = document(2, baudrate=9600)
        await soon(lambda: [site.version for site in buses.sites] == [1, 2])
        assert next(iter(buses.sites[1].buses()))[1].baudrate == 9600


async def test_it_starts_and_reads_with_odoo_down(odoo: FakeOdoo, tmp_path: Path) -> None:
    async with running(odoo, tmp_path) as (_app, buses):
        await soon(lambda: buses.sites)
    odoo.stop()
    async with running(odoo, tmp_path) as (app, buses):
        assert [site.version for site in buses.sites] == [1]
        await app.outbox.put_reading(reading(1))
        assert (await app.outbox.stats()).readings == 1


async def test_a_configuration_that_cannot_be_used_leaves_the_last_good_one_in_force_and_is_told(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    async with running(odoo, tmp_path) as (app, buses):
        await soon(lambda: buses.sites)
        odoo.document = {**document(2), "connector": {"timezone": "Mars/Olympus"}}
        await odoo.until(lambda: odoo.events)
        assert "timezone" in app.config_problem
        await odoo.until(lambda: odoo.count("api_orders") > 20)
        assert odoo.count("api_config") == 2  # not every second again
        assert [site.version for site in buses.sites] == [1]
        odoo.document = document(3)
        await soon(lambda: [site.version for site in buses.sites] == [1, 3])
        assert app.config_problem == ""
        await odoo.until(lambda: len(odoo.events) == 2)
    event, over = odoo.events.values()
    assert (over["kind"], over["data"]) == ("config_ok", {"version": 3})
    assert event["kind"] == "config_refused"
    assert "connector.timezone: 'Mars/Olympus'" in event["data"]["problems"][0]


async def test_one_wrong_meter_is_left_out_and_told_and_the_rest_goes_on(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    broken = document(2)
    meters = broken["gateways"][0]["buses"][0]["meters"]
    meters.append({**meters[0], "id": 6, "address": "12x", "circuits": []})
    odoo.document = broken
    async with running(odoo, tmp_path) as (_app, buses):
        await odoo.until(lambda: odoo.events)
        assert [meter.id for _g, _b, meter in buses.sites[-1].meters()] == [5]
    [event] = odoo.events.values()
    assert event["kind"] == "config_problem"
    assert event["data"]["problems"] == [
        "gateways[0].buses[0].meters[1].address: '12x' is not up to 12 digits"
    ]


# -- hello, stop, trouble --------------------------------------------------------------------------------


async def test_hello_carries_the_status_of_the_seam(odoo: FakeOdoo, tmp_path: Path) -> None:
    async with running(odoo, tmp_path):
        await odoo.until(lambda: odoo.count("api_hello"))
    method, payload = next(call for call in odoo.calls if call[0] == "api_hello")
    status = payload["status"]
    assert payload["protocol"] == 1
    assert {"readings", "events", "oldest_at"} <= set(status["outbox"])
    assert status["gateways"] == [{"id": 1, "online": True, "since": 1.0, "replaced": 0}]
    assert status["buses"] == [
        {"id": 2, "queue": 3, "age_s": 1.5, "reads_ok": 10, "reads_failed": 1, "dropped_bytes": 4}
    ]
    assert status["meters_silent"] == [5]


async def test_a_refused_key_is_tried_slowly_and_work_goes_on_when_it_is_renewed(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    odoo.mood("authenticate", *[Mood(fault=(3, "Access Denied"))] * 12)
    async with running(odoo, tmp_path) as (app, _buses):
        await app.outbox.put_reading(reading(1))
        await odoo.until(lambda: odoo.readings, 30)


async def test_stopping_lets_the_buses_finish_and_sends_what_waits(odoo: FakeOdoo, tmp_path: Path) -> None:
    async with running(odoo, tmp_path, is_obeying=False) as (app, buses):
        await odoo.until(lambda: odoo.count("api_config"))
        buses.stop_takes_s = 0.3
        stop = buses.stop

        async def last_words() -> None:
            await stop()
            await app.outbox.put_reading(reading(99))

        buses.stop = last_words  # type: ignore[method-assign]
    assert buses.stopped
    assert (50, NOW + 99) in odoo.readings


async def test_stopping_with_odoo_hanging_takes_no_longer_than_promised(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meter_connector.app.FLUSH_S", 0.5)
    async with running(odoo, tmp_path) as (app, _buses):
        await odoo.until(lambda: odoo.count("api_config"))
        odoo.mood("api_ingest", *[Mood(delay_s=4)] * 4)
        await app.outbox.put_reading(reading(1))
        await asyncio.sleep(0.3)
        started = time.monotonic()
    assert time.monotonic() - started < 3


async def test_a_bus_layer_that_broke_ends_the_process_for_a_fresh_start(
    odoo: FakeOdoo, tmp_path: Path
) -> None:
    async def break_it() -> None:
        async with running(odoo, tmp_path) as (app, buses):
            buses.broken.set_exception(RuntimeError("broken for good"))
            await soon(lambda: app._stop.is_set())

    with pytest.raises(RuntimeError, match="broken for good"):
        await break_it()


async def test_a_loop_with_an_error_nobody_expected_starts_again(
    odoo: FakeOdoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("meter_connector.app.RESTART_LOOP_S", 0.1)
    odoo.judge = lambda _method, _item: None
    async with running(odoo, tmp_path) as (app, _buses):
        settle = app.outbox.settle
        failures = iter([KeyError("a fault of ours")])

        async def settle_badly(table: str, rows: list[int]) -> None:
            if error := next(failures, None):
                raise error
            await settle(table, rows)

        app.outbox.settle = settle_badly  # type: ignore[method-assign, assignment]
        await app.outbox.put_reading(reading(1))
        await soon(lambda: app.uplink.readings.sent == 1)
    assert "task_broke" in {record.message for record in caplog.records}


async def test_neither_key_nor_passwords_get_into_the_log(
    odoo: FakeOdoo, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    odoo.document["gateways"][0]["buses"][0]["meters"][0]["password"] = "98765432"
    odoo.document["gateways"][0]["buses"][0]["meters"].append({"id": 5, "password": "98765432", "model": "m"})
    async with running(odoo, tmp_path):
        await odoo.until(lambda: odoo.count("api_config"))
        odoo.stop()
        await asyncio.sleep(0.3)
    text = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert KEY not in text
    assert "98765432" not in text
