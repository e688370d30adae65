from . import (
    test_bill,
    test_client,
    test_crypto,
    test_fake,
    test_notify,
    test_parallel,
    test_pay,
    test_refund,
    test_settings,
)
