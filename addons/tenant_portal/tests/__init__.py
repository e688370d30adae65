from . import test_access, test_browser, test_pages, test_supply, test_topup
