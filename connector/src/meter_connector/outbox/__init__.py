"""Store and forward: what was read is on this disk before it counts as read, and stays until Odoo has acknowledged it."""

from .orders import OrderRow
from .outbox import Outbox
from .queues import QueueStats, StoredEvent, StoredReading, StoredResult

__all__ = ["OrderRow", "Outbox", "QueueStats", "StoredEvent", "StoredReading", "StoredResult"]
