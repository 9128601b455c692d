"""Charts as inline SVG: a few kilobytes each, no script, colours of the page's style sheet, light or dark.

Each is drawn 360 units wide, a phone's width, so that its letters stay legible there; a wide window shows several side
by side. Every mark has a `<title>`, which a browser shows where one points at it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 40
"""Margins of the plot area, in which the axes' labels lie."""

MAX_LABELS = 8
"""Numbers below an axis."""
MAX_POINTS = 1000
"""Classes on a map; a larger one would make a phone wait."""


def draw_bars(
    edges: Sequence[str], counts: Mapping[str, Sequence[int]], x_title: str, y_title: str, label: str
) -> Markup:
    """Return a histogram of stacked bars.

    Args:
        edges: what stands below each of n bars; an empty string leaves it out.
        counts: for each part of the stack, from below, n numbers; its name is its CSS class.
        x_title: below the axis.
        y_title: what is counted.
        label: what the chart shows, for those who do not see it.
    """
    n = len(edges)
    top = max([sum(column) for column in zip(*counts.values(), strict=True)], default=0)
    ticks = find_ticks(top)
    step = (WIDTH - LEFT - RIGHT) / max(n, 1)
    marks = [_y_axis(ticks, y_title)]
    for k in range(n):
        below = 0
        for name, values in counts.items():
            if values[k]:
                height = (HEIGHT - TOP - BOTTOM) * values[k] / ticks[-1]
                y = _y(below, ticks) - height
                title = _tag("title", f"{values[k]:,} {y_title} {name}, {x_title} {edges[k]}".strip())
                marks.append(
                    _tag("rect", title, x=LEFT + k * step + 1, y=y, width=max(step - 2, 1), height=height, class_=name)
                )
            below += values[k]
    every = math.ceil(sum(bool(edge) for edge in edges) / MAX_LABELS)
    shown = [(k, edge) for k, edge in enumerate(edges) if edge][::every]
    marks += [_text(edge, LEFT + (k + 0.5) * step, HEIGHT - BOTTOM + 14, "middle") for k, edge in shown]
    marks.append(_text(x_title, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle"))
    return _svg(marks, label)


def draw_curves(
    x: Sequence[float], curves: Mapping[str, Sequence[float]], best: int, x_title: str, y_title: str, label: str
) -> Markup:
    """Return lines over a common axis from 0.

    Args:
        x: n rising numbers.
        curves: for each line, whose name is its CSS class, n numbers; NaN leaves one out.
        best: which of the n is marked on the last line; -1: none.
        x_title: below the axis.
        y_title: of the values.
        label: what the chart shows, for those who do not see it.
    """
    ticks = find_ticks(max((v for values in curves.values() for v in values if v == v), default=0.0))
    span = max(x[-1] - x[0], 1)
    place = [LEFT + 6 + (WIDTH - LEFT - RIGHT - 12) * (value - x[0]) / span for value in x]
    marks = [_y_axis(ticks, y_title)]
    for name, values in curves.items():
        points = [(a, _y(v, ticks), t, v) for a, t, v in zip(place, x, values, strict=True) if v == v]
        marks.append(_tag("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b, _, _ in points), class_=name))
        marks += [
            _tag("circle", _tag("title", f"{x_title} {t:g}: {name} {v:.4g}"), cx=a, cy=b, r=2.5, class_=name)
            for a, b, t, v in points
        ]
    if best >= 0:
        value = list(curves.values())[-1][best]
        marks.append(
            _tag("circle", _tag("title", f"kept: {value:.4g}"), cx=place[best], cy=_y(value, ticks), r=6, class_="best")
        )
    every = math.ceil(len(x) / MAX_LABELS)
    marks += [_text(f"{x[k]:g}", place[k], HEIGHT - BOTTOM + 14, "middle") for k in range(0, len(x), every)]
    marks.append(_text(x_title, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle"))
    return _svg(marks, label)


def draw_intervals(rows: Sequence[tuple[str, float, float, float]], label: str) -> Markup:
    """Return one line a row on an axis from 0 to 1: (name, value, low, high), the interval with a dot at the value."""
    scale = WIDTH - LEFT - RIGHT
    height = 34 * len(rows) + 30
    marks: list[Markup] = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + scale * tick
        marks.append(_tag("line", x1=x, x2=x, y1=4, y2=height - 24, class_="grid"))
        marks.append(_text(f"{tick:g}", x, height - 8, "middle"))
    for k, (name, value, low, high) in enumerate(rows):
        y = 34 * k + 28
        marks.append(_text(name, LEFT + 2, y - 10, "start"))
        title = _tag("title", f"{name}: {value:.4f}, interval {low:.4f} to {high:.4f}")
        marks.append(_tag("line", x1=LEFT + scale * low, x2=LEFT + scale * high, y1=y, y2=y, class_="interval"))
        marks.append(_tag("circle", title, cx=LEFT + scale * value, cy=y, r=5, class_="value"))
    return _svg(marks, label, height)


def draw_map(figure: Any, axis: str, label: str) -> Markup | None:
    """Return one of the two maps of `figures.draw_gcn_map`, or None if it has more than `MAX_POINTS` classes.

    Args:
        figure: the Plotly figure; its traces hold places, colours and names.
        axis: `x` for the map before graph convolution, `x2` for the one after it.
        label: what the map shows, for those who do not see it.
    """
    traces = [trace for trace in figure.data if (trace.xaxis or "x") == axis]
    dots = [trace for trace in traces if trace.mode == "markers"]
    if sum(len(trace.x) for trace in dots) > MAX_POINTS:
        return None
    x_low, x_scale = _fit([v for trace in dots for v in trace.x])
    y_low, y_scale = _fit([v for trace in dots for v in trace.y])

    def place(x: float, y: float) -> tuple[float, float]:
        return 14 + (x - x_low) * x_scale, WIDTH - 14 - (y - y_low) * y_scale

    marks = []
    for trace in traces:
        if trace.mode == "lines":
            ends = [place(x, y) for x, y in zip(trace.x, trace.y, strict=True) if x is not None]
            path = " ".join(
                f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for (a, b), (c, d) in zip(*[iter(ends)] * 2, strict=True)
            )
            marks.append(_tag("path", d=path, class_="grid"))
    for trace in dots:
        for x, y, name, size, symbol in zip(
            trace.x, trace.y, trace.text, trace.marker.size, trace.marker.symbol, strict=True
        ):
            a, b = place(x, y)
            colour = {"class_": "root"} if symbol == "star" else {"fill": trace.marker.color}
            marks.append(_tag("circle", _tag("title", name), cx=a, cy=b, r=size / 2, **colour))
    return _svg(marks, label, WIDTH)


def list_map_colours(figure: Any) -> list[tuple[str, str]]:
    """Return what the colours of `draw_map` mean: (name of a child of the top class, colour)."""
    return [
        (trace.name, trace.marker.color)
        for trace in figure.data
        if trace.showlegend and "star" not in trace.marker.symbol
    ]


def find_ticks(top: float) -> list[float]:
    """Return at most six round numbers from 0 to the first one that is not below `top` (1, if that is 0)."""
    top = top or 1.0
    power = 10.0 ** math.floor(math.log10(top / 5))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power * 5 >= top * (1 - 1e-9))
    return [round(k * step, 12) for k in range(math.ceil(top / step - 1e-9) + 1)]


# ---------------------------------------------------------------------- small parts


def _tag(name: str, content: str = "", /, **attributes: object) -> Markup:
    """Return an element; text and attributes are escaped, `Markup` is not."""
    shown = Markup("").join(
        Markup(' {}="{}"').format(
            key.rstrip("_").replace("_", "-"), round(value, 2) if isinstance(value, float) else value
        )
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, shown, content)


def _text(content: str, x: float, y: float, anchor: str) -> Markup:
    return _tag("text", content, x=x, y=y, text_anchor=anchor)


def _svg(marks: Sequence[Markup], label: str, height: int = HEIGHT) -> Markup:
    view = f"0 0 {WIDTH} {height}"
    return _tag("svg", Markup("").join(marks), viewBox=view, role="img", aria_label=label)


def _y(value: float, ticks: Sequence[float]) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / ticks[-1]


def _y_axis(ticks: Sequence[float], title: str) -> Markup:
    lines = [_tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=_y(t, ticks), y2=_y(t, ticks), class_="grid") for t in ticks]
    labels = [_text(f"{t:,g}", LEFT - 5, _y(t, ticks) + 4, "end") for t in ticks]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = _tag("text", title, transform=f"translate(10 {middle:g}) rotate(-90)", text_anchor="middle")
    return Markup("").join([*lines, *labels, turned])


def _fit(values: Sequence[float]) -> tuple[float, float]:
    """Return (lowest, units a value) that lay the values over the width of a map."""
    low, high = min(values), max(values)
    return low, (WIDTH - 28) / (high - low) if high > low else 0.0
