"""What gateways can say, and the times after which we ask, cancel and alarm."""

from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")

#: States of payment data, by the kind of transaction they are about.
PAYMENT_STATES = ("pending", "paid", "closed", "failed")
REFUND_STATES = ("refunding", "refunded", "refund_failed")
#: In these states money moved: the amount must be there.
MONEY_STATES = ("paid", "refunded")

#: Minutes until the gateway is asked for the first time, and again after each question without a final answer.
POLL_MINUTES = (1, 1, 2, 5, 10, 20, 30, 60, 120, 240, 360)
#: Number of questions without a final answer after which a person is told: about eight hours after creation.
ALARM_POLLS = 10
#: An order whose time is over is settled this long after it, in minutes: clocks differ.
EXPIRY_MARGIN_MINUTES = 1

#: Minutes after which a confirmed transaction should have been post-processed.
SWEEP_MINUTES = 15

#: Days before the end of a certificate from which people are told.
CERTIFICATE_DAYS = 30

#: Bills of a day are there from this hour (Beijing) of the next day.
BILL_HOUR = 10
#: Days back that are reconciled by themselves, and after which a missing bill is a case.
BILL_DAYS = 3
BILL_ALARM_DAYS = 2

#: State of a bill line -> states in which our transaction agrees with it.
AGREEING_STATES = {
    "paid": ("done",),
    "refunded": ("done",),
    "refunding": ("draft", "pending", "done"),
    "refund_failed": ("error", "cancel"),
    "closed": ("cancel", "error"),
}

CASE_KINDS = [
    ("amount_differs", "Amount or currency differs"),
    ("paid_twice", "Second payment for a confirmed transaction"),
    ("reference_reused", "Gateway reference of another transaction"),
    ("wrong_provider", "Data of another provider"),
    ("wrong_reference", "Reference missing or of another transaction"),
    ("state_differs", "State contradicts ours"),
    ("refund_exceeds", "Refunds exceed what was paid"),
    ("no_answer", "No final answer from the gateway"),
    ("not_post_processed", "Confirmed but not booked"),
    ("missing_here", "In the bill, not here"),
    ("missing_there", "Here, not in the bill"),
    ("duplicate", "Twice in the bill"),
    ("bill_missing", "No bill"),
    ("certificate_ends", "A certificate ends soon"),
]
