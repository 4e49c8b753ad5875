import numpy as np
import pytest
from scipy import sparse

from attention_filter.personal.context import in_context, pull_back, word_reliability
from attention_filter.personal.features import SLOTS, Features, unit


def rows(meaning, words=None):
    meaning = unit(np.asarray(meaning, np.float32))
    words = np.zeros((len(meaning), 3)) if words is None else np.asarray(words, np.float32)
    return Features(meaning, sparse.csr_array((sparse.csr_array(words)).astype(np.float32)))


@pytest.fixture(scope="module")
def bank():
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(10, 16))
    return rows(topics[rng.integers(0, 10, 1500)] + 0.8 * rng.normal(size=(1500, 16)), rng.random((1500, 3)))


def test_a_text_moves_toward_its_topic(bank):
    rng = np.random.default_rng(1)
    alone = rows(bank.meaning[:50] + 0.1 * rng.normal(size=(50, 16)), np.zeros((50, 3)))
    seen = in_context(alone, bank).meaning
    close = bank.meaning @ bank.meaning[:50].T
    topic = np.argsort(-close, axis=0)[:60]
    before = np.mean([alone.meaning[i] @ bank.meaning[topic[:, i]].T for i in range(50)])
    after = np.mean([seen[i] @ bank.meaning[topic[:, i]].T for i in range(50)])
    assert after > before + 0.05
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)


def test_a_text_is_no_neighbour_of_itself(bank):
    without = Features(bank.meaning[1:], bank.words[1:])
    np.testing.assert_allclose(in_context(bank[:1], bank).meaning, in_context(bank[:1], without).meaning, atol=1e-6)


def test_a_text_depends_on_no_other_text_of_its_batch(bank):
    together = in_context(bank[:700], bank).meaning
    np.testing.assert_allclose(together[600:], in_context(bank[600:700], bank).meaning, atol=1e-6)


def test_without_a_vector_or_a_bank_nothing_changes(bank):
    empty = rows(np.zeros((2, 16)), np.ones((2, 3)))
    assert not in_context(empty, bank).meaning.any()
    np.testing.assert_array_equal(in_context(bank[:5], bank[:40]).meaning, bank.meaning[:5])


def test_what_is_pulled_back_gives_the_same_score(bank):
    toward = np.random.default_rng(2).normal(size=16)
    for row in range(20):
        seen = in_context(bank[[row]], bank).meaning[0]
        back = pull_back(toward, bank[[row]], bank)
        assert back @ bank.meaning[row] == pytest.approx(toward @ seen, abs=1e-5)


def test_words_are_reliable_where_neighbours_share_them():
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 20, 600)
    meaning = rng.normal(size=(20, 16))[topic] + 0.1 * rng.normal(size=(600, 16))
    shared = sparse.csr_array((np.ones(600, np.float32), (np.arange(600), topic)), (600, SLOTS))
    drawn = sparse.csr_array((np.ones(600, np.float32), (np.arange(600), rng.integers(0, 20, 600))), (600, SLOTS))
    meaning = unit(meaning.astype(np.float32))
    assert word_reliability(Features(meaning, shared)) > 0.9
    assert word_reliability(Features(meaning, drawn)) == pytest.approx(0.5, abs=0.03)
    assert word_reliability(Features(meaning[:99], shared[:99])) is None
