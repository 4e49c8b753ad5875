"""What a concept says of an item: a signed additive term from the reader's graph. Pure: arrays in, arrays out.

An item is known by its hashed terms (words.count_terms), so nothing is read but two integer arrays: a name is in an
item when all its terms are, which for Chinese are the bigrams of the name. Of two names of which one lies inside
the other ("Apple", "Apple pie") only the longer counts.

A name that several concepts share is ambiguous, and its concepts are its senses. Evidence for a sense is the number
of its context words, and of names of the concepts next to it, in the item (the overlap of Lesk 1986). A sense that
leads all others by CLEAR_WORDS is meant, one that another leads by as much is not; when the words are silent the
vectors say it, by CLEAR_MEANING. What is left is undecided, and adds nothing.

Per concept that the reader cares about, with closeness(narrower) = NARROWER^steps and closeness(related) = RELATED:

    knowledge(c) = Σ_cared care · (GAIN · max closeness of a concept named in c,
                                   or −LOSS · max closeness of a concept whose name c uses in another sense)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from attention_filter.personal.features import Counts, Floats
from attention_filter.personal.graph import MOST_CARE, Graph
from attention_filter.words import count_terms

GAIN = 1.0  # σ for an item that names what the reader cares about
LOSS = 2.0  # σ for an item that uses its name in another sense
NARROWER = 0.8  # closeness of a concept one step below
RELATED = 0.5
CLEAR_WORDS = 1  # words by which a sense must lead or lag
CLEAR_MEANING = 0.04  # cosine by which it must be nearer or further


@dataclass(frozen=True)
class Lexicon:
    """A graph made ready to be found in items: W words (names and context) of C concepts, made of V terms."""

    graph: Graph
    words: tuple[str, ...]
    terms: np.ndarray  # uint32 (V,), sorted
    needs: sparse.csr_array  # (W, V) the terms of each word
    size: np.ndarray  # (W,) how many those are
    inside: sparse.csr_array  # (W, W) word a lies inside the longer b
    names: sparse.csr_array  # (W, C) the word is a name of the concept
    shared: Mapping[int, np.ndarray]  # an ambiguous word: its senses
    evidence: sparse.csr_array  # (W, C) the word speaks for the concept
    closeness: Floats  # (C, C) how much of the care for the row is care for the column
    meaning: Floats | None = None  # (C, d) unit vectors of the senses, zero rows where there is none

    @property
    def senses(self) -> list[int]:
        """The concepts that share a name with another one."""
        return sorted({int(sense) for senses in self.shared.values() for sense in senses})


@dataclass(frozen=True)
class Weighed:
    """What the graph says of n items: `value` (n,) and, for the r `rows` that name anything, what it is made of.

    `found` (r, W) the words, `present` bool (r, C) the concepts, `wrong` bool (r, C) the concepts whose name stands
    for another one, `cared` (R,) the concepts cared about, `parts` (r, R) what each of them adds.
    """

    value: np.ndarray
    rows: np.ndarray
    found: sparse.csr_array
    present: np.ndarray
    wrong: np.ndarray
    cared: np.ndarray
    parts: np.ndarray


@dataclass(frozen=True)
class Contribution:
    """A part of the term, in σ: the concept cared about, the one that the item's words name, and those words.

    `mistaken`: the item uses a name of what is cared about for `named`.
    """

    cared: str
    named: str
    words: tuple[str, ...]
    value: float
    mistaken: bool

    def __str__(self) -> str:
        said = ", ".join(self.words)
        if self.mistaken:
            return f"{self.named}, not {self.cared}: {said}"
        return f"{self.cared}: {said}" if self.named == self.cared else f"{self.cared} by {self.named}: {said}"


def compile_graph(graph: Graph) -> Lexicon:
    """The graph as arrays.

    >>> from attention_filter.personal.graph import parse
    >>> compile_graph(parse('[Rust]\\nnarrower = ["Cargo"]')).words
    ('Rust', 'Cargo')
    """
    index = {concept.label: i for i, concept in enumerate(graph)}
    keys: dict[tuple[int, ...], int] = {}
    said: list[str] = []

    def word(text: str) -> int:
        key = tuple(count_terms(text)["id"].tolist())
        if key not in keys:
            keys[key] = len(said)
            said.append(text)
        return keys[key]

    named = {(word(name), i) for i, concept in enumerate(graph) for name in concept.called}
    context = {(word(text), i) for i, concept in enumerate(graph) for text in concept.context} - named
    names = _marks(named, (len(said), len(graph)))
    amount = np.bincount([w for w, _ in named], minlength=len(said))
    shared = {int(w): np.sort(names[[w]].indices) for w in np.flatnonzero(amount > 1)}
    near = [(index[b], i) for i, concept in enumerate(graph) for b in (*concept.broader, *concept.related)]
    beside = _marks({*near, *((i, j) for j, i in near), *((i, i) for i in range(len(graph)))}, (len(graph),) * 2)
    # The names of what stands next to a concept speak for it, unless they are ambiguous themselves.
    clear = _marks({(w, i) for w, i in named if w not in shared}, names.shape)
    spoken = (clear @ beside).tocoo()
    evidence = _marks(context | set(zip(*(c.tolist() for c in spoken.coords), strict=True)), names.shape)
    terms = np.array(sorted({term for key in keys for term in key}), np.uint32)
    at = [np.searchsorted(terms, np.array(key, np.uint32)).tolist() for key in keys]
    needs = _marks({(w, t) for w, of_word in enumerate(at) for t in of_word}, (len(said), len(terms)))
    size = np.array([len(key) for key in keys], np.float32)
    both = (needs @ needs.T).tocoo()  # terms that two words have in common
    a, b = both.coords
    lies = (both.data == size[a]) & (size[a] < size[b])
    inside = _marks(set(zip(a[lies].tolist(), b[lies].tolist(), strict=True)), (len(said),) * 2)
    return Lexicon(graph, tuple(said), terms, needs, size, inside, names, shared, evidence, _closeness(graph, index))


def links(lexicon: Lexicon, counts: Counts, meaning: Floats | None = None) -> np.ndarray:
    """Which concepts each of m interests is about, bool (m, C), from their `counts` and `meaning`.

    Those that it names, the narrowest of them only, and no sense of a name that its own words leave open.
    """
    rows, found = find(lexicon, counts)
    present, _ = decide(lexicon, found, None if meaning is None else meaning[rows])
    below = (lexicon.closeness > 0) & (lexicon.closeness.T == 0)  # [broad, narrow]
    out = np.zeros((len(counts.start) - 1, len(lexicon.graph)), bool)
    for row, named in zip(rows, present, strict=True):
        out[row] = named & ~below[:, named].any(1)
    return out


def cares(lexicon: Lexicon, linked: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How much the reader cares about each concept (C,): its own number, else the `weights` (m,) of its interests."""
    own = np.array([np.nan if concept.care is None else concept.care for concept in lexicon.graph], np.float64)
    return np.clip(np.where(np.isnan(own), weights @ linked, own), -MOST_CARE, MOST_CARE)


def weigh(lexicon: Lexicon, care: np.ndarray, counts: Counts, meaning: Floats | None = None) -> Weighed:
    """The term for n items, from their term `counts` and, where vectors may tell senses, their `meaning` (n, d)."""
    cared = np.flatnonzero(care)
    rows, found = find(lexicon, counts)
    present, wrong = decide(lexicon, found, None if meaning is None else meaning[rows])
    gain, lost = np.zeros((len(rows), len(cared))), np.zeros((len(rows), len(cared)))
    for i, concept in enumerate(cared):
        near = np.flatnonzero(lexicon.closeness[concept])
        close = lexicon.closeness[concept, near]
        gain[:, i] = (present[:, near] * close).max(1, initial=0)
        lost[:, i] = (wrong[:, near] * close).max(1, initial=0)
    parts = care[cared] * np.where(gain > 0, GAIN * gain, -LOSS * lost)
    value = np.zeros(len(counts.start) - 1)
    value[rows] = parts.sum(1)
    return Weighed(value, rows, found, present, wrong, cared, parts)


def contributions(lexicon: Lexicon, weighed: Weighed, row: int) -> list[Contribution]:
    """What the value of item `row` is the sum of, the largest part first."""
    at = int(np.searchsorted(weighed.rows, row))
    if at == len(weighed.rows) or weighed.rows[at] != row:
        return []
    present, held = weighed.present[at], weighed.found[[at]].indices
    out = []
    for concept, value in zip(weighed.cared, weighed.parts[at], strict=True):
        if not value:
            continue
        close = lexicon.closeness[concept]
        mistaken = not (close * present).any()
        named = int((close * (weighed.wrong[at] if mistaken else present)).argmax())
        told = _other_sense(lexicon, held, present, named) if mistaken else named
        labels = lexicon.graph[concept].label, lexicon.graph[told].label
        out.append(Contribution(*labels, _spoken(lexicon, held, told), float(value), mistaken))
    return sorted(out, key=lambda one: -abs(one.value))


def find(lexicon: Lexicon, counts: Counts) -> tuple[np.ndarray, sparse.csr_array]:
    """The rows (r,) of the items that hold a word of the lexicon, and which words those are (r, W).

    Looks at every term of every item once, and at names only where one of their terms is.
    """
    table = np.zeros(1 << 16, bool)
    table[lexicon.terms & 0xFFFF] = True
    hits = np.flatnonzero(table[counts.terms & 0xFFFF])  # most terms are none of ours
    place = np.searchsorted(lexicon.terms, counts.terms[hits]).clip(max=max(len(lexicon.terms) - 1, 0))
    ours = lexicon.terms[place] == counts.terms[hits] if len(hits) else np.zeros(0, bool)
    item = np.searchsorted(counts.start, hits[ours], side="right") - 1
    rows, at = np.unique(item, return_inverse=True)
    held = sparse.csr_array((np.ones(len(at), np.float32), (at, place[ours])), (len(rows), len(lexicon.terms)))
    whole = (held @ lexicon.needs.T).tocoo()  # how many terms of each word the item has
    row, word = whole.coords
    there = whole.data == lexicon.size[word]
    some, row = np.unique(row[there], return_inverse=True)
    found = sparse.csr_array((np.ones(len(row), np.float32), (row, word[there])), (len(some), len(lexicon.words)))
    return rows[some], found


def decide(lexicon: Lexicon, found: sparse.csr_array, meaning: Floats | None) -> tuple[np.ndarray, np.ndarray]:
    """What r items speak of, and of what they use a name in another sense: two bool (r, C)."""
    covered = sparse.csr_array(found @ lexicon.inside.T)
    whole = sparse.csr_array(found - found.multiply(covered > 0))  # words that are no part of a longer one
    free = whole.copy()
    free.data *= ~np.isin(free.indices, list(lexicon.shared))
    present = (free @ lexicon.names).toarray() > 0
    wrong = np.zeros_like(present)
    evidence = (whole @ lexicon.evidence).toarray()
    for word, senses in lexicon.shared.items():
        rows = np.flatnonzero(found[:, [word]].toarray())
        lead = _lead(evidence[np.ix_(rows, senses)]) / CLEAR_WORDS
        if meaning is not None and lexicon.meaning is not None and lexicon.meaning[senses].any(1).all():
            # Within a longer name a name is no word of its own, and only words may tell what it means.
            asked = (lead == 0).all(1) & (whole[:, [word]].toarray().ravel()[rows] > 0) & meaning[rows].any(1)
            lead[asked] = _lead(meaning[rows[asked]] @ lexicon.meaning[senses].T) / CLEAR_MEANING
        present[np.ix_(rows, senses)] |= lead >= 1
        wrong[np.ix_(rows, senses)] |= lead <= -1
    return present, wrong


def with_meaning(lexicon: Lexicon, rows: Floats) -> Lexicon:
    """The lexicon with the vectors of its `senses`, one row each; a zero row is not known."""
    meaning = np.zeros((len(lexicon.graph), rows.shape[1]), np.float32)
    meaning[lexicon.senses] = rows
    return replace(lexicon, meaning=meaning)


def _lead(scores: Floats) -> Floats:
    """By how much each of at least two columns leads the best of the others; below 0 where it does not."""
    two = np.partition(scores, -2, axis=1)[:, -2:]
    others = np.where(scores == two[:, 1:], two[:, :1], two[:, 1:])
    return np.asarray(scores - others)


def _other_sense(lexicon: Lexicon, held: np.ndarray, present: np.ndarray, named: int) -> int:
    """The concept that a name of `named` stands for in an item with the words `held`."""
    for word in held:
        senses = lexicon.shared.get(int(word), np.zeros(0, np.int64))
        if named in senses:
            others = senses[senses != named]
            spoken = lexicon.evidence[held][:, others].sum(0) + present[others]
            return int(others[spoken.argmax()])
    return named


def _spoken(lexicon: Lexicon, held: np.ndarray, concept: int) -> tuple[str, ...]:
    """The words by which a concept was recognised: its names, then what told the sense of an ambiguous one."""
    names = lexicon.names[:, [concept]].toarray().ravel()[held] > 0
    speaks = lexicon.evidence[:, [concept]].toarray().ravel()[held] > 0
    clear = any(int(word) not in lexicon.shared for word in held[names])
    chosen = [*held[names], *([] if clear else held[speaks & ~names])]
    return tuple(lexicon.words[word] for word in chosen)


def _marks(pairs: set[tuple[int, int]], shape: tuple[int, int]) -> sparse.csr_array:
    """Ones at the given (row, column)s, zero elsewhere."""
    rows, columns = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    return sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape)


def _closeness(graph: Graph, index: Mapping[str, int]) -> Floats:
    shape = (len(graph), len(graph))
    step = _marks({(index[b], i) for i, concept in enumerate(graph) for b in concept.broader}, shape)
    close = np.eye(len(graph), dtype=np.float32)
    below, strength = step, NARROWER
    while below.nnz:
        rows, columns = below.tocoo().coords
        close[rows, columns] = np.maximum(close[rows, columns], strength)
        below, strength = sparse.csr_array(below @ step), strength * NARROWER
    for i, concept in enumerate(graph):
        for other in concept.related:
            for pair in ((i, index[other]), (index[other], i)):
                close[pair] = max(close[pair], RELATED)
    return close
