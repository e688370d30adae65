from . import test_guard, test_matching, test_poll
