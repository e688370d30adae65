from . import (
    test_counter,
    test_invoicing,
    test_money,
    test_money_parallel,
    test_online_topup,
    test_rating_hypothesis,
    test_whole_month,
)
