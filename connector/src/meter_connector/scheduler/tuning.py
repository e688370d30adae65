"""Every waiting time and limit of the scheduler, in one place, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """Seconds unless the name says otherwise."""

    read_attempts: int = 3
    """A read of a meter that answered last time."""
    doubtful_attempts: int = 2
    """A read of a meter that did not."""
    quiet_after: int = 3
    """After so many sweeps in a row without an answer, whichever meters, each read is sent once: the fault is the bus's."""
    silent_after: int = 3
    """Sweeps without an answer in a row until a meter counts as silent."""
    probe_first_s: float = 15.0
    """First probe of a silent meter, then doubled."""
    probe_limit_s: float = 600.0
    """At 128 dead meters of 0.8 s each the bus loses a sixth of its time to them, at most."""
    probe_idle_limit_s: float = 30.0
    """When no meter of the bus answers there is nobody to slow down, and the cable may be plugged in any moment."""
    merge_share: float = 0.1
    merge_limit_s: float = 5.0
    """Groups due within this share of their period are read together."""
    look_delays_s: tuple[float, ...] = (0.25, 0.4, 0.6, 1.0, 2.0, 3.0, 5.0)
    """Pauses before the looks at the switch after a command: relays lag 0.1 to 3 s, valves turn for 10 s and more."""
    obey_s: float = 30.0
    """The switch must show the wanted state within this time; a model's switch says otherwise by `obey_s`."""
    command_attempts: int = 3
    """Commands for one order, each but the first only after a look that showed the old state."""
    retry_first_s: float = 2.0
    retry_limit_s: float = 30.0
    """Pauses before the next try of an order whose meter does not answer."""
    retry_each_s: float = 7.5
    """With many such orders on a bus (a phase has failed) the pauses grow: a time-out of 0.75 s each takes a tenth of the bus."""
    busy_retries: int = 5
    """A meter that says it is busy is asked again so often."""
    breath_s: float = 0.01
    """A job that took less and is wanted again at once waits so long."""
    background_turn_s: float = 5.0
    """Discovery gets one request in so long, however full the bus is: an eighth of it at most."""
    progress_s: float = 3.0
    """A discovery tells how far it is so often."""
    plan_first_s: float = 5.0
    """After a start the supply plan waits so long for Odoo's time and orders."""
    plan_retry_s: float = 60.0
    plan_retry_limit_s: float = 3600.0
    """What the supply plan or the recovery switched and failed is tried again, with pauses that double."""
    plan_edge_s: float = 300.0
    """A meter that keeps its hours by its own clock may begin and end them so much earlier or later."""
    recovery_life_s: float = 3600.0
    """So long a meter that tripped is tried to be closed again."""
    drift_s: float = 120.0
    """A meter clock that differs more than this is reported: tariff periods begin at the wrong time."""
    drift_set_s: float = 10.0
    """A clock that differs more than this is set, where meters are set one by one."""
    counts_s: float = 3600.0
    """A meter's event counts are looked at so often, in the background: six short reads."""
    words_s: float = 900.0
    """Its status words: one short read."""
    clock_check_delay_s: float = 5.0
    offline_grace_s: float = 5.0
    """A gateway that comes back within this time was never reported as offline."""
    unknown_frames_a_minute: int = 20
    """Events of a bus about frames that answer nothing; more are only counted."""
    known_messages_an_hour: int = 1
    """Events of a bus about one kind of message that meters send by themselves every few minutes, as an Acrel meter's upload."""
    unknown_frame_bytes: int = 1024
    """So much of one is told."""
    unknown_frames_kept: int = 50
    refusals_an_hour: int = 20
    """Events about callers that were sent away."""
    takeovers_an_hour: int = 6
    """Events about a gateway that dials in from another address while its connection stands; all are counted."""
    max_unrecorded: int = 2000
    """Readings that wait for the disk; with more, reading pauses."""
    max_events: int = 2000
    """Events that wait for the disk; more are only counted."""
    paused_s: float = 30.0
    """When the disk is nearly full, so often it is looked whether there is room again."""
    stop_s: float = 5.0
    """For the frame on the wire to end."""
    resume_window_s: float = 3.0
    """After a restart: a command sent just before may still be moving the relay."""
    unsure_s: float = 3.0
    """After a command without an answer: the same."""
    last_look_s: float = 30.0
    """An expired order that was sent is still looked after so long, so that Odoo hears what became of it."""
