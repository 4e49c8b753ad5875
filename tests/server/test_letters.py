from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from pydantic import ValidationError

from attention_filter.errors import UsageError
from attention_filter.server.language import language
from attention_filter.server.letters import Every, Schedule, digest_letter, mail_address, next_slot, slot
from attention_filter.types import Entry, Item, Ranked

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)  # a Sunday


def letter(title="储能电池的新进展", tongue="zh", **more):
    ranked = [Ranked(Item(1, 1, "绿色日报", Entry("g", title, "https://a.example/1", text="正文"), NOW), 1.0, ())]
    said = {
        "sender": "Filter <f@example.org>",
        "to": "ann@example.org",
        "slot": NOW,
        "now": NOW,
        "stop": "https://me.example/s/t",
    }
    return digest_letter(ranked, tongue=language(tongue), **{**said, **more})


def test_a_daily_digest_comes_at_the_readers_own_hour():
    daily = Schedule(every=Every.DAY, hour=7, zone="Europe/Berlin")
    assert slot(daily, NOW) == datetime(2026, 11, 22, 6, tzinfo=UTC)
    assert next_slot(daily, NOW) == datetime(2026, 11, 23, 6, tzinfo=UTC)
    summer = NOW.replace(month=7)
    assert slot(daily, summer) == datetime(2026, 7, 22, 5, tzinfo=UTC)


def test_a_weekly_digest_waits_for_its_day():
    weekly = Schedule(every=Every.WEEK, weekday=2, hour=20, zone="Asia/Shanghai")
    assert slot(weekly, NOW) == datetime(2026, 11, 18, 12, tzinfo=UTC)
    assert next_slot(weekly, NOW) == datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_an_hour_that_the_clock_skips_or_shows_twice_has_one_slot_a_day():
    early = Schedule(every=Every.DAY, hour=2, zone="Europe/Berlin")
    for start in (datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)):
        found = {slot(early, start + timedelta(minutes=10 * n)) for n in range(6 * 24 * 4)}
        days = {one.date() for one in found}
        assert len(found) == len(days) > 3


def test_no_schedule_has_no_slot_and_an_unknown_zone_is_refused():
    assert slot(Schedule(), NOW) is next_slot(Schedule(), NOW) is None
    with pytest.raises(ValidationError, match="no time zone"):
        Schedule(zone="Mars/Olympus")


def test_a_letter_survives_the_wire_with_both_alternatives_in_chinese():
    sent = letter().as_bytes()
    assert sent.isascii()
    read = message_from_bytes(sent, policy=default)
    assert read["Subject"] == f"{language('zh').say('What deserves your attention')} · 储能电池的新进展"
    plain, html = read.get_body(("plain",)).get_content(), read.get_body(("html",)).get_content()
    assert "储能电池的新进展" in plain
    assert '<html lang="zh">' in html
    assert read["List-Unsubscribe"] == "<https://me.example/s/t>"
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_letter_of_one_slot_has_one_message_id():
    assert letter()["Message-ID"] == letter(now=NOW + timedelta(hours=1))["Message-ID"]
    assert letter()["Message-ID"] != letter(slot=NOW + timedelta(days=1))["Message-ID"]


def test_a_title_cannot_add_a_header():
    read = message_from_bytes(letter("x\r\nBcc: all@example.org\r\n\r\nhello").as_bytes(), policy=default)
    assert read["Bcc"] is None


@pytest.mark.parametrize(
    "bad", ["", "ann", "a@b", "a b@c.de", "a@b.c\r\nBcc: x@y.z", "<a@b.cd>", "a@b.cd, e@f.gh", "ä@b.cd"]
)
def test_what_is_no_address_is_refused(bad):
    with pytest.raises(UsageError, match="no mail address"):
        mail_address(bad)
