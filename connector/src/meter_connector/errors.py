"""Every error of the connector, and what its reader does about it.

    ConnectorError
    ├── SettingsError               never   the local settings file is wrong; a person edits it
    ├── SiteConfigError             never   Odoo's configuration document is wrong; the last good one stays
    ├── WireError                           talking to meters
    │   ├── LinkError               later   no connection to the gateway or serial port; reconnect with back-off
    │   ├── NoAnswerError           now     the meter did not answer in time
    │   ├── GarbledError            now     bytes came, but no frame that belongs to the request
    │   ├── MeterBusyError          later   the meter answered that it cannot at present
    │   └── MeterRefusedError       never   the meter answered with an error (no such data, illegal data)
    │       └── PasswordRefusedError never  wrong password or not authorised; a second try may lock the meter
    ├── OrderError                          carrying out orders
    │   ├── OrderExpiredError       never   its time is over by the server's clock
    │   ├── OrderSupersededError    never   a newer generation for the same circuit is known
    │   └── UnknownTargetError      never   the meter or circuit is not in the configuration
    ├── OutboxError                         the SQLite file
    │   ├── OutboxFullError         later   no space left on the disk; reading stops until there is some
    │   ├── OutboxDiskError         later   the disk or folder refuses; a person looks at it
    │   ├── OutboxLockedError       later   another process holds the file
    │   ├── OutboxTooNewError       never   written by a newer connector; upgrade or restore
    │   ├── OutboxCorruptError      never   damaged file; a person moves it away
    │   └── OutboxClosedError       never   used after close
    └── OdooError                           talking to Odoo
        ├── OdooUnreachableError    later   no connection, time-out, half an answer: back off with jitter
        │   └── OdooTlsError        later   the certificate does not verify; a person looks, we keep trying
        ├── OdooBusyError           later   429/502/503/504 or a serialisation failure: back off
        ├── OdooAuthError           later   key or user refused: slow retry, a person renews the key
        ├── OdooForbiddenError      later   the user may not call this; slow retry, a person fixes the rights
        ├── OdooFaultError          later   Odoo raised: slow retry, its log says why
        └── OdooAnswerError         later   an answer that is too large, or not what the seam says

"now": try again at once, a few times.  "later": after a back-off, for ever.  "never": only after a change from outside.
`retry` on each class says it to programs.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path


class Retry(enum.Enum):
    """When trying again makes sense."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


class ConnectorError(Exception):
    """Base of everything the connector raises on purpose."""

    retry: Retry = Retry.NEVER


class SettingsError(ConnectorError):
    """The local settings file; the text names file, line and key."""


class SiteConfigError(ConnectorError):
    """Odoo's configuration document; `problems` are lines of `key.path: what is wrong`."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class WireError(ConnectorError):
    """Base for everything between us and a meter."""

    retry = Retry.NOW


class LinkError(WireError):
    """No connection to the gateway or serial port."""

    retry = Retry.LATER


class NoAnswerError(WireError):
    """The meter did not answer in time."""


class GarbledError(WireError):
    """Bytes came, but no frame that belongs to the request."""


class MeterBusyError(WireError):
    """The meter cannot at present."""

    retry = Retry.LATER


class MeterRefusedError(WireError):
    """The meter answered with an error; `code` is its error byte or exception code."""

    retry = Retry.NEVER

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class PasswordRefusedError(MeterRefusedError):
    """Wrong password or not authorised."""


class OrderError(ConnectorError):
    """Base for orders that cannot be carried out."""


class OrderExpiredError(OrderError):
    """Its time is over by the server's clock."""


class OrderSupersededError(OrderError):
    """A newer generation for the same circuit is known."""


class UnknownTargetError(OrderError):
    """The meter or circuit is not in the configuration."""


class OutboxError(ConnectorError):
    """Base for the SQLite file; `path` is the file."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class OutboxFullError(OutboxError):
    """No space left."""

    retry = Retry.LATER


class OutboxDiskError(OutboxError):
    """The disk or folder refuses."""

    retry = Retry.LATER


class OutboxLockedError(OutboxError):
    """Another process holds the file."""

    retry = Retry.LATER


class OutboxTooNewError(OutboxError):
    """Schema of a newer connector."""


class OutboxCorruptError(OutboxError):
    """Damaged file."""


class OutboxClosedError(OutboxError):
    """Used after close."""


class OdooError(ConnectorError):
    """Base for everything between us and Odoo."""

    retry = Retry.LATER


class OdooUnreachableError(OdooError):
    """No connection, time-out, or the connection broke within an answer."""


class OdooTlsError(OdooUnreachableError):
    """The server's certificate does not verify."""


class OdooBusyError(OdooError):
    """Odoo or the proxy before it asks to come back later."""


class OdooAuthError(OdooError):
    """Key, user or database refused."""


class OdooForbiddenError(OdooError):
    """The user may not call this."""


class OdooFaultError(OdooError):
    """Odoo raised an error while carrying out the call."""


class OdooAnswerError(OdooError):
    """Too large an answer, or not of the form the seam promises."""
