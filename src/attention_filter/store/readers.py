"""What belongs to one reader alone: interests, rules, named state, the age limit; and forgetting a reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from math import isfinite
from typing import Any

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store.schema import (
    accounts,
    feedback,
    interests,
    jobs,
    moment,
    readers,
    rules,
    seconds,
    secrets,
    state,
    subscriptions,
)
from attention_filter.types import Interest, Rule, RuleAction

NOBODY = 0  # no reader has this id; a name that has stored nothing yet sees nothing


def find(connection: sa.Connection, name: str) -> int:
    return connection.scalar(_FIND, {"name": name}) or NOBODY


_FIND = sa.select(readers.c.id).where(readers.c.name == sa.bindparam("name"))  # built once: every transaction asks it


def find_or_add(connection: sa.Connection, name: str) -> int:
    found = find(connection, name)
    if found == NOBODY:
        connection.execute(sa.insert(readers).values(name=name))
        found = find(connection, name)
    return found


def names(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(readers.c.name).order_by(readers.c.name)))


def delete(connection: sa.Connection, reader: int) -> None:
    """Forget the reader: all rows that are theirs alone. Shared sources, items and vectors stay.

    Who has an account keeps it and starts anew; `accounts.delete` drops the account first.
    """
    for undos_first in (feedback.c.undoes.is_not(None), sa.true()):
        connection.execute(sa.delete(feedback).where(feedback.c.reader == reader, undos_first))
    for table in (interests, rules, state, subscriptions, secrets, jobs):
        connection.execute(sa.delete(table).where(table.c.reader == reader))
    if connection.scalar(sa.select(accounts.c.id).where(accounts.c.reader == reader)):
        connection.execute(sa.update(readers).where(readers.c.id == reader).values(age_limit_days=None))
    else:
        connection.execute(sa.delete(readers).where(readers.c.id == reader))


def set_age_limit(connection: sa.Connection, reader: int, days: float | None) -> None:
    if days is not None and not 0 < days < float("inf"):
        raise UsageError(f"age limit {days:g}: give a number of days above 0, or none for no limit")
    connection.execute(sa.update(readers).where(readers.c.id == reader).values(age_limit_days=days))


def age_limit(connection: sa.Connection, reader: int) -> float | None:
    return connection.scalar(sa.select(readers.c.age_limit_days).where(readers.c.id == reader))


def add_interest(connection: sa.Connection, reader: int, text: str, weight: float, now: datetime) -> Interest:
    """Remember the interest; one that is there already gets the new weight."""
    text = " ".join(text.split())
    if not text:
        raise UsageError("an interest needs words, e.g. `attention interests add 'electric cars'`")
    _check_finite("weight", weight)
    mine = (interests.c.reader == reader, interests.c.text == text)
    old = connection.execute(sa.select(interests).where(*mine)).one_or_none()
    if old is not None:
        connection.execute(sa.update(interests).where(*mine).values(weight=weight))
        return Interest(old.id, text, weight, moment(old.created))
    row = {"reader": reader, "text": text, "weight": weight, "created": seconds(now)}
    added = connection.execute(sa.insert(interests).values(row))
    (id_,) = added.inserted_primary_key or (0,)
    return Interest(int(id_), text, weight, now)


def all_interests(connection: sa.Connection, reader: int) -> list[Interest]:
    rows = connection.execute(_INTERESTS, {"reader": reader})
    return [Interest(row.id, row.text, row.weight, moment(row.created)) for row in rows]


_INTERESTS = sa.select(interests).where(interests.c.reader == sa.bindparam("reader")).order_by(interests.c.id)


def put_interests(connection: sa.Connection, reader: int, wanted: Sequence[Interest], now: datetime) -> list[Interest]:
    """Make these the reader's interests: those with a known id are changed, others added, the rest removed."""
    mine = interests.c.reader == reader
    known = set(connection.scalars(sa.select(interests.c.id).where(mine)))
    kept = [one for one in wanted if one.id in known]
    connection.execute(sa.delete(interests).where(mine, interests.c.id.not_in([one.id for one in kept])))
    for one in kept:
        _check_finite("weight", one.weight)
        row = {"text": one.text, "weight": one.weight}
        connection.execute(sa.update(interests).where(mine, interests.c.id == one.id).values(row))
    for one in wanted:
        if one not in kept:
            add_interest(connection, reader, one.text, one.weight, one.created or now)
    return all_interests(connection, reader)


def set_interest_weight(connection: sa.Connection, reader: int, id_: int, weight: float) -> None:
    _check_finite("weight", weight)
    mine = (interests.c.reader == reader, interests.c.id == id_)
    if not connection.execute(sa.update(interests).where(*mine).values(weight=weight)).rowcount:
        raise _no_interest(id_)


def remove_interest(connection: sa.Connection, reader: int, id_: int) -> None:
    mine = (interests.c.reader == reader, interests.c.id == id_)
    if not connection.execute(sa.delete(interests).where(*mine)).rowcount:
        raise _no_interest(id_)


def _check_finite(name: str, value: float) -> None:
    if not isfinite(value):
        raise UsageError(f"{name} {value}: give a finite number")


def _no_interest(id_: int) -> UsageError:
    return UsageError(f"interest {id_}: you have no such interest; `attention interests` shows the ids")


def add_rule(connection: sa.Connection, reader: int, rule: Rule) -> Rule:
    """Remember the rule; it comes back with its id."""
    _check_finite("boost", rule.boost)
    row: dict[str, Any] = {name: getattr(rule, name) for name in _RULE_FIELDS}
    row |= {"reader": reader, "action": rule.action.value, "words": list(rule.words)}
    added = connection.execute(sa.insert(rules).values(row))
    (id_,) = added.inserted_primary_key or (0,)
    return replace(rule, id=int(id_))


_RULE_FIELDS = (
    "pattern", "source", "author", "lang", "older_than_days", "newer_than_days", "boost", "topic", "sentiment",
)  # fmt: skip


def all_rules(connection: sa.Connection, reader: int) -> list[Rule]:
    chosen = sa.select(rules).where(rules.c.reader == reader).order_by(rules.c.id)
    return [
        Rule(
            row.id,
            RuleAction(row.action),
            tuple(row.words),
            **{name: getattr(row, name) for name in _RULE_FIELDS},
        )
        for row in connection.execute(chosen)
    ]


def remove_rule(connection: sa.Connection, reader: int, id_: int) -> None:
    mine = (rules.c.reader == reader, rules.c.id == id_)
    if not connection.execute(sa.delete(rules).where(*mine)).rowcount:
        raise UsageError(f"rule {id_}: you have no such rule; `attention rules` shows the ids")


def get_state(connection: sa.Connection, reader: int, name: str) -> bytes | None:
    return connection.scalar(_STATE, {"reader": reader, "name": name})


_STATE = sa.select(state.c.data).where(state.c.reader == sa.bindparam("reader"), state.c.name == sa.bindparam("name"))


def states_of(connection: sa.Connection, name: str, of: Iterable[str]) -> dict[str, bytes]:
    """{reader: their state of this name}, for each of the readers who has one."""
    wanted = sa.select(readers.c.name, state.c.data).join(state, state.c.reader == readers.c.id)
    rows = connection.execute(wanted.where(state.c.name == name, readers.c.name.in_(list(of))))
    return {reader: data for reader, data in rows}


def put_state(connection: sa.Connection, reader: int, name: str, data: bytes) -> None:
    # Delete and insert in one transaction instead of an upsert, which each engine writes in its own way.
    connection.execute(sa.delete(state).where(state.c.reader == reader, state.c.name == name))
    connection.execute(sa.insert(state).values(reader=reader, name=name, data=data))
