"""What a source repeats in its items, learned from them; and what of a text is left without it.

A source repeats

- a segment (a line or a sentence) that stands in SHARE of its items; a short one, such as "In brief", in OFTEN of them,
- how segments begin or end, when OFTEN of its items have one that does,
- lines that are the same but for names and numbers (`templates`), when OFTEN of its items have one,
- titles of its other items: "check out {+}", or a list of what may be titles below a label that it repeats.

What are equal segments is in `segments`, what says nothing in any source in `boilerplate`. Titles are never touched,
and versions of one story count as one item. Pure: texts in, places out.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from attention_filter.boilerplate import AT_THE_END, BRACKETS, hints_at_others, label_of, says_nothing
from attention_filter.segments import (
    NO_TITLES,
    OTHERS,
    SLOT,
    WORDS,
    Place,
    Titles,
    index_titles,
    is_measured,
    key_of,
    lines_of,
    sentences_of,
    slotted,
    tokens_of,
    weight,
)
from attention_filter.templates import Line, learn_templates, template_of
from attention_filter.types import LeftOut

__all__ = ["Repeats", "Titles", "index_titles", "key_of", "learn", "leave_out", "said"]

FEWEST = 3  # items that repeat something; two may well quote the same sentence
# Of a source's items. Of Reuters news, which repeat nothing, in groups of 10 to 300, .05 % is left out at these shares.
SHARE, OFTEN = 0.1, 0.25
SHORT = 6  # a Han character weighs 1, any other word 2
TEMPLATE = 8  # the weight of a beginning or an end
LINK = 160  # characters of a line in a list of related items
STOPS = ".。"  # no such line ends with one
LABEL = 16  # the weight of a line before such a list, at most
LISTED = 2  # lines of such a list, at least
LIKE_TITLES = 0.75  # of the weight of the source's titles: that of such lines, at least
COUNTED = 0.25  # of such lines, so many may begin with a number or measure something, unlike ingredients
PROSE = 24  # the weight of what must be left before code, tables and captions are left out
FEW_ITEMS = 100  # of so few, versions of one story may be a good part
READ, HEAD, TAIL = 40_000, 8_000, 4_000  # characters of a text; of a longer one both ends are learned from
AT_MOST = 500  # segments, beginnings or ends that are kept of a source


@dataclass(frozen=True)
class Repeats:
    """What one source repeats, as keys. `items` is how many it was learned from."""

    items: int = 0
    segments: frozenset[str] = frozenset()
    begins: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()  # what stands before lists of titles of other items

    def __or__(self, other: Repeats) -> Repeats:
        """What either knows; of too much, what this one does."""
        return Repeats(
            self.items,
            frozenset([*sorted(self.segments), *sorted(other.segments - self.segments)][:AT_MOST]),
            tuple(dict.fromkeys([*self.begins, *other.begins]))[:AT_MOST],
            tuple(dict.fromkeys([*self.ends, *other.ends]))[:AT_MOST],
            tuple(dict.fromkeys([*self.templates, *other.templates]))[:AT_MOST],
            self.lists | other.lists,
        )

    @property
    def lists_titles(self) -> bool:
        """Whether its items name one another."""
        return any(OTHERS in key.split() for key in (*self.segments, *self.begins, *self.ends))

    def to_json(self) -> str:
        known = [self.items, sorted(self.segments), self.begins, self.ends, self.templates, sorted(self.lists)]
        return json.dumps(known, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Repeats:
        items, segments, begins, ends, templates, lists = [*json.loads(text), [], []][:6]  # older rows have four
        return Repeats(items, frozenset(segments), tuple(begins), tuple(ends), tuple(templates), frozenset(lists))


def learn(items: Sequence[tuple[str, str]]) -> Repeats:
    """What these items, (title, text) each, of one source repeat; of fewer than FEWEST, nothing.

    >>> titles = "Rust 2 is out", "Zig is stable", "A new Go"
    >>> posts = [(title, f"News of it.\\nPost {title} first seen at E") for title in titles]
    >>> sorted(learn(posts).segments)
    ['news of it', 'post {} first seen at e']
    """
    told = _told_once([(title, text) for title, text in items if text.strip()])
    if len(told) < FEWEST:
        return Repeats(len(items))
    enough, often = (max(FEWEST, share * len(told)) for share in (SHARE, OFTEN))
    titles = index_titles(title for title, _ in told)
    segments: Counter[str] = Counter()
    begins: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    ends: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    lines: list[Line] = []
    for number, (title, text) in enumerate(told):
        read = _both_ends(text)
        own = tuple(tokens_of(title))
        keys = {
            key_of(read[a:b], title, titles)
            for start, end in lines_of(read)
            for a, b in {(start, end), *sentences_of(title, read, start, end)}
        } - {"", SLOT}
        segments.update(keys)
        for key in sorted(keys):
            tokens = key.split()
            lines.append(Line(number, tuple(tokens), own))
            if head := _head(tokens):
                begins[head].append((number, key))
            if tail := _head(tokens[::-1]):
                ends[tail].append((number, " ".join(tokens[::-1])))
    known = {k for k, n in segments.items() if n >= (enough if weight(k.split()) >= SHORT else often)}
    found = Repeats(
        len(items),
        frozenset(sorted(known, key=lambda key: (-segments[key], key))[:AT_MOST]),
        tuple(_templates(begins, often)[:AT_MOST]),
        tuple(" ".join(reversed(end.split())) for end in _templates(ends, often)[:AT_MOST]),
        tuple(learn_templates(lines, often)),
    )
    return replace(found, lists=_labels(told, found, titles))


def _labels(told: Sequence[tuple[str, str]], known: Repeats, titles: Titles) -> frozenset[str]:
    """Short repeated lines that stand before lists of titles: lines that are as long as titles, and some of them are
    titles of the source, or the label says that they are."""
    usual = sum(weight(tokens_of(title)) for title, _ in told) / len(told)
    lists: defaultdict[str, list[list[str]]] = defaultdict(list)
    stands: Counter[str] = Counter()
    for title, text in told:
        for label, listed in _lists_in(title, _both_ends(text), known, titles):
            stands[label] += 1
            if len(listed) >= LISTED:
                lists[label].append(listed)
    out = set()
    for label, found in lists.items():
        if len(found) < FEWEST:
            continue
        lines = [line for listed in found for line in listed]
        says_so = hints_at_others(label) or any(OTHERS in line.split() for line in lines)
        weighs = sum(usual if line in (SLOT, OTHERS) else weight(line.split()) for line in lines)
        counted = sum(line[0].isdigit() or is_measured(line.split()) for line in lines)
        if (
            2 * len(found) >= stands[label]
            and says_so
            and weighs >= LIKE_TITLES * usual * len(lines)
            and counted <= COUNTED * len(lines)
        ):
            out.add(label)
    return frozenset(out)


def _lists_in(title: str, text: str, known: Repeats, titles: Titles) -> list[tuple[str, list[str]]]:
    """Repeated lines that may be labels, and the keys of the lines up to what is none again."""
    out: list[tuple[str, list[str]]] = []
    is_open = False
    for start, end in lines_of(text):
        key = key_of(text[start:end], title, titles)
        is_title = {SLOT, OTHERS} >= set(key.split())
        can_be_listed = end - start <= LINK and (text[end - 1] not in STOPS or is_title)
        known_as = None if is_title else _known_as(key, known)
        if known_as is not None or says_nothing(text[start:end]):
            is_open = known_as is not None and can_be_listed and weight(key.split()) <= LABEL
            if known_as is not None and is_open:
                out.append((known_as, []))
        elif is_open and key and can_be_listed:
            out[-1][1].append(key)
        elif key:
            is_open = False
    return out


def leave_out(
    title: str, text: str, known: Repeats, titles: Titles = NO_TITLES, asides: Sequence[str] = ()
) -> tuple[LeftOut, ...]:
    """The places of a text that say nothing of the item, in order.

    `titles` are those of the source (`index_titles`). `asides` are pieces of the text in their order (code, tables,
    captions) that are left out while there is other text.

    >>> text = "Zig is out. Read more\\nShare this on Facebook"
    >>> said(text, leave_out("Zig", text, Repeats()))
    'Zig is out.'
    """
    out, own = [], tokens_of(title)
    ends_list: str | None = None  # with what a line ends that is not of the list that is open, if one is
    for start, end in lines_of(text):
        label, key = label_of(text[start:end]), key_of(text[start:end], title, titles)
        known_as = _known_as(key, known)
        if label == "" or known_as in known.lists:
            ends_list = "" if known_as in known.lists else STOPS
            out.append((start, end))
        elif known_as is not None or (ends_list is not None and end - start <= LINK and text[end - 1] not in ends_list):
            out.append((start, end))
        else:
            ends_list = None
            for a, b in sentences_of(title, text, start, end):
                if label_of(text[a:end]):
                    out.append((a, end))
                    break
                out += [(a + c, a + d) for c, d in _repeated(text[a:b], own, known, titles)]
    left = [LeftOut(a, b, True) for a, b in _joined(out, text)]
    beside = [LeftOut(a, b, False) for a, b in _places(asides, text)]
    prose = said(text, [*left, *beside]) if beside else ""
    return tuple(sorted([*left, *beside], key=lambda one: one.start) if weight(tokens_of(prose)) >= PROSE else left)


def said(text: str, left: Iterable[LeftOut]) -> str:
    """The text without what is left out: one line per block, single spaces.

    >>> said("One. Two. Three.", [LeftOut(5, 9, True)])
    'One. Three.'
    """
    places = _joined(sorted((one.start, one.end) for one in left), text)
    if not places:
        return text
    edges = [0, *(edge for place in places for edge in place), len(text)]
    kept = "".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
    return "\n".join(spaced for line in kept.split("\n") if (spaced := " ".join(line.split())))


def _told_once(items: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the later versions of a story: the same twice or, among few items, titles that share two of three words.

    Titles that differ by a number alone ("Open thread 7") are of several stories.
    """
    items = list({(key_of(title), text): (title, text) for title, text in items}.values())
    if len(items) >= FEW_ITEMS:
        return items
    kept: list[tuple[str, str]] = []
    seen: list[frozenset[str]] = []
    for title, text in items:
        told = frozenset(token for token in tokens_of(title) if not token.isdigit())
        if not any(told != other and len(told & other) * 3 >= len(told | other) * 2 for other in seen):
            kept.append((title, text))
            seen.append(told)
    return kept


def _templates(groups: dict[str, list[tuple[int, str]]], most: float) -> list[str]:
    """Of keys by how they begin: what so many items' have in common at the beginning, as long as it can be."""
    out = []
    for head in sorted(groups):
        pairs = groups[head]
        while len({number for number, _ in pairs}) >= most:
            found, longer = head, defaultdict(list)
            for number, key in pairs:
                if len(key) > len(head):
                    longer[head + key[len(head) :].split(" ", 2)[1].join((" ", ""))].append((number, key))
            head, pairs = max(longer.items(), key=lambda one: (len(one[1]), one[0]), default=("", []))
            if len({number for number, _ in pairs}) < most:
                out.append(found)
                break
    return out


def _both_ends(text: str) -> str:
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


def _head(tokens: Sequence[str]) -> str:
    """The first tokens, as many as a template has at least; empty when there are fewer."""
    total = 0
    for place, token in enumerate(tokens, 1):
        total += weight([token])
        if total >= TEMPLATE:
            return " ".join(tokens[:place])
    return ""


def _known_as(key: str, known: Repeats) -> str | None:
    """The segment or the template that a key is of."""
    return key if key in known.segments else template_of(key.split(), known.templates)


def _repeated(piece: str, own: list[str], known: Repeats, titles: Titles) -> list[Place]:
    """The places of one segment that say nothing."""
    whole = [(0, len(piece))]
    if not WORDS.search(piece):
        return [match.span() for match in AT_THE_END.finditer(piece)]
    if says_nothing(piece):
        return whole
    tokens = slotted(piece, own, titles)
    key = " ".join(token for token, _, _ in tokens)
    if _known_as(key, known) is not None:
        return whole
    padded = f"{key} "
    first = max((len(begin.split()) for begin in known.begins if padded.startswith(f"{begin} ")), default=0)
    padded = f" {key}"
    last = len(tokens) - max((len(end.split()) for end in known.ends if padded.endswith(f" {end}")), default=0)
    if first == 0 and last == len(tokens):
        return [
            *(match.span() for match in BRACKETS.finditer(piece)),
            *(m.span() for m in AT_THE_END.finditer(piece)),
        ]
    rest = [token for token, _, _ in tokens[first:last]]
    if len(rest) == 1 and rest[0].isdigit():  # "Note 7": another one than "Note 8"
        return []
    if weight(rest) <= SHORT or set(rest) <= {*own, SLOT, OTHERS}:
        return whole
    return [(0, tokens[first][1])] * (first > 0) + [(tokens[last - 1][2], len(piece))] * (last < len(tokens))


def _places(pieces: Sequence[str], text: str) -> list[Place]:
    """Where the pieces stand, one after the other; what is not found is passed over."""
    out, at = [], 0
    for piece in pieces:
        start = text.find(piece, at) if piece else -1
        if start >= 0:
            at = start + len(piece)
            out.append((start, at))
    return out


def _joined(places: Iterable[Place], text: str) -> list[Place]:
    """Places in order, as one where they overlap or nothing but marks stands between them; such marks at both ends of
    the text go with them."""
    out: list[Place] = []
    for start, end in places:
        if WORDS.search(text, out[-1][1] if out else 0, start):
            out.append((start, end))
        else:
            out[-1:] = [(out[-1][0] if out else 0, max(end, out[-1][1] if out else 0))]
    if out and not WORDS.search(text, out[-1][1]):
        out[-1] = (out[-1][0], len(text))
    return out
