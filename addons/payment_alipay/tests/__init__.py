from . import (
    test_bill,
    test_browser,
    test_client,
    test_fake,
    test_gateway,
    test_keys,
    test_notice,
    test_notify_route,
    test_pages,
    test_parallel,
    test_settings,
)
