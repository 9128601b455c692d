"""Figures: what is drawn where; how it looks is for eyes."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from hmltc_kedro.report import figures
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_diamonds, make_star, within


def make_statistics(counts: list[int], limit: int) -> pd.DataFrame:
    n = np.array(counts)
    return pd.DataFrame(
        {
            "path": [f"root > parent {i} > class {i}" for i in range(len(n))],
            "level": np.arange(len(n)) % 3 + 1,
            "n_documents": n,
            "starved": n < limit,
            "empty": n == 0,
        }
    )


def read_bars(trace: go.Bar) -> list[int]:
    return [int(y) for y in trace.y]


def test_histogram_counts_classes_in_doubling_bins_by_status() -> None:
    figure = figures.draw_label_distribution(make_statistics([0, 0, 1, 2, 3, 4, 7, 8], limit=4))
    bars = {trace.name: trace for trace in figure.data[:3]}
    assert list(bars["enough"].customdata) == ["0", "1", "2 to 3", "4 to 7", "8 to 15"]
    assert read_bars(bars["empty"]) == [2, 0, 0, 0, 0]
    assert read_bars(bars["starved"]) == [0, 1, 2, 0, 0]
    assert read_bars(bars["enough"]) == [0, 0, 0, 2, 1]


def test_boxes_hold_each_class_at_its_level_on_the_axis_of_the_histogram() -> None:
    figure = figures.draw_label_distribution(make_statistics([0, 1, 4, 16], limit=1))
    boxes = [trace for trace in figure.data if trace.type == "box"]
    assert [box.name for box in boxes] == ["level 1", "level 2", "level 3"]
    assert [list(box.x) for box in boxes] == [[0, 5], [1], [3]]
    assert [list(box.customdata) for box in boxes] == [[0, 16], [1], [4]]
    axes = figure.layout.xaxis, figure.layout.xaxis3
    assert axes[0].range == axes[1].range
    assert dict(zip(axes[0].ticktext, axes[0].tickvals, strict=True))["16"] == 5


def test_bars_name_both_ends_and_leave_empty_classes_out_of_the_lower() -> None:
    counts = [0, *range(1, 31)]
    figure = figures.draw_label_distribution(make_statistics(counts, limit=6))
    largest, smallest = figure.data[-2:]
    assert list(largest.x) == list(range(30, 18, -1))
    assert list(smallest.x) == list(range(12, 0, -1))
    assert smallest.marker.color == (figures.STATUS_COLOURS["enough"],) * 7 + (figures.STATUS_COLOURS["starved"],) * 5
    assert figure.layout.yaxis2.ticktext[0] == "parent 30 > class 30"


def test_json_has_plain_numbers() -> None:
    assert "bdata" not in figures.draw_label_distribution(make_statistics([0, 1, 2], limit=1)).to_json()


def test_title_tells_the_numbers() -> None:
    title = figures.draw_label_distribution(make_statistics([0, 2, 3, 1000], limit=3)).layout.title.text
    assert "4 classes: mean 251.2, median 2.5, largest 1,000; 2 starved, 1 empty" in title


@pytest.mark.parametrize("counts", [[0], [0, 0], [5], [1, 1]])
def test_few_or_empty_classes_are_drawn(counts: list[int]) -> None:
    figure = figures.draw_label_distribution(make_statistics(counts, limit=1))
    assert sum(map(sum, (read_bars(trace) for trace in figure.data[:3]))) == len(counts)


def test_long_paths_are_cut_in_front() -> None:
    long = make_statistics([5], limit=1).assign(path="root > " + "long " * 10 + "> end of it")
    label = figures.draw_label_distribution(long).layout.yaxis2.ticktext[0]
    assert len(label) == figures.MAX_LABEL
    assert label.startswith("…") and label.endswith("> end of it")


@pytest.fixture
def tree(diamond: Taxonomy) -> go.Treemap:
    """Return the map of the diamond: cats have no documents, tools too few, and dogs the most below animals."""
    counts = np.array([1200, 20, 40, 0, 10, 10, 2])
    statistics = pd.DataFrame({"n_documents": counts, "starved": counts < 5, "empty": counts == 0})
    figure = figures.draw_taxonomy_map(statistics, diamond)
    assert "7 classes on 8 paths" in figure.layout.title.text
    assert "bdata" not in figure.to_json()
    return figure.data[0]


def test_treemap_has_a_class_of_two_parents_below_each(tree: go.Treemap) -> None:
    parents = dict(zip(tree.ids, tree.parents, strict=True))
    assert parents == {
        "an": "",
        "ga": "",
        "an/do": "an",
        "an/ca": "an",
        "an/do/be": "an/do",
        "an/ca/be": "an/ca",
        "an/ca/ct": "an/ca",
        "ga/to": "ga",
    }
    assert [i for i, size in zip(tree.ids, tree.values, strict=True) if size] == [
        *("ga/to", "an/do/be", "an/ca/be", "an/ca/ct")
    ]


def test_treemap_shows_counts_keywords_and_what_lacks_documents(tree: go.Treemap) -> None:
    place = {i: n for n, i in enumerate(tree.ids)}
    assert [tree.labels[place[i]] for i in ("an", "an/do/be")] == ["animals  1,200", "pet beds"]
    assert tree.text[place["an/do/be"]] == tree.text[place["an/ca/be"]] == "10"
    assert list(tree.customdata[place["an/do/be"]]) == ["animals > dogs > pet beds", "be", "cushion"]
    assert list(tree.customdata[place["ga/to"]]) == ["garden > tools", "to", "none"]
    colours = [tree.marker.colors[place[i]] for i in ("an/ca", "ga/to", "an", "an/do")]
    assert colours[:2] == [figures.STATUS_COLOURS["empty"], figures.STATUS_COLOURS["starved"]]
    assert all(colour.startswith("rgb") for colour in colours[2:])
    assert colours[2] != colours[3]


def test_treemap_of_a_taxonomy_without_a_document_is_drawn(diamond: Taxonomy) -> None:
    statistics = pd.DataFrame({"n_documents": [0] * 7, "starved": [True] * 7, "empty": [True] * 7})
    colours = figures.draw_taxonomy_map(statistics, diamond).data[0].marker.colors
    assert set(colours) == {figures.STATUS_COLOURS["empty"]}


# ---------------------------------------------------------------------- class embeddings


@pytest.fixture
def layout() -> pd.DataFrame:
    """Return a map of `animals`: pet_beds is below two children and has the colour of the first."""
    frame = pd.DataFrame(
        {
            "class_id": ["an", "do", "ca", "be", "ct"],
            "path": ["animals", "animals > dogs", "animals > cats", "animals > dogs > pet beds", "animals > cat toys"],
            "depth": [0, 1, 1, 2, 2],
            "group": ["an", "do", "ca", "do", "ca"],
        }
    )
    places = {"x_before": 0.0, "y_before": 1.0, "x_after": 10.0, "y_after": 11.0}
    return frame.assign(**{name: np.arange(5) + start for name, start in places.items()})


def test_map_has_a_colour_a_child_of_the_root_in_both_panels(layout: pd.DataFrame, diamond: Taxonomy) -> None:
    figure = figures.draw_gcn_map(layout, diamond)
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.name for trace in points] == ["animals", "dogs", "cats"] * 2
    assert [trace.showlegend for trace in points] == [True] * 3 + [False] * 3
    colours = [trace.marker.color for trace in points]
    assert colours[:3] == colours[3:]
    assert len(set(colours)) == 3
    assert list(points[1].text) == ["animals > dogs", "animals > dogs > pet beds"]
    assert (list(points[1].x), list(points[4].y)) == ([1, 3], [12, 14])
    assert [trace.xaxis for trace in points] == ["x"] * 3 + ["x2"] * 3
    assert "animals, 5 classes" in figure.layout.title.text
    assert "bdata" not in figure.to_json()


def test_map_joins_parents_and_children_inside_it(layout: pd.DataFrame, diamond: Taxonomy) -> None:
    lines = [trace for trace in figures.draw_gcn_map(layout, diamond).data if trace.mode == "lines"]
    assert len(lines) == 2
    drawn = [tuple(lines[0].x[i : i + 2]) for i in range(0, len(lines[0].x), 3)]
    assert drawn == [(0, 1), (0, 2), (1, 3), (2, 3), (2, 4)]
    assert set(lines[0].x[2::3]) == {None}


def test_more_groups_than_colours_are_drawn() -> None:
    ids = [f"c{i}" for i in range(60)]
    taxonomy = Taxonomy.from_edges([("r", "r"), *((i, "r") for i in ids)], [("r", i) for i in ids])
    frame = pd.DataFrame({"class_id": ["r", *ids], "path": "p", "depth": [0] + [1] * 60, "group": ["r", *ids]})
    frame[["x_before", "y_before", "x_after", "y_after"]] = 0.0
    points = [trace for trace in figures.draw_gcn_map(frame, taxonomy).data if trace.mode == "markers"]
    assert len(points) == 2 * 61
    assert [trace.marker.symbol for trace in points[:2]] == [("star",), ("circle",)], "of one name, yet not one group"


def test_treemap_of_a_graph_with_a_million_paths_has_a_box_a_class() -> None:
    taxonomy = make_diamonds(20)
    with within(2, 60):
        figure = figures.draw_taxonomy_map(make_statistics([1] * 60, limit=0), taxonomy)
    boxes = figure.data[0]
    assert len(boxes.ids) == 60 and set(boxes.parents) <= {*boxes.ids, ""}
    assert "60 classes on 60 paths" in figure.layout.title.text


def test_treemap_of_a_wide_graph_has_every_class() -> None:
    with within(2, 60):
        figure = figures.draw_taxonomy_map(make_statistics([1] * 3000, limit=0), make_star(3000))
    assert len(figure.data[0].ids) == 3000
