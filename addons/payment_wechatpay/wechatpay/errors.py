"""What can go wrong, and who may try again.

WechatPayError
├── KeyMaterialError      never, until a person corrects the settings
├── VerificationError     never: what arrived is not proven to come from WeChat Pay
│   ├── UnknownSerial
│   ├── StaleMessage
│   └── BadSignature
├── MessageError          never: proven, but not what was agreed (also: cannot be decrypted)
├── TransportError        later, with the same numbers: the outcome is unknown
└── ApiError              see `code`; a fact about an order only when `is_verified`
"""


class WechatPayError(Exception):
    """Base of all errors of this package. Texts never contain keys, bodies or payer identities."""


class KeyMaterialError(WechatPayError):
    """A key or certificate is unusable. `reason` is a key of the texts the settings show."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class VerificationError(WechatPayError):
    """The signature does not prove the origin."""


class UnknownSerial(VerificationError):
    """Signed with a key that is not ours to trust. Nobody is asked for it: the sender may have invented it."""


class StaleMessage(VerificationError):
    """The timestamp is missing, no number, or outside the replay window."""


class BadSignature(VerificationError):
    """Headers missing, not base64, or the signature does not fit the bytes."""


class MessageError(WechatPayError):
    """Malformed, undecryptable, or of another kind than expected here."""


class TransportError(WechatPayError):
    """No usable answer: time-out, refused connection, redirect, oversize or encoded body."""


class ApiError(WechatPayError):
    """The gateway answered with an error.

    is_verified: the answer carried a valid signature. An unsigned error says nothing about an order.
    """

    def __init__(self, status, code="", message="", is_verified=False):
        super().__init__(f"HTTP {status} {code}: {message}".strip())
        self.status = status
        self.code = code
        self.message = message
        self.is_verified = is_verified

    def is_fact(self, *codes):
        """Whether WeChat Pay itself says one of these codes."""
        return self.is_verified and self.code in codes
