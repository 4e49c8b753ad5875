"""Why one item stands where it stands: numbers that add up, and what would change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import TYPE_CHECKING

from attention_filter.listing import Names, rank_items
from attention_filter.personal import explain, ranking
from attention_filter.personal.features import Features
from attention_filter.personal.knowledge import Contribution
from attention_filter.reading import Placed, Reading, Selection, place
from attention_filter.repeats import said
from attention_filter.types import Ranked, Sign

if TYPE_CHECKING:
    from attention_filter.models.encoder import Encoder

COUNTERFACTUALS = 3


@dataclass(frozen=True)
class Carrier:
    """A past item or a statement and the part of the score it carried. `sign` is None for a statement."""

    key: int  # the item's id, or minus the interest's
    name: str
    sign: Sign | None
    value: float


@dataclass(frozen=True)
class Word:
    """A word of `Explanation.text` at [start, end) and the part of the score it carried."""

    start: int
    end: int
    value: float


@dataclass(frozen=True)
class Change:
    """Something that would change the place of the item: the score and rank it would have then."""

    what: str
    score: float
    rank: int
    without: Carrier  # what it would be without


@dataclass(frozen=True)
class Explanation:
    """The reasons sum to the score. So do carriers + ordinary + baseline + the reasons that no past item carried, and
    so do words + rest + baseline + those reasons; `words` is empty without an encoder."""

    ranked: Ranked
    rank: int
    of: int
    line: float
    carriers: tuple[Carrier, ...]
    ordinary: float  # what tells it from ordinary items
    baseline: float
    text: str
    words: tuple[Word, ...]
    rest: float
    changes: tuple[Change, ...]
    concepts: tuple[Contribution, ...] = ()  # they sum to the reason "knowledge"


def explain_item(reading: Reading, item_id: int, encoder: Encoder | None) -> Explanation:
    """Everything about the score of one item; the words need the encoder."""
    one = rank_items(reading, [item_id])[0]
    batch = reading.batch_of([item_id])
    row = reading.features_of(batch)
    # A simple ranking is one term, which no past item carries by itself.
    carried = explain.Carried({}, 0.0, 0.0) if reading.simple else explain.carried_by_items(reading.profile, row)
    names = Names(reading.store)
    carriers = tuple(
        Carrier(key, names.of(key), names.act(key), value)
        for key, value in sorted(carried.by_item.items(), key=lambda pair: -abs(pair[1]))
    )
    text, words = _words(reading, one, row, encoder)
    # What no word of the text carried: punctuation, words further down, and the rounding of the stored vector.
    rest = carried.ordinary + sum(carried.by_item.values()) - sum(word.value for word in words) if words else 0.0
    placed = place(reading, Selection())
    rank, total = _rank(placed, item_id, one.score)
    return Explanation(
        ranked=one,
        rank=rank,
        of=total,
        line=reading.line,
        carriers=carriers,
        ordinary=carried.ordinary,
        baseline=carried.baseline,
        text=text,
        words=words,
        rest=rest,
        changes=tuple(_changes(reading, item_id, carriers)),
        concepts=tuple(reading.knows(batch, row)[0]),
    )


def adding_up(values: Sequence[float], total: float) -> list[float]:
    """The values in hundredths, rounded so that they sum to the rounded total (largest remainder method).

    >>> adding_up([0.333, 0.333, 0.334], 1.0)
    [0.33, 0.33, 0.34]
    """
    exact = [value * 100 for value in values]
    rounded = [floor(value) for value in exact]
    missing = round(total * 100) - sum(rounded)
    by_remainder = sorted(range(len(exact)), key=lambda i: rounded[i] - exact[i])
    for i in by_remainder[: max(missing, 0)]:
        rounded[i] += 1
    return [value / 100 for value in rounded]


def _words(reading: Reading, one: Ranked, row: Features, encoder: Encoder | None) -> tuple[str, tuple[Word, ...]]:
    from attention_filter.models.passages import passage

    text = passage(one.item.entry.title, said(one.item.entry.text, one.item.left_out))
    if (
        encoder is None
        or encoder.id != reading.model
        or not row.meaning.any()
        or not len(reading.profile.history)
        or reading.simple
    ):
        return text, ()
    tokens = encoder.token_states(text)
    shares = explain.carried_by_words(reading.profile, row, text, one.item.entry.lang, tokens)
    return text, tuple(Word(*word) for word in shares.words)


def without(reading: Reading, key: int) -> Reading:
    """The same moment, had this item not been acted on, or this interest (minus its id) not been stated."""
    profile = ranking.make_profile(
        reading.profile.background, reading.profile.history.without(key), reading.profile.scale
    )
    known = reading.knowledge.without(-key) if reading.knowledge and key < 0 else reading.knowledge
    return replace(reading, profile=profile, knowledge=known)


def _changes(reading: Reading, item_id: int, carriers: Sequence[Carrier]) -> list[Change]:
    """Where the item would stand without each of the acts and statements that moved it most."""
    out = []
    for carrier in carriers[:COUNTERFACTUALS]:
        other = without(reading, carrier.key)
        score = rank_items(other, [item_id])[0].score
        rank, _ = _rank(place(other, Selection()), item_id, score)
        act = "your interest" if carrier.sign is None else f"the {carrier.sign} on"
        out.append(Change(f"without {act} “{carrier.name}”", score, rank, carrier))
    return out


def _rank(placed: Placed, item_id: int, score: float) -> tuple[int, int]:
    """Its rank by score among what is unread and not blocked (where it would stand, if it is not among them)."""
    rivals = placed.scores[~placed.blocked & (placed.ids != item_id)]
    return int((rivals > score).sum()) + 1, len(rivals) + 1
