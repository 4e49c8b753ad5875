"""`attention evaluate ranking`: the filter beside simpler rankings, on logs of what people read.

Answers cannot leak: what ranks (`rank_clicks`, `rank_profiles`) is never handed the labels of what it ranks, and
the click rates that an impression may use come from training impressions before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import sklearn.svm  # noqa: F401  loaded before `one_thread_each` looks for what it can limit

from attention_filter.clicks import Clicks, clicks_before
from attention_filter.encodings import TextEncoder, encode_cached
from attention_filter.errors import DataError, ModelError
from attention_filter.logs import (
    ClickLog,
    LogItem,
    ProfileSet,
    Situation,
    only_what_is_read,
    read_mind,
    read_profiles,
)
from attention_filter.models.passages import passage
from attention_filter.models.readers import load_readers
from attention_filter.personal import baselines
from attention_filter.personal.background import Background, make_background
from attention_filter.personal.evaluate import CONTENT, FILTER, READERS, Result, Section, measure
from attention_filter.personal.features import Counts, Features, Floats, Ints, stack, take
from attention_filter.personal.feedback import STATEMENT, History, act_weight
from attention_filter.personal.ranking import WEIGHTS, make_profile, score
from attention_filter.personal.threads import one_thread_each
from attention_filter.settings import cache_folder
from attention_filter.sources.clean import detect_language
from attention_filter.training.examples import contributions, items_for, personal_part, see
from attention_filter.types import Sign
from attention_filter.words import count_terms

Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much
Scores = dict[str, np.ndarray]  # {method: (n candidates,)}

MEAN = "mean of liked embeddings"
WITHOUT = f"{FILTER} without "  # and a term's name: the score's content when that term is left out of the sum

CLICK_MEASURES = ("auc", "mrr", "ndcg@5", "ndcg@10")
PROFILE_MEASURES = ("auc", "ndcg@10")
COUNTED = 4_000  # characters of a text whose words are counted


def evaluate_mind(
    items: Path,
    train: Path,
    test: Path,
    encoder: TextEncoder,
    *,
    readers: Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Result:
    """Rank each impression of `test`, with the click rates of `train`. DataError names the file and the line.

    `readers` is the folder of a ranking trained on a log of many readers, best on `train`: it gets rows of its own.
    """
    log = only_what_is_read(read_mind(items, train, test))
    texts = encode_items(log.items, encoder, progress)
    scores = rank_clicks(log, texts, encoder.id, progress=progress, seed=seed)
    if readers is not None:
        trained = rank_by_readers(log, texts.vectors, encoder.id, readers)
        scores = [{**one, **more} for one, more in zip(scores, trained, strict=True)]
    return measure_clicks(log, scores, seed)


def measure_clicks(log: ClickLog, scores: Sequence[Scores], seed: int = 0) -> Result:
    """What the scores of each test impression are worth."""
    n = len(log.test)
    marks = measure([impression.labels for impression in log.test], scores, CLICK_MEASURES)
    return Result((Section("", np.zeros(n, np.int64), np.arange(n), marks),), seed)


def evaluate_profiles(folder: Path, encoder: TextEncoder, *, progress: Progress | None = None, seed: int = 0) -> Result:
    """Rank the candidates of each situation. A section without situations is left out."""
    data = read_profiles(folder)
    texts = encode_items(data.items, encoder, progress)
    said = encode_statements(statements_of(data), texts, encoder)
    return measure_profiles(data, rank_profiles(data, texts, said, encoder.id, progress=progress, seed=seed), seed)


def measure_profiles(data: ProfileSet, scores: Sequence[Scores], seed: int = 0) -> Result:
    """What the scores of each situation are worth, with statements and without."""
    sections = []
    for name, stated in (("with_statements", True), ("without_statements", False)):
        rows = [i for i, situation in enumerate(data.situations) if situation.with_statements is stated]
        if rows:
            chosen = [data.situations[i] for i in rows]
            marks = measure([s.labels for s in chosen], [scores[i] for i in rows], PROFILE_MEASURES)
            groups, readers = np.array([s.k for s in chosen]), np.array([s.reader for s in chosen])
            sections.append(Section(name, groups, readers, marks))
    return Result(tuple(sections), seed)


@dataclass(frozen=True)
class Texts:
    """n texts, ready to be compared: `vectors` (n, d), not centred, their words and languages."""

    vectors: Floats
    counts: Counts
    langs: tuple[str, ...]


def encode_items(items: Sequence[LogItem], encoder: TextEncoder, progress: Progress | None) -> Texts:
    passages = [passage(item.title, item.text) for item in items]
    return Texts(
        _vectors(passages, encoder, progress),
        _counts([count_terms(item.text[:COUNTED], item.title) for item in items]),
        tuple(item.lang for item in items),
    )


def encode_statements(texts: Sequence[str], items: Texts, encoder: TextEncoder) -> Texts:
    """A statement is in the language of the items, or, when those have several, in the one it looks like."""
    langs = set(items.langs)
    only = next(iter(langs)) if len(langs) == 1 else None
    return Texts(
        _vectors(texts, encoder, None) if texts else items.vectors[:0],
        _counts([count_terms(text) for text in texts]),
        tuple(only or detect_language(text) for text in texts),
    )


def _vectors(texts: Sequence[str], encoder: TextEncoder, progress: Progress | None) -> Floats:
    def advance(done: int, total: int) -> None:
        if progress:
            progress("encoding", done, total)

    return encode_cached(encoder, texts, cache_folder() / "encodings", advance)


def _counts(rows: Sequence[np.ndarray]) -> Counts:
    """Rows of term counts (words.COUNTS) as one."""
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    together = np.concatenate([*rows, count_terms("")])
    return Counts(start, together["id"].copy(), together["count"].copy())


@dataclass(frozen=True)
class Ground:
    """What the methods know without feedback, learned from items that are nobody's answer."""

    background: Background
    bm25: baselines.Bm25
    features: Features  # of all items
    alone: Features  # of all items, not seen in context: what simpler rankings compare
    others: Features  # unlabelled items alone, in random order


@dataclass(frozen=True)
class Task:
    """What a method may see of a situation with n candidates: everything but the answers."""

    history: History
    history_alone: History  # the same, not seen in context
    statements: Counts
    rows: Ints  # (n,) the candidates among the items
    words: Counts
    dates: np.ndarray  # (n,) in seconds, NaN where unknown
    chance: tuple[int, int]  # the seed of the random ranking
    popularity: np.ndarray | None = None  # (n,) standardised
    factors: baselines.Factors | None = None  # of the items, as the clicks of many readers have it


@one_thread_each()
def rank_clicks(
    log: ClickLog, texts: Texts, model: str, *, progress: Progress | None = None, seed: int = 0, leave_out: bool = False
) -> list[Scores]:
    """Every method's scores for the news of each test impression; with `leave_out`, each term left out, too."""
    read = [rows for impression in log.train for rows in (impression.history, impression.candidates)]
    free = np.unique(np.concatenate(read)).astype(np.int64)  # the background: what the training log knows of
    ground = make_ground(model, texts, free, seed)
    none_said = take(texts.counts, np.zeros(0, np.int64))
    clicks = Clicks(log.train, len(log.items))
    factors = baselines.factorise(clicks_before(log), seed=seed)
    out = []
    for number, impression in enumerate(log.test):
        clicks.count_until(impression.time)
        rows, past = impression.candidates.astype(np.int64), impression.history.astype(np.int64)
        history = History(
            ground.features[past],
            np.full(len(past), act_weight(Sign.LIKE), np.float32),
            np.zeros(len(past), bool),
            tuple(past.tolist()),
        )
        task = Task(
            history=history,
            history_alone=replace(history, features=ground.alone[past]),
            statements=none_said,
            rows=rows,
            words=take(texts.counts, rows),
            dates=clicks.first_seen[rows],
            chance=(seed, number),
            popularity=clicks.popularity(free)[rows],
            factors=factors,
        )
        out.append(_rank(ground, task, leave_out))
        if progress:
            progress("ranking", number + 1, len(log.test))
    return out


@one_thread_each()
def rank_by_readers(log: ClickLog, vectors: Floats, encoder: str, folder: Path) -> list[Scores]:
    """The scores of a ranking trained on many readers, for the news of each test impression.

    By its personal terms alone; with popularity and age by training impressions before; and "online", by test
    impressions before, too, as a filter in use would count them. ModelError when its vectors are another encoder's.
    """
    model, _ = load_readers(folder)
    if model.config.encoder != encoder:
        raise ModelError(f"{folder}: trained on vectors of {model.config.encoder}, not {encoder}; train it again")
    items = items_for(model, log.items, vectors)
    both = [(one, False) for one in log.train] + [(one, True) for one in log.test]
    both.sort(key=lambda pair: pair[0].time)
    impressions, tested = [one for one, _ in both], [test for _, test in both]
    out: list[Scores] = [{} for _ in log.test]
    for name, counted in ((READERS, [not test for test in tested]), (f"{READERS}, online", [True] * len(both))):
        seen = see(model, items, impressions, counted)
        parts = contributions(model, items, [one for one, test in zip(seen, tested, strict=True) if test])
        for scores, interest, part in zip(out, personal_part(model, parts), parts, strict=True):
            scores[f"{READERS}, content only"] = interest
            scores[name] = part.sum(1)
    return out


@one_thread_each()
def rank_profiles(
    data: ProfileSet,
    texts: Texts,
    said: Texts,
    model: str,
    *,
    progress: Progress | None = None,
    seed: int = 0,
    leave_out: bool = False,
) -> list[Scores]:
    """Every method's scores for the candidates of each situation. `said` are the `statements_of(data)`; with
    `leave_out`, each term left out, too.
    """
    stated = {text: row for row, text in enumerate(statements_of(data))}
    dates = np.array([item.published.timestamp() if item.published else np.nan for item in data.items])
    out: dict[int, Scores] = {}
    for free, numbers in backgrounds(data):
        ground = make_ground(model, texts, free, seed)
        given = said.vectors, said.counts, said.langs
        interests, interests_alone = ground.background.features(*given), ground.background.alone(*given)
        for number in numbers:
            situation = data.situations[number]
            rows = situation.candidates.astype(np.int64)
            asked = np.array([stated[text] for text in situation.interests], np.int64)
            task = Task(
                history=history_of(situation, ground.features, interests[asked]),
                history_alone=history_of(situation, ground.alone, interests_alone[asked]),
                statements=take(said.counts, asked),
                rows=rows,
                words=take(texts.counts, rows),
                dates=dates[rows],
                chance=(seed, number),
            )
            out[number] = _rank(ground, task, leave_out)
            if progress:
                progress("ranking", len(out), len(data.situations))
    return [out[number] for number in range(len(data.situations))]


def statements_of(data: ProfileSet) -> list[str]:
    """Every statement once."""
    return list(dict.fromkeys(text for situation in data.situations for text in situation.interests))


def _rank(ground: Ground, task: Task, leave_out: bool) -> Scores:
    """Every method that has something to go by; with `leave_out`, the filter without each of its terms, too."""
    profile = make_profile(ground.background, task.history)
    history, candidates = task.history_alone, ground.alone[task.rows]
    # The logs do not say where an item came from: all share one source.
    source = np.zeros(len(candidates), np.int64)
    own = score(profile, ground.features[task.rows], sources=source, popularity=task.popularity)
    clicked = np.array(task.history.keys, np.int64)
    content = own.total - own.terms["popular"] if task.popularity is not None else own.total
    given = {
        FILTER: own.total,
        CONTENT: content if task.popularity is not None else None,
        "random": baselines.at_random(task.rows, task.chance),
        "newest first": baselines.newest(task.dates),
        "popularity": task.popularity,
        "matrix factorisation of the log": task.factors.scores(clicked, task.rows) if task.factors else None,
        "keyword rules": baselines.keyword_rules(task.statements, task.words),
        "BM25 of the statements": baselines.bm25(ground.bm25, task.statements, task.words),
        "TF-IDF + linear SVM per reader": baselines.linear_svm(history, ground.others, candidates),
        MEAN: baselines.mean_of_likes(history, candidates),
        "similarity-weighted library": baselines.weighted_library(history, candidates),
        "logistic regression on embeddings": baselines.logistic_regression(history, ground.others, candidates),
        "RBF-SVM on embeddings": baselines.rbf_svm(history, ground.others, candidates),
    }
    if leave_out:
        given |= {WITHOUT + term: content - own.terms[term] for term in WEIGHTS if term in own.terms}
    return {method: scores for method, scores in given.items() if scores is not None}


def make_ground(model: str, texts: Texts, free: Ints, seed: int) -> Ground:
    if not len(free):
        raise DataError("no item is free to learn the background from; add items that are no candidates")
    counts, langs = take(texts.counts, free), [texts.langs[i] for i in free]
    background = make_background(model, texts.vectors[free], counts, langs, np.zeros(len(free), np.int64), seed=seed)
    given = texts.vectors, texts.counts, texts.langs
    alone = background.alone(*given)
    order = np.random.default_rng(seed).permutation(free)[: baselines.BACKGROUND_FOR_SVM]
    return Ground(background, baselines.make_bm25(counts), background.features(*given), alone, alone[order])


def backgrounds(data: ProfileSet) -> Iterator[tuple[Ints, list[int]]]:
    """(rows of the items that may be used unlabelled, numbers of the situations that may use them).

    Where every item is some reader's candidate, what is free is what is not this reader's own.
    """
    everything = np.arange(len(data.items))
    readers: dict[str, list[int]] = {}
    for number, situation in enumerate(data.situations):
        readers.setdefault(situation.reader, []).append(number)
    shown = {
        reader: np.unique(np.concatenate([data.situations[number].candidates for number in numbers]))
        for reader, numbers in readers.items()
    }
    free_of_all = np.setdiff1d(everything, np.concatenate([*shown.values(), np.zeros(0, np.int64)]))
    if not data.per_reader and len(free_of_all):
        yield free_of_all, list(range(len(data.situations)))
        return
    for reader, numbers in readers.items():
        yield np.setdiff1d(everything, shown[reader]), numbers


def history_of(situation: Situation, items: Features, interests: Features) -> History:
    """Likes, dislikes and statements, in the filter's own weights."""
    likes, dislikes = situation.likes.astype(np.int64), situation.dislikes.astype(np.int64)
    lengths = len(likes), len(dislikes), len(interests)
    weights = act_weight(Sign.LIKE), act_weight(Sign.DISLIKE), STATEMENT
    return History(
        stack([items[likes], items[dislikes], interests]),
        np.repeat(weights, lengths).astype(np.float32),
        np.repeat([False, False, True], lengths),
        (*likes.tolist(), *dislikes.tolist(), *range(-1, -1 - len(interests), -1)),
    )
