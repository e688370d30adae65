from . import (
    test_certificate,
    test_guard,
    test_matching,
    test_parallel,
    test_poll,
    test_reconciliation,
    test_rights,
)
