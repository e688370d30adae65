from . import test_rating_hypothesis
