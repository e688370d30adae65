"""What can go wrong with the gateway, and whether to try again.

AlipayError
├── KeyProblem         a key or certificate cannot be used         never: a person must correct the settings
├── SignatureProblem   not signed by Alipay's key                  never a fact; ask again later
├── NoticeProblem      a notice contradicts the rules              never
├── BillProblem        a bill file is not what it claims to be     never with the same file
├── BillNotReady       no bill for that day yet, or nothing moved  later
├── NotSent            the gateway was not reached                 now or later, nothing happened there
├── OutcomeUnknown     sent, but no usable answer                  ask with the same numbers, never with new ones
└── Refused            a signed answer saying no: code, sub_code   by its codes; see `is_outcome_unknown`
"""


class AlipayError(Exception):
    """Base of everything below. The text is for the log and for staff; it never holds keys or bodies."""


class KeyProblem(AlipayError):
    """`reason` is one of a few words, so that whoever shows it can translate it."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


class SignatureProblem(AlipayError):
    pass


class NoticeProblem(AlipayError):
    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason


class BillProblem(AlipayError):
    pass


class BillNotReady(AlipayError):
    pass


class NotSent(AlipayError):
    pass


class OutcomeUnknown(AlipayError):
    pass


class Refused(AlipayError):
    """The gateway said no, and signed it."""

    def __init__(self, code: str, sub_code: str, message: str):
        super().__init__(f"{code} {sub_code} {message}".strip())
        self.code = code
        self.sub_code = sub_code
        self.message = message

    @property
    def is_outcome_unknown(self) -> bool:
        """20000 (service not available) and system errors say nothing about what was done."""
        return self.code == "20000" or self.sub_code in ("ACQ.SYSTEM_ERROR", "SYSTEM_ERROR")
