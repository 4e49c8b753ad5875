import numpy as np
import pytest
from scipy import sparse

from attention_filter.personal.diversity import vary
from attention_filter.personal.features import Features


@pytest.mark.filterwarnings("error")
def test_without_variety_the_order_is_that_of_the_scores():
    features = Features(np.eye(4, dtype=np.float32), sparse.csr_array((4, 9), dtype=np.float32))
    assert vary(np.array([1.0, 4.0, 2.0, 3.0]), features, 4, variety=0.0) == [1, 3, 2, 0]
