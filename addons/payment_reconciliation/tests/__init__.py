from . import test_guard, test_poll
