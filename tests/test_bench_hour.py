"""The hour of the estate in little: what `bin/bench hour` measures holds for two gateways and some minutes of virtual time."""

from stack.bench import hour

SMALL = {"gateways": 2, "power": 21, "water": 21}


def test_a_healthy_estate_is_known_to_the_minute_and_its_wires_are_used():
    found = hour.run(hour.Story("healthy", 0.95, seconds=120, **SMALL))
    assert found["meters"] == 42
    assert found["age_s"]["max"] < 60
    assert found["utilisation"]["lowest"] >= 0.95


def test_dead_meters_and_garbled_frames_leave_the_others_known():
    found = hour.run(hour.Story("troubled", 0.8, dead=0.05, garbled=0.02, seconds=300, **SMALL))
    assert found["dead"] == 2
    assert found["age_s"]["max"] < 60
    assert found["utilisation"]["whole"] >= 0.8


def test_a_bus_that_always_has_something_to_read_hardly_ever_pauses():
    """By the clock, not by what the connector says of itself: half a second before each job would show."""
    found = hour.run(hour.Story("never idle", 0.95, seconds=120, **hour.READ_AT_ONCE, **SMALL))
    assert found["utilisation"]["of"] == "elapsed"
    assert found["utilisation"]["lowest"] >= 0.95
    assert found["utilisation"]["goodput"] >= 0.95


def test_what_the_dead_and_the_damaged_cost_is_no_goodput():
    story = hour.Story("troubled", 0.8, dead=0.05, garbled=0.02, seconds=120, **hour.READ_AT_ONCE, **SMALL)
    used = hour.run(story)["utilisation"]
    assert used["whole"] >= 0.8
    assert 0.5 * used["whole"] < used["goodput"] < 0.99 * used["whole"]
