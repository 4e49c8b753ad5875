"""How well do I know you? As one HTML page with pictures: no script, nothing to load, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import isfinite, sqrt

from jinja2 import Environment, PackageLoader, StrictUndefined

from attention_filter.insight import Insight, stage_name, verdict
from attention_filter.personal.ranking import LABELS
from attention_filter.personal.replay import GAIN

WIDTH, HEIGHT = 560, 240  # of a picture; the axes lie at LEFT and BOTTOM
LEFT, RIGHT, TOP, BOTTOM = 40, 530, 12, 210


def insight_html(one: Insight, *, now: datetime) -> str:
    """The page; every text is escaped."""
    pages = Environment(loader=PackageLoader("attention_filter"), autoescape=True, undefined=StrictUndefined)
    return pages.get_template("insight.html").render(
        one=one, verdict=verdict(one), now=f"{now:%-d %B %Y, %H:%M} UTC", drawn=drawing(one), t=_english
    )


def drawing(one: Insight) -> dict[str, object]:
    """The numbers and points that the macros of `insight_parts.html` draw, here and on the server's page."""
    return dict(
        methods=[
            {
                "name": method.name,
                "gain": _figure(method.means[GAIN]),
                "share": round(method.means[GAIN], 3) if isfinite(method.means[GAIN]) else 0,
                "others": [_figure(method.means[measure]) for measure in ("auc", "mrr", "ndcg@10")],
                "better": (
                    f"{method.filter_is_better_by.mean:+.3f} ± {method.filter_is_better_by.error:.3f}"
                    if method.filter_is_better_by
                    else ""
                ),
            }
            for method in one.methods
        ],
        frame=dict(width=WIDTH, height=HEIGHT, left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM),
        ticks=[(value, round(_y(value), 1)) for value in (0, 0.25, 0.5, 0.75, 1)],
        curve=_curve(one),
        terms=_terms(one),
        dots=_dots(one),
    )


def _english(message: str, **values: object) -> str:
    return message.format(**values)


def _curve(one: Insight) -> dict[str, object]:
    """The stages along the x axis, and a line a method."""
    places = _along(len(one.curve))
    lines = [
        {
            "name": method.name,
            "points": " ".join(
                f"{x:.1f},{_y(stage.gain[method.name]):.1f}"
                for x, stage in zip(places, one.curve, strict=True)
                if isfinite(stage.gain[method.name])
            ),
        }
        for method in reversed(one.methods)  # the filter's is drawn last, above the others
    ]
    labels = [
        (round(x, 1), stage_name(stage).removesuffix(" acts"), stage.likes)
        for x, stage in zip(places, one.curve, strict=True)
    ]
    return {"lines": lines, "labels": labels}


def _terms(one: Insight) -> list[dict[str, object]]:
    """A bar a term, from the middle: right where it helps, left where it harms; the whisker is one standard error."""
    largest = max((abs(term.adds.mean) + term.adds.error for term in one.terms), default=0.0) or 1.0
    return [
        {
            "term": term.name,
            "name": LABELS.get(term.name, term.name),
            "left": round(50 + 50 * min(term.adds.mean, 0) / largest, 1),
            "width": round(50 * abs(term.adds.mean) / largest, 1),
            "helps": term.adds.mean >= 0,
            "figure": f"{term.adds.mean:+.3f} ± {term.adds.error:.3f}",
        }
        for term in one.terms
    ]


def _dots(one: Insight) -> list[dict[str, object]]:
    """A dot a bin: what was said along, what came true up, with twice its standard error. Axes by the square root,
    since most items have a small probability."""
    out: list[dict[str, object]] = []
    for part in one.trust.bins if one.trust else ():
        error = 2 * sqrt(max(part.observed * (1 - part.observed), 1 / part.count) / part.count)
        out.append(
            {
                "x": round(LEFT + (RIGHT - LEFT) * sqrt(part.predicted), 1),
                "y": round(_y(sqrt(part.observed)), 1),
                "low": round(_y(sqrt(max(part.observed - error, 0))), 1),
                "high": round(_y(sqrt(min(part.observed + error, 1))), 1),
                "said": f"{part.predicted:.1%}",
                "came": f"{part.observed:.1%}",
                "count": part.count,
            }
        )
    return out


def _along(n: int) -> Sequence[float]:
    return [LEFT + (RIGHT - LEFT) * (i + 0.5) / n for i in range(n)]


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * share


def _figure(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "–"
