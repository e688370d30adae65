from . import test_bill, test_client, test_keys, test_notice
