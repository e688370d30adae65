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
