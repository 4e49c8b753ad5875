"""Small pictures made of letters: bars, signed numbers, highlighted words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

EIGHTHS = " ▏▎▍▌▋▊▉█"
BELOW_ZERO = "░"
LEVELS = "·▁▂▃▄▅▆▇█"
# Controls and what turns the direction of writing; a source's text must not steer the terminal.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# Black on these is readable on dark and light terminals alike; the stronger the share, the deeper the colour.
_FOR = ("#fdf3c4", "#fbe38a", "#f7cd46", "#efb000")
_AGAINST = ("#e6ddf5", "#d0bdec", "#b797e0", "#9f74d3")
WORTH_MARKING = 0.3  # of the largest share; without colours, where a mark takes room, more
WORTH_A_NUMBER = 0.5


def clean(text: str) -> str:
    """The text without characters that would steer the terminal.

    >>> clean("a\\x1b[31mb\\u202ec")
    'a[31mbc'
    """
    return _STEERING.sub("", text)


def one_line(text: str, most: int = 0) -> str:
    """The text on one line; cut to `most` characters when that is given.

    >>> one_line("to be \\n or not", 8)
    'to be o…'
    """
    line = " ".join(clean(text).split())
    return line if not most or len(line) <= most else line[: most - 1].rstrip() + "…"


def signed(value: float) -> str:
    """A number of score units.

    >>> signed(1.256), signed(-0.001)
    ('+1.26', '+0.00')
    """
    return f"{value:+z.2f}"


def bar(value: float, largest: float, width: int = 8) -> str:
    """A bar as long as |value| / largest; one below zero is dotted instead of filled.

    >>> bar(2, 4), bar(-1, 4), bar(0, 4), bar(4, 4, width=3)
    ('████    ', '░░      ', '        ', '███')
    """
    if largest <= 0 or not value:
        return " " * width
    length = min(abs(value) / largest, 1.0) * width
    if value < 0:
        drawn = BELOW_ZERO * max(round(length), 1)
    else:
        eighths = max(round(length * 8), 1)
        drawn = "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()
    return drawn.ljust(width)


def skyline(counts: Sequence[int]) -> str:
    """A letter a number, as high as the number is against the largest.

    >>> skyline([0, 1, 4, 8])
    '·▁▄█'
    """
    largest = max(counts, default=0)
    return "".join(LEVELS[max(round(8 * one / largest), 1)] if one else LEVELS[0] for one in counts)


def highlighted(text: str, words: Sequence[tuple[int, int, float]], colour: bool) -> Text:
    """The text with the words that carried most: on a coloured ground, or as [[word +0.12]] without colours.

    >>> str(highlighted("two words", [(0, 3, 0.01), (4, 9, 0.5)], colour=False))
    'two [[words +0.50]]'
    """
    largest = max((abs(value) for _, _, value in words), default=0.0)
    worth = WORTH_MARKING if colour else WORTH_A_NUMBER
    out, done = Text(), 0
    for start, end, value in sorted(words):
        share = abs(value) / largest if largest else 0.0
        if share < worth:
            continue
        out.append(clean(text[done:start]))
        word = clean(text[start:end])
        if colour:
            out.append(word, _ground(value, share))
        else:
            out.append(f"[[{word} {signed(value)}]]")
        done = end
    out.append(clean(text[done:]))
    return out


def _ground(value: float, share: float) -> Style:
    grounds = _FOR if value > 0 else _AGAINST
    step = (share - WORTH_MARKING) / (1 - WORTH_MARKING)
    return Style(color="black", bgcolor=grounds[min(int(step * len(grounds)), len(grounds) - 1)], underline=value < 0)
