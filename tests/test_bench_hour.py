"""The hour of the estate in little: what `bin/bench hour` measures holds for three gateways and some minutes of virtual time."""

from stack.bench import hour

SMALL = {"gateways": 3, "power": 31, "water": 31}


def test_a_healthy_estate_is_known_to_the_half_minute_and_its_wires_are_used():
    found = hour.run(hour.Story("healthy", 0.95, seconds=180, **SMALL))
    assert found["meters"] == 62
    assert found["age_s"]["max"] < 60
    assert found["utilisation"]["lowest"] >= 0.95


def test_dead_meters_and_garbled_frames_leave_the_others_known():
    story = hour.Story("troubled", 0.8, dead=0.05, garbled=0.02, seconds=600, **SMALL)
    found = hour.run(story)
    assert found["dead"] == 3
    assert found["age_s"]["max"] < 60
    assert found["utilisation"]["whole"] >= 0.8
    assert hour.run(story)["readings"] == found["readings"], "the same story"
