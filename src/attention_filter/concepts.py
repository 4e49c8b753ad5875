"""The reader's graph of concepts between the store and the ranking: kept, linked to interests, completed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from attention_filter.errors import UsageError
from attention_filter.personal import graph, knowledge
from attention_filter.personal.features import Counts, Features, Floats
from attention_filter.personal.graph import Concept, Graph
from attention_filter.personal.knowledge import Contribution, Lexicon, Weighed
from attention_filter.sources.wordnet import Sense
from attention_filter.store.store import Store
from attention_filter.types import Interest
from attention_filter.words import count_terms

STATE = "knowledge"  # the graph's TOML, one per reader
MOST_NARROWER = 40  # of a suggested concept

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Knowledge:
    """A graph ready to weigh items for a reader with m interests: `linked` bool (m, C), `weights` (m,), `ids` (m,)."""

    lexicon: Lexicon
    linked: np.ndarray
    weights: np.ndarray
    ids: tuple[int, ...]

    @property
    def care(self) -> np.ndarray:
        return knowledge.cares(self.lexicon, self.linked, self.weights)

    def without(self, interest: int) -> Knowledge:
        """As if the interest had never been said."""
        return replace(self, weights=np.where(np.array(self.ids) == interest, 0.0, self.weights))

    def weigh(self, counts: Counts, meaning: Floats) -> Weighed:
        return knowledge.weigh(self.lexicon, self.care, counts, meaning)

    def contributions(self, counts: Counts, meaning: Floats) -> list[list[Contribution]]:
        weighed = self.weigh(counts, meaning)
        return [knowledge.contributions(self.lexicon, weighed, row) for row in range(len(weighed.value))]


@dataclass(frozen=True)
class Known:
    """A concept as its reader sees it: how much it counts and which interests say so."""

    concept: Concept
    narrower: tuple[str, ...]
    care: float
    interests: tuple[str, ...]
    ambiguous: bool


def load(store: Store) -> Graph:
    """The reader's graph; empty before anything was added."""
    return graph.parse((store.get_state(STATE) or b"").decode(), "the stored graph")


def keep(store: Store, new: Graph) -> None:
    store.put_state(STATE, graph.write(new).encode())


def open_knowledge(
    concepts: Graph, interests: Sequence[Interest], rows: Callable[[Sequence[str]], Features]
) -> Knowledge | None:
    """The graph with its senses and the interests placed by `rows`, which turns texts to features; None without one."""
    if not concepts:
        return None
    lexicon = knowledge.compile_graph(concepts)
    senses = [concepts[i].meaning for i in lexicon.senses]
    said = [interest.text for interest in interests]
    features = rows([*senses, *said])
    lexicon = knowledge.with_meaning(lexicon, features.meaning[: len(senses)])
    counted = [count_terms(text) for text in said]
    start = np.concatenate([[0], np.cumsum([len(one) for one in counted])]).astype(np.int64)
    both = np.concatenate([count_terms(""), *counted])
    linked = knowledge.links(lexicon, Counts(start, both["id"], both["count"]), features.meaning[len(senses) :])
    return Knowledge(lexicon, linked, np.array([i.weight for i in interests]), tuple(i.id for i in interests))


def texts(concepts: Graph) -> list[str]:
    """What has to be encoded so that senses can be told by meaning."""
    return [concepts[i].meaning for i in knowledge.compile_graph(concepts).senses]


def known(concepts: Graph, opened: Knowledge | None, interests: Sequence[Interest]) -> list[Known]:
    """Every concept with what the reader's interests make of it."""
    if opened is None:
        return []
    care = opened.care
    return [
        Known(
            concept,
            tuple(other.label for other in concepts if concept.label in other.broader),
            float(care[i]),
            tuple(interest.text for interest, row in zip(interests, opened.linked, strict=True) if row[i]),
            i in opened.lexicon.senses,
        )
        for i, concept in enumerate(concepts)
    ]


def so_called(concepts: Sequence[Known], label: str) -> list[Known]:
    """The concept with this label, or all that have it as a name; UsageError when there is none."""
    folded = " ".join(label.casefold().split())
    found = [known for known in concepts if known.concept.label.casefold() == folded]
    found = found or [k for k in concepts if folded in (name.casefold() for name in k.concept.called)]
    if not found:
        raise UsageError(f"no concept {label!r}; see attention knowledge")
    return found


def one(concepts: Graph, label: str) -> Concept:
    """The concept so called; UsageError when there is none, or more than one."""
    found = graph.find(concepts, label)
    if found is None:
        senses = [c.label for c in concepts if label.casefold() in (name.casefold() for name in c.called)]
        which = f"say which: {', '.join(senses)}" if senses else "see attention knowledge"
        raise UsageError(f"no concept {label!r}; {which}")
    return found


def both_scripts(concepts: Graph) -> Graph:
    """The graph with the Chinese names and context words also in the other script, when OpenCC is installed."""
    if not any(_is_han(text) for concept in concepts for text in (*concept.called, *concept.context)):
        return concepts
    try:
        from opencc import OpenCC  # an extra
    except ImportError:
        _log.warning("pip install 'attention-filter[chinese]' finds Chinese names in simplified and traditional script")
        return concepts
    turns = [OpenCC("s2t").convert, OpenCC("t2s").convert]

    def others(said: Sequence[str], had: Sequence[str]) -> tuple[str, ...]:
        turned = (turn(text) for text in said if _is_han(text) for turn in turns)
        return tuple(dict.fromkeys(text for text in turned if text not in had))

    return tuple(
        replace(
            concept,
            names=(*concept.names, *others(concept.called, concept.called)),
            context=(*concept.context, *others(concept.context, concept.context)),
        )
        for concept in concepts
    )


def accepted(word: str, senses: Sequence[Sense], chosen: int) -> Graph:
    """The concepts for a word whose sense number `chosen` the reader cares about; the other senses only tell it."""
    if not 1 <= chosen <= len(senses):
        raise UsageError(f"{word!r} has senses 1 to {len(senses)}; there is no {chosen}")
    labels: list[str] = []
    out: list[Concept] = []
    for number, sense in enumerate(senses, 1):
        names = _usable(word, sense.names)
        label = f"{word} ({(*names, *sense.broader, f'sense {number}')[0]})"
        label = label if label not in labels else f"{word} (sense {number})"
        labels.append(label)
        context = tuple(filter(graph.findable, sense.context))
        care = 1.0 if number == chosen else None
        out.append(Concept(label, names, context=context, gloss=sense.gloss, care=care))
    below = _usable(word, senses[chosen - 1].narrower)[:MOST_NARROWER]
    out += [Concept(name, broader=(labels[chosen - 1],)) for name in dict.fromkeys(below)]
    return tuple(out)


def _usable(word: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names that can be found in a text and are not the word itself."""
    return tuple(name for name in names if name.casefold() != word.casefold() and graph.findable(name))


def _is_han(text: str) -> bool:
    return any("\u3400" <= letter <= "\u9fff" for letter in text)
