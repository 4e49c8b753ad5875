"""The simpler rankings that the filter is measured against, each as strong as it could be made at little cost.

Each returns scores (n,) for n candidates, or None when it has nothing to go by. `others` are unlabelled
background items, taken as unwanted. Those that learn from likes take a stated interest as one more like, which
helped each of them on profiles (linear SVM: AUC .883 → .951, mean of likes: .883 → .920).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attention_filter.personal.features import SLOTS, Counts, Features, stack
from attention_filter.personal.feedback import History
from attention_filter.personal.taste import newton

K1, B = 1.5, 0.75  # of BM25
SVM_C = 0.01  # as arxiv-sanity-lite
STRENGTHS = (10.0, 1.0, 0.1)  # λ = 1 / C that logistic regression chooses from
BACKGROUND_FOR_SVM, BACKGROUND_FOR_LOGISTIC = 1_000, 200  # more did not help either
FACTORS, SWEEPS, SHRINK, UNSEEN = 16, 50, 0.06, 0.001  # of the matrix factorisation, Gorse's defaults

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Bm25:
    """What BM25 knows of a collection: `idf` (SLOTS,) and the mean `length` of a text in terms."""

    idf: np.ndarray
    length: float


def make_bm25(collection: Counts) -> Bm25:
    """Learn from unlabelled texts; idf = ln(1 + (N − df + ½) / (df + ½)), which is never negative."""
    n = len(collection.start) - 1
    documents = np.bincount(collection.terms % SLOTS, minlength=SLOTS)
    length = float(collection.counts.sum()) / n if n else 1.0
    return Bm25(np.log1p((n - documents + 0.5) / (documents + 0.5)), length or 1.0)


def bm25(collection: Bm25, statements: Counts, candidates: Counts) -> Scores | None:
    """The best statement's BM25 score (Robertson & Zaragoza 2009, eq. 3.15).

    The best one did better than the sum over statements: nDCG@10 .90 against .88 on Reuters profiles.
    """
    asked = len(statements.start) - 1
    if not asked:
        return None
    queries = _weights(statements, statements.counts.astype(np.float64))
    rows = np.repeat(np.arange(len(candidates.start) - 1), np.diff(candidates.start))
    tf = candidates.counts.astype(np.float64)
    lengths = np.bincount(rows, tf, minlength=len(candidates.start) - 1) / collection.length
    worth = collection.idf[candidates.terms % SLOTS] * tf * (K1 + 1) / (tf + K1 * (1 - B + B * lengths[rows]))
    scores: Scores = (_weights(candidates, worth) @ queries.T).toarray().max(1)
    return scores


def newest(dates: np.ndarray) -> Scores | None:
    """Newest first; what has no date (NaN) comes last. `dates` (n,) in seconds."""
    return None if np.isnan(dates).all() else np.where(np.isnan(dates), -np.inf, dates)


def at_random(rows: np.ndarray, seed: tuple[int, int]) -> Scores:
    """Chance. An item, named by its row, gets the same score wherever it stands in the list."""
    scores = np.empty(len(rows))
    scores[np.argsort(rows, kind="stable")] = np.random.default_rng(seed).random(len(rows))
    return scores


def mean_of_likes(history: History, candidates: Features) -> Scores | None:
    """Cosine of meaning with the mean of what was liked, up to a factor."""
    wanted = history.weight > 0
    if not wanted.any():
        return None
    scores: Scores = candidates.meaning @ history.features.meaning[wanted].mean(0, dtype=np.float64)
    return scores


def weighted_library(history: History, candidates: Features) -> Scores | None:
    """The mean cosine with what was liked, later likes weighing more, times ten, as zotero-arxiv-daily does it.

    The i-th latest like (from 0) weighs 1 / (1 + log10(i + 1)), over the sum of all weights. Likes stand in the
    order in which they were given, statements after them, so that a statement is the latest.
    """
    wanted = np.flatnonzero(history.weight > 0)[::-1]  # the latest first
    if not len(wanted):
        return None
    decay = 1 / (1 + np.log10(np.arange(len(wanted)) + 1))
    library = (decay / decay.sum()) @ history.features.meaning[wanted].astype(np.float64)
    scores: Scores = 10 * (candidates.meaning @ library)
    return scores


def keyword_rules(statements: Counts, candidates: Counts) -> Scores | None:
    """How many words of the statements a text has, each word one rule, like the classifiers of NewsBlur.

    There a story with any liked word is +1; to count the words orders the stories that would tie. The text counts
    as the title does (its "text classifiers"). Dislikes of authors, tags and feeds: the profiles have none.
    """
    rules = np.unique(statements.terms)
    if not len(rules):
        return None
    texts = np.repeat(np.arange(len(candidates.start) - 1), np.diff(candidates.start))
    matched = np.isin(candidates.terms, rules)
    return np.bincount(texts[matched], minlength=len(candidates.start) - 1).astype(np.float64)


def linear_svm(history: History, others: Features, candidates: Features) -> Scores | None:
    """TF-IDF and a linear support vector machine for this reader alone, as arxiv-sanity-lite does it."""
    weights = svm_weights(history, others)
    return None if weights is None else np.asarray(candidates.words @ weights, np.float64)


def svm_weights(history: History, others: Features) -> np.ndarray | None:
    """What each word is worth to the machine (SLOTS,)."""
    examples, wanted = _examples(history, others[:BACKGROUND_FOR_SVM])
    if wanted.all() or not wanted.any():
        return None
    from sklearn.svm import LinearSVC

    words = examples.words
    used, columns = np.unique(words.indices, return_inverse=True)
    packed = sparse.csr_matrix((words.data, columns, words.indptr), shape=(words.shape[0], len(used)))
    machine = LinearSVC(C=SVM_C, class_weight="balanced", random_state=0).fit(packed, wanted)
    weights = np.zeros(SLOTS)
    weights[used] = machine.coef_[0]
    return weights


def rbf_svm(history: History, others: Features, candidates: Features) -> Scores | None:
    """A support vector machine with a Gaussian kernel on meaning, both classes weighing the same.

    Scikit-learn's SVC as it comes (C = 1, γ = 1 / (d · variance)), the distance to its border as the score.
    """
    examples, wanted = _examples(history, others[:BACKGROUND_FOR_SVM])
    if wanted.all() or not wanted.any():
        return None
    from sklearn.svm import SVC

    machine = SVC(kernel="rbf", class_weight="balanced").fit(examples.meaning, wanted)
    return np.asarray(machine.decision_function(candidates.meaning), np.float64)


def logistic_regression(history: History, others: Features, candidates: Features) -> Scores | None:
    """Logistic regression on meaning, both classes weighing the same, λ by leave-one-out.

    Solved in its dual, η = Ka, since examples are fewer than dimensions.
    """
    examples, wanted = _examples(history, others[:BACKGROUND_FOR_LOGISTIC])
    if wanted.all() or not wanted.any():
        return None
    rows = examples.meaning.astype(np.float64)
    kernel = rows @ rows.T + 1  # the 1 is the intercept's
    weight = np.where(wanted, 0.5 / wanted.mean(), 0.5 / (1 - wanted.mean()))
    dual, least = np.zeros(len(rows)), np.inf
    best = dual
    for strength in STRENGTHS:
        dual, left_out, _ = newton(kernel, wanted, weight, strength, dual)
        loss = float(weight @ np.logaddexp(0, np.where(wanted, -left_out, left_out)))
        if loss < least:
            best, least = dual, loss
    scores: Scores = candidates.meaning @ (rows.T @ best)
    return scores


@dataclass(frozen=True)
class Factors:
    """What many readers' clicks say of n items: `items` (n, FACTORS), zero for an item that nobody clicked."""

    items: np.ndarray

    def scores(self, past: np.ndarray, candidates: np.ndarray) -> Scores | None:
        """Scores (m,) of the `candidates` (m,), rows of items, for a reader who clicked on the rows `past`.

        None when none of both is known: then there is nothing to tell them apart by.
        """
        known = np.any(self.items != 0, axis=1)
        if not known[past].any() or not known[candidates].any():
            return None
        return np.asarray(self.items[candidates] @ _fold_in(self.items[past], _everyone(self.items)), np.float64)


def factorise(clicks: sparse.csr_array, *, seed: int = 0) -> Factors:
    """Matrix factorisation of `clicks` (readers, items), 1 where a reader clicked, as Gorse's ALS has it.

    The least of Σ_clicked (1 − p·q)² + UNSEEN Σ_others (p·q)² + SHRINK (Σ p² + Σ q²) (He et al. 2016, "Fast matrix
    factorization for online recommendation with implicit feedback", eq. 3, all items alike), by SWEEPS of exact
    alternating least squares (Hu, Koren & Volinsky 2008). An item that nobody clicked has no factors: it gets 0, as
    from Gorse.
    """
    by_item = sparse.csr_array(clicks.T)
    rng = np.random.default_rng(seed)
    items = 0.1 * rng.normal(size=(clicks.shape[1], FACTORS)) * (np.diff(by_item.indptr) > 0)[:, None]
    for _ in range(SWEEPS):
        readers = _solve(clicks, items)
        items = _solve(by_item, readers)
    return Factors(items)


def _solve(clicks: sparse.csr_array, others: np.ndarray) -> np.ndarray:
    """The best factors (rows, FACTORS) of each row, given those of the columns."""
    everyone, out = _everyone(others), np.zeros((clicks.shape[0], FACTORS))
    for row in np.flatnonzero(np.diff(clicks.indptr)):
        out[row] = _fold_in(others[clicks.indices[clicks.indptr[row] : clicks.indptr[row + 1]]], everyone)
    return out


def _everyone(others: np.ndarray) -> np.ndarray:
    return np.asarray(UNSEEN * others.T @ others + SHRINK * np.eye(FACTORS))


def _fold_in(clicked: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    factors: np.ndarray = np.linalg.solve(everyone + (1 - UNSEEN) * clicked.T @ clicked, clicked.sum(0))
    return factors


def _examples(history: History, others: Features) -> tuple[Features, np.ndarray]:
    """What was wanted and what was not, and which is which (n,)."""
    told = history.weight != 0
    wanted = np.concatenate([history.weight[told] > 0, np.zeros(len(others), bool)])
    return stack([history.features[told], others]), wanted


def _weights(texts: Counts, values: np.ndarray) -> sparse.csr_array:
    slots = (texts.terms % SLOTS).astype(np.int32)
    return sparse.csr_array((values, slots, texts.start.astype(np.int32)), shape=(len(texts.start) - 1, SLOTS))
