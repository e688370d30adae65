"""Ways to the meters: serial port, TCP to the gateway, TCP from the gateway. Nothing here knows a protocol."""

from .backoff import Backoff
from .base import BaseLink, Link, ReconnectingLink, Wire
from .dial_in import DialInLimits, DialInLink, DialInListener, Refusal, printable
from .heartbeat import HeartbeatFilter
from .registration import Registrar, Verdict
from .serial_port import SerialLink, SerialSettings, open_port
from .tcp_client import TcpClientLink

__all__ = [
    "Backoff",
    "BaseLink",
    "DialInLimits",
    "DialInLink",
    "DialInListener",
    "HeartbeatFilter",
    "Link",
    "ReconnectingLink",
    "Refusal",
    "Registrar",
    "SerialLink",
    "SerialSettings",
    "TcpClientLink",
    "Verdict",
    "Wire",
    "open_port",
    "printable",
]
