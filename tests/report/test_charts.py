"""Charts as SVG."""

import math
import re
import xml.etree.ElementTree as ElementTree

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from hmltc_kedro.report import charts
from report_run import NASTY, make_run

ROUND = [mantissa * 10.0**power for power in range(-8, 11) for mantissa in (1, 2, 2.5, 5)]
"""Numbers that are round, from the smallest."""


def read(svg: Markup | None) -> ElementTree.Element:
    assert svg is not None
    return ElementTree.fromstring(svg.replace("\u2028", ""))


def find(svg: Markup, tag: str, name: str) -> list[ElementTree.Element]:
    return [e for e in read(svg).iter(tag) if e.get("class") == name]


@given(st.floats(1e-6, 1e9))
def test_ticks_are_round_and_reach_the_top(top: float) -> None:
    step = next(r for r in ROUND if 5 * r >= top * (1 - 1e-9))  # the smallest by which five steps reach the top
    n_steps = math.ceil(top / step - 1e-9)
    assert charts.find_ticks(top) == pytest.approx([k * step for k in range(n_steps + 1)], rel=1e-5)


@pytest.mark.parametrize(
    ("top", "ticks"), [(0, [0, 0.2, 0.4, 0.6, 0.8, 1]), (15, [0, 5, 10, 15]), (4, [0, 1, 2, 3, 4]), (0.09, None)]
)
def test_ticks_by_hand(top: float, ticks: list[float] | None) -> None:
    assert charts.find_ticks(top) == (ticks or [0, 0.02, 0.04, 0.06, 0.08, 0.1])


def test_bars_are_stacked_to_scale() -> None:
    svg = charts.draw_bars(["0", "1"], {"low": [1, 0], "high": [3, 2]}, "size", "classes", "Sizes")
    (low,), high = find(svg, "rect", "low"), find(svg, "rect", "high")
    heights = [float(bar.attrib["height"]) for bar in (low, *high)]
    assert heights == pytest.approx([42.5, 127.5, 85.0])  # 170 units for 4
    assert float(high[0].attrib["y"]) + heights[1] == pytest.approx(float(low.attrib["y"]))
    assert [bar[0].text for bar in (low, *high)] == [
        "1 classes low, size 0",
        "3 classes high, size 0",
        "2 classes high, size 1",
    ]


def test_no_bars_are_no_error() -> None:
    assert not list(read(charts.draw_bars(["0"], {"low": [0]}, "size", "classes", "Sizes")).iter("rect"))


def test_curves_leave_out_what_is_not_a_number_and_ring_the_best() -> None:
    curves = {"training": [float("nan"), 0.4, 0.2], "held-out": [0.5, 0.3, 0.4]}
    svg = charts.draw_curves([0, 1, 2], curves, 1, "epoch", "loss", "Loss")
    lines = {name: find(svg, "polyline", name)[0].attrib["points"].split() for name in curves}
    assert [len(points) for points in lines.values()] == [2, 3]
    (ring,) = find(svg, "circle", "best")
    assert f"{float(ring.attrib['cx']):.1f},{float(ring.attrib['cy']):.1f}" == lines["held-out"][1]
    assert ring[0].text == "kept: 0.3"
    one = charts.draw_curves([0], {"training": [float("nan")], "held-out": [0.5]}, 0, "epoch", "loss", "Loss")
    assert "nan" not in one


def test_intervals_lie_on_an_axis_from_0_to_1() -> None:
    svg = charts.draw_intervals([("trained", 0.5, 0.25, 1.0)], "F1")
    (line,), (dot,) = find(svg, "line", "interval"), find(svg, "circle", "value")
    width = charts.WIDTH - charts.LEFT - charts.RIGHT
    places = [float(line.attrib["x1"]), float(dot.attrib["cx"]), float(line.attrib["x2"])]
    assert [(x - charts.LEFT) / width for x in places] == pytest.approx([0.25, 0.5, 1.0])


def test_colours_are_those_of_the_children(diamond) -> None:
    colours = charts.list_map_colours(make_run(diamond).gcn_map)
    assert [name for name, _ in colours] == ["dogs", "cats"]
    assert all(re.fullmatch("#[0-9A-Fa-f]{6}", colour) for _, colour in colours)


def make_map(n: int) -> go.Figure:
    marker = {"color": "#4c78a8", "size": [18] + [8] * (n - 1), "symbol": ["star"] + ["circle"] * (n - 1)}
    names = [NASTY] + [f"class {i}" for i in range(1, n)]
    figure = go.Figure()
    figure.add_scatter(x=[0, 1, None], y=[0, 1, None], mode="lines", xaxis="x2")
    figure.add_scatter(
        x=list(range(n)), y=list(range(n)), text=names, mode="markers", marker=marker, xaxis="x2", yaxis="y2"
    )
    return figure


def test_map_shows_the_traces_of_its_axis_inside_the_frame() -> None:
    figure = make_map(3)
    svg = charts.draw_map(figure, "x2", "Map")
    dots = list(read(svg).iter("circle"))
    assert [dot[0].text for dot in dots] == [NASTY.replace("\u2028", ""), "class 1", "class 2"]
    assert [float(dot.attrib["cx"]) for dot in dots] == [14, 180, 346]
    assert [float(dot.attrib["cy"]) for dot in dots] == [346, 180, 14], "the second axis of a page points down"
    assert find(svg, "path", "grid")[0].attrib["d"] == "M14.0 346.0L180.0 180.0"


def test_map_of_one_class_is_drawn_and_of_too_many_is_not() -> None:
    figure = make_map(1)
    figure.data = figure.data[1:]
    assert len(list(read(charts.draw_map(figure, "x2", "Map")).iter("circle"))) == 1
    assert charts.draw_map(make_map(charts.MAX_POINTS + 1), "x2", "Map") is None


def test_names_are_escaped() -> None:
    svg = charts.draw_intervals([(NASTY, 0.5, 0.4, 0.6)], NASTY)
    assert not re.search(r"<(script|img|!--)", svg)
    assert read(svg).attrib["aria-label"] == NASTY.replace("\u2028", "")
