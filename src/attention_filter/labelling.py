"""What items are about and how they feel, told from the vectors that are stored: no text is encoded for it.

A teller gives a content one label and a number: a topic and how probable it is, or a feeling and the polarity. When it
is not SURE, the label is empty. The reader may have other topics: a list of their own, or a classifier that they
trained, which reads the texts themselves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attention_filter.errors import ModelError, UsageError
from attention_filter.personal.rules import SENTIMENTS
from attention_filter.store.store import Store
from attention_filter.tasks import heads, topics
from attention_filter.tasks.heads import SURE, Head
from attention_filter.tasks.topics import Topic

if TYPE_CHECKING:
    from attention_filter.models.encoder import Encoder

STATE = "topics"  # of the reader: JSON of {"list": as topics.parse reads it} or {"model": a folder, "labels": [names]}
AT_ONCE = 2_048  # contents between two commits of labels; a kill loses at most these
TEXTS_AT_ONCE = 256  # the same for a classifier, which has to read them

Told = dict[str, tuple[str, float]]  # {content hash: (label, value)}
_heads: dict[tuple[str, int, str], Head] = {}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """Whose topics: the program's (neither), a list of the reader's own, or a trained classifier's in a folder."""

    own: tuple[Topic, ...] = ()
    model: str = ""
    labels: tuple[str, ...] = ()  # of the classifier

    @property
    def names(self) -> tuple[str, ...]:
        return self.labels or tuple(one.name for one in self.own or topics.usual())


def chosen(store: Store) -> Choice:
    """The topics that the reader has."""
    kept = json.loads(store.get_state(STATE) or b"{}")
    if "model" in kept:
        return Choice(model=kept["model"], labels=tuple(kept["labels"]))
    return Choice(own=topics.parse(kept["list"])) if "list" in kept else Choice()


def choose(store: Store, choice: Choice) -> None:
    """Have these topics from now on; items are told anew by the next `tell`."""
    kept: dict[str, object] = {"list": topics.write(choice.own)} if choice.own else {}
    kept |= {"model": choice.model, "labels": list(choice.labels)} if choice.model else {}
    store.put_state(STATE, json.dumps(kept, ensure_ascii=False).encode())


def read_choice(path: Path) -> Choice:
    """A list of topics from a text file, or the classifier in a folder. UsageError, ModelError when it is neither."""
    if path.is_dir():
        from attention_filter.tasks.classify import Classifier

        return Choice(model=str(path.resolve()), labels=tuple(Classifier.load(path).labels))
    try:
        return Choice(own=topics.parse(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'not a text file'}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def find_topic(store: Store, name: str) -> str:
    """The reader's topic of that name, in English or Chinese. UsageError with the names there are."""
    return topics.named(chosen(store).names, name)


def tell(store: Store, encoder: Encoder, progress: Callable[[str, int, int], None]) -> None:
    """Tell topic and feeling of every item that has a vector of the encoder and was not told yet, piece by piece."""
    known = store.tellers()  # by name
    feeling = _feelings(store, encoder)
    try:
        topic = _topics(store, encoder)
        changed = [_tell(store, one, encoder.id, progress) for one in (feeling, topic)]
    except ModelError as error:  # the classifier's folder is gone: what it told before stays
        _log.warning("topics: %s; attention topics says what you use", error)
        changed = [_tell(store, feeling, encoder.id, progress)]
        topic = _Teller(known.get("topic", ""), lambda _: {}, AT_ONCE)
    if any(changed) or (topic.name, feeling.name) != (known.get("topic"), known.get("sentiment")):
        store.use_tellers(topic.name, feeling.name)


@dataclass(frozen=True)
class _Teller:
    name: str
    tell: Callable[[Sequence[str]], Told]
    at_once: int


def _tell(store: Store, teller: _Teller, model: str, progress: Callable[[str, int, int], None]) -> bool:
    """Whether there was anything to tell."""
    missing = store.missing_labels(teller.name, model)
    for start in range(0, len(missing), teller.at_once):
        progress("Telling topics and feelings", start, len(missing))
        store.put_labels(teller.name, teller.tell(missing[start : start + teller.at_once]))
    if missing:
        progress("Telling topics and feelings", len(missing), len(missing))
    return bool(missing)


def _feelings(store: Store, encoder: Encoder) -> _Teller:
    pairs = heads.feeling_pairs()
    head = cache(lambda: _learned(encoder, pairs, heads.FEELING_TEMPERATURE))

    def tell(hashes: Sequence[str]) -> Told:
        chances = head().probabilities(store.vectors_of(encoder.id, hashes)[0])
        worth = np.array([SENTIMENTS.index(label) - 1 for label in head().labels], np.float32)
        return _told(hashes, head().labels, chances, chances @ worth)

    return _Teller(f"feelings {heads.digest(pairs)} {encoder.id}", tell, AT_ONCE)


def _topics(store: Store, encoder: Encoder) -> _Teller:
    choice = chosen(store)
    if choice.model:
        return _classifier(store, Path(choice.model))
    pairs = topics.pairs(choice.own or topics.usual())
    head = cache(lambda: _learned(encoder, pairs, heads.TOPIC_TEMPERATURE))

    def tell(hashes: Sequence[str]) -> Told:
        chances = head().probabilities(store.vectors_of(encoder.id, hashes)[0])
        shown = ["" if label.startswith(topics.REST) else label for label in head().labels]
        return _told(hashes, shown, chances, chances.max(1))

    return _Teller(f"topics {heads.digest(pairs)} {encoder.id}", tell, AT_ONCE)


def _classifier(store: Store, folder: Path) -> _Teller:
    from attention_filter.models.passages import passage
    from attention_filter.tasks.classify import Classifier

    try:
        files = sorted(file.read_bytes() for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise ModelError(f"{folder}: {error.strerror}") from error
    load = cache(lambda: Classifier.load(folder))  # a second or two, only when there is something to tell

    def tell(hashes: Sequence[str]) -> Told:
        classifier = load()
        texts = [passage(title, text) for title, text in store.contents_of(hashes)]
        rows = [row for row, text in enumerate(texts) if text.strip()]
        logits = classifier.logits([texts[row] for row in rows])
        chances = np.zeros((len(texts), len(classifier.labels)), np.float32)
        chances[rows] = classifier.probabilities(logits) * classifier.in_scope(logits)[:, None]
        return _told(hashes, classifier.labels, chances, chances.max(1))

    return _Teller(f"classifier {sha256(b''.join(files)).hexdigest()[:16]}", tell, TEXTS_AT_ONCE)


def _learned(encoder: Encoder, pairs: Sequence[tuple[str, str]], temperature: float) -> Head:
    """The head that comes with the program, or else one learned now, once in a process: some hundred short texts to
    encode."""
    key = encoder.id, encoder.dim, heads.digest(pairs)
    if key not in _heads:
        _heads[key] = heads.shipped(heads.digest(pairs), encoder.id) or heads.learn(
            encoder.encode([text for _, text in pairs]), [label for label, _ in pairs], temperature
        )
    return _heads[key]


def _told(hashes: Sequence[str], labels: Sequence[str], chances: np.ndarray, values: np.ndarray) -> Told:
    best, sure = chances.argmax(1).tolist(), (chances.max(1) >= SURE).tolist()
    rows = zip(hashes, best, sure, values.tolist(), strict=True)
    return {key: (labels[which] if is_sure else "", value) for key, which, is_sure, value in rows}
