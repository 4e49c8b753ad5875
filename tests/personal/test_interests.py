import numpy as np

from attention_filter.personal.interests import claims, matrices
from attention_filter.personal.ranking import make_profile


def test_a_has_columns_and_h_rows_that_sum_to_one(world):
    profile = make_profile(world.background, world.history([1], [1.0], statements=[0, 1, 2]))
    a, h = matrices(profile, world.features)
    np.testing.assert_allclose(a.sum(0), 1, atol=1e-5)
    np.testing.assert_allclose(h.sum(1), 1, atol=1e-5)


def test_an_interest_claims_its_own_topic(world):
    profile = make_profile(world.background, world.history([], [], statements=[0, 1]))
    claimed = claims(profile, world.features)
    for topic in (0, 1):
        assert (claimed[world.topic == topic] == topic).mean() > 0.8
    assert (claimed[world.topic > 1] == -1).mean() > 0.6
