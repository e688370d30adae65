"""The server's time, and a log that machines can read and that keeps secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from meter_connector import errors, log
from meter_connector.clock import Clock, kernel_is_synchronised
from meter_connector.errors import ConnectorError, Retry


class Hands:
    """Wall and steady time, moved by hand."""

    def __init__(self, wall: float = 1000.0, steady: float = 5.0) -> None:
        self.wall, self.steady = wall, steady
        self.boot = "one"
        self.is_right = False

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.steady, lambda: self.boot)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_before_the_first_lesson_it_is_the_machines_time() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_(7)
    assert clock.now() == 1007


def test_the_servers_moment_is_the_middle_of_the_round_trip() -> None:
    hands = Hands()
    clock = hands.clock()
    sent = clock.monotonic()
    hands.pass_(2)
    clock.learn(5001, sent, clock.monotonic())
    assert clock.now() == 5002
    assert clock.offset == pytest.approx(4000)


def test_somebody_setting_the_wall_clock_moves_nothing() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.learn(5000, clock.monotonic(), clock.monotonic())
    hands.wall += 86400
    hands.pass_(3)
    assert clock.now() == 5003


def test_a_clock_a_little_ahead_runs_slowly_until_it_is_right() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.learn(5004, clock.monotonic() - 18, clock.monotonic())  # says 5013 ± 9
    before = clock.now()
    clock.learn(5010, clock.monotonic(), clock.monotonic())
    seen = [before]
    for _ in range(8):
        hands.pass_(1)
        seen.append(clock.now())
    assert seen == pytest.approx([5013, 5013.5, 5014, 5014.5, 5015, 5015.5, 5016, 5017, 5018])
    kept = clock.anchor()
    assert kept is not None
    assert kept.server_s == pytest.approx(5018)


def test_a_clock_far_ahead_is_set_right_at_once() -> None:
    clock = Hands().clock()
    clock.learn(9000, clock.monotonic(), clock.monotonic())
    clock.learn(5000, clock.monotonic(), clock.monotonic())
    assert clock.now() == 5000


def test_the_next_process_goes_on_by_the_steady_clock_whatever_the_wall_shows() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.learn(5000, clock.monotonic(), clock.monotonic())
    kept = clock.anchor()
    assert kept is not None
    hands.pass_(60)
    hands.wall -= 86400
    again = hands.clock()
    assert again.resume(kept)
    assert again.now() == 5060
    assert again.is_known
    again.learn(7000, again.monotonic(), again.monotonic())
    assert again.now() == 7000
    assert not again.resume(kept), "the server knows better"


@pytest.mark.parametrize(("boot", "steady"), [("two", 65.0), ("", 65.0), ("one", 1.0)])
def test_another_start_of_the_machine_says_nothing_of_the_time(boot: str, steady: float) -> None:
    hands = Hands()
    clock = hands.clock()
    clock.learn(5000, clock.monotonic(), clock.monotonic())
    kept = clock.anchor()
    assert kept is not None
    hands.boot, hands.steady = boot, steady
    again = hands.clock()
    assert not again.resume(kept)
    assert again.now() == 1000


def test_a_slow_lesson_does_not_spoil_a_quick_one() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.learn(5000, clock.monotonic(), clock.monotonic())
    hands.pass_(10)
    clock.learn(5009, clock.monotonic() - 8, clock.monotonic())  # says 5013 ± 4
    assert clock.now() == 5010


def test_a_server_whose_time_was_set_is_believed_at_once() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.learn(5000, clock.monotonic(), clock.monotonic())
    hands.pass_(10)
    clock.learn(9000, clock.monotonic() - 1, clock.monotonic())
    assert clock.now() == pytest.approx(9000.5)


def test_after_a_while_a_slower_lesson_counts_again() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.learn(5000, clock.monotonic(), clock.monotonic())
    hands.pass_(400)
    clock.learn(5399.9, clock.monotonic() - 0.6, clock.monotonic())
    assert clock.now() == pytest.approx(5400.2)


@pytest.mark.parametrize("wall", [30.0, 9e9])
def test_a_machine_whose_clock_nobody_keeps_right_goes_on_from_the_last_known_moment(wall: float) -> None:
    hands = Hands(wall=wall)
    clock = hands.clock()
    clock.guess(5000)
    hands.pass_(10)
    assert clock.now() == 5010
    assert not clock.is_known
    assert clock.anchor() is None, "nothing is known that could be kept"
    clock.take_wall()
    assert not clock.is_known
    clock.learn(5700, clock.monotonic(), clock.monotonic())
    assert clock.is_known
    assert clock.now() == 5700
    assert [clock.true(at) for at in (4999, 5000, 5007, 5010, 5011)] == [4999, 5690, 5697, 5700, 5011]


def test_with_nothing_known_at_all_the_wall_clock_is_the_guess() -> None:
    clock = Hands(wall=3000.0).clock()
    clock.guess(0)
    assert (clock.now(), clock.is_known) == (3000, False)


def test_a_guess_goes_on_in_the_next_process_of_the_same_boot_and_in_no_other() -> None:
    hands = Hands()
    kept = hands.clock().guess(5000)
    hands.pass_(60)
    again = hands.clock()
    assert again.guess(5055, kept) == kept
    assert again.now() == 5060
    hands.boot = "two"
    other = hands.clock()
    other.guess(5055, kept)
    assert other.now() == 5055


def test_a_wall_clock_that_is_kept_right_ends_the_guess_and_does_not_set_the_time_back() -> None:
    hands = Hands(wall=8000.0)
    clock = Clock(lambda: hands.wall, lambda: hands.steady, lambda: hands.boot, lambda: hands.is_right)
    clock.guess(5000)
    hands.is_right = True
    clock.take_wall()
    assert (clock.now(), clock.is_known, clock.true(5000)) == (8000, True, 8000)
    clock.guess(9000)
    clock.take_wall()
    assert clock.now() == 9000


def test_what_the_kernel_says_of_its_clock_is_yes_or_no() -> None:
    assert kernel_is_synchronised() in (True, False)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield (text := io.StringIO())
    logging.captureWarnings(False)
    root.handlers, root.level = before, level
    assert text is not None


def test_a_line_is_an_object_with_what_belongs_to_the_event(stream: io.StringIO) -> None:
    log.set_up("info", "json", stream)
    logging.getLogger("meter_connector.odoo").info(
        "order_received", extra={"order": 7, "reason": "paid\nnow"}
    )
    logging.getLogger("x").debug("unseen")
    [line] = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert fields.pop("at").endswith("Z")
    assert fields == {
        "level": "info",
        "logger": "odoo",
        "event": "order_received",
        "order": 7,
        "reason": "paid\nnow",
    }


def test_a_traceback_stays_on_its_line(stream: io.StringIO) -> None:
    log.set_up("info", "json", stream)
    try:
        raise ValueError("oops")
    except ValueError:
        logging.getLogger("x").exception("broke")
    [line] = stream.getvalue().splitlines()
    assert "ValueError: oops" in json.loads(line)["traceback"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_known_secret_is_blanked_out_wherever_it_stands(
    stream: io.StringIO, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SECRETS", log.Secrets())
    log.SECRETS.add("s3cret-key-0815")
    log.SECRETS.add("short")
    log.set_up("info", form, stream)
    logging.getLogger("x").warning(
        "call of %s failed", "s3cret-key-0815", extra={"url": "https://h/?k=s3cret-key-0815", "n": "short"}
    )
    assert "s3cret" not in stream.getvalue()
    assert stream.getvalue().count("***") == 2
    assert "short" in stream.getvalue()


def test_the_tree_of_errors_as_drawn_is_the_tree_of_classes_with_their_advice() -> None:
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        words = line.replace("│", " ").replace("├──", " ").replace("└──", " ").split()
        if words and words[0].endswith("Error") and len(words) > 1 and words[1] in ("now", "later", "never"):
            drawn[words[0]] = words[1]
    classes = {
        name: found.retry.value
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, ConnectorError)
    }
    parents = {"ConnectorError", "WireError", "OrderError", "OutboxError", "OdooError"}
    assert {name: advice for name, advice in classes.items() if name not in parents} == drawn
    assert {Retry(advice) for advice in drawn.values()} == set(Retry)
