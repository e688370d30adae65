"""NB-IoT meters: the operators' platforms push what the meters report, and keep commands until a meter wakes.

    platform ──POST──> endpoint ──> inbox (disk) ──200──> platform
                                      └─> service: frames found, decoded ──Recorder──> outbox
    orders ──> waiting ──meter wakes──> downlink ──> platform

`push`, `ctwing`, `onenet`, `payload` and `decoding` are bytes in, values out: no clock, no socket.
"""

from .push import Push, PushRefused

__all__ = ["Push", "PushRefused"]
