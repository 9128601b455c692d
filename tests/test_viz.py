"""Kedro-Viz: the graph has boxes, layers and previews, and a browser shows it, live and as a static site."""

import functools
import http.server
import itertools
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

import view_graph
from browser import Page
from hmltc_kedro.pipeline_registry import SHARED, register_pipelines
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from hmltc_kedro.pipelines.train.nodes import train_classifier
from kedro_project import ENVIRONMENT, REPOSITORY, Finished, Project

READABLE = 11
"""Pixels that a line of letters takes to be read."""
PIPELINES = register_pipelines()
ENTRIES = PIPELINES["__default__"].datasets() - {"parameters"}
FIRST_LINE = str(train_classifier.__doc__).splitlines()[0]
LAYERS = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]


def read_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def viz(project: Project, first_run: Finished) -> Iterator[str]:
    """Serve as `make viz` does, at a free port, and return the address."""
    port = view_graph.find_port(21_000)
    command = [sys.executable, view_graph.__file__, "--env=test", f"--port={port}"]
    person = project.folder / "browser"  # opens what it is given, that is, notes it down
    person.write_text(f"#!/bin/sh\necho \"$1\" > '{project.folder}/opened'\n", "utf-8")
    person.chmod(0o755)
    address = f"http://127.0.0.1:{port}"
    with (project.folder / "viz.log").open("w") as log:
        environment = {**ENVIRONMENT, "BROWSER": f"{person} %s"}
        server = subprocess.Popen(command, cwd=project.folder, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(120):
            try:
                read_json(f"{address}/api/main")
                break
            except OSError:
                assert server.poll() is None, (project.folder / "viz.log").read_text("utf-8")
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(20)
        deadline = time.monotonic() + 20  # it has been told to, and takes its time
        while view_graph.find_port(port) != port:
            assert time.monotonic() < deadline, "what it has started has not ended"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def graph(viz: str) -> dict[str, Any]:
    return read_json(f"{viz}/api/main")


def test_graph_has_layers_in_order_tags_and_pipelines(graph: dict[str, Any]) -> None:
    assert graph["layers"] == LAYERS
    assert {tag["name"] for tag in graph["tags"]} == {*STAGES, "label", "ablation"}
    assert {pipeline["name"] for pipeline in graph["pipelines"]} == {*STAGES, "label", "ablation", "__default__"}
    without = [n["name"] for n in graph["nodes"] if n["type"] == "data" and not n["layer"]]
    assert not without


@pytest.mark.parametrize(
    ("entry", "columns"),
    [
        (
            "predictions",
            ["doc_id", "class_ids", "names", "paths", "scores", "probabilities", "fits", "decision", "source"],
        ),
        ("silver_labels", ["split", "doc_id", "class_ids", "confidence", "kept", "agreement"]),
    ],
)
def test_tables_have_a_preview(viz: str, graph: dict[str, Any], entry: str, columns: list[str]) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == entry)
    preview = read_json(f"{viz}/api/nodes/{node['id']}")["preview"]
    assert preview["columns"] == columns
    assert len(preview["data"]) == 10
    ids = columns.index("class_ids")
    assert all(isinstance(row[ids], list) and row[ids] for row in preview["data"])


def test_label_distribution_has_a_plot(viz: str, graph: dict[str, Any]) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "label_distribution")
    detail = read_json(f"{viz}/api/nodes/{node['id']}")
    assert detail["preview_type"] == "PlotlyPreview"
    names = [trace.get("name") for trace in detail["preview"]["data"]]
    assert names[:6] == ["empty", "starved", "enough", "level 1", "level 2", "level 3"]
    assert "49 classes" in detail["preview"]["layout"]["title"]["text"]


def test_map_of_the_classes_has_a_plot(viz: str, graph: dict[str, Any]) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "gcn_map")
    detail = read_json(f"{viz}/api/nodes/{node['id']}")
    assert detail["preview_type"] == "PlotlyPreview"
    assert "11 classes" in detail["preview"]["layout"]["title"]["text"]


def test_metrics_have_a_table(viz: str, graph: dict[str, Any]) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "metrics")
    rows = dict(read_json(f"{viz}/api/nodes/{node['id']}")["preview"]["data"])
    assert rows["n_docs"] == 20
    assert len(rows["sample_f1_interval"]) == 2
    assert {"per_level.1.f1", "zero_shot.sample_f1"} <= set(rows)


def test_every_entry_of_a_run_has_a_preview(viz: str, graph: dict[str, Any]) -> None:
    nodes = [n for n in graph["nodes"] if n["type"] == "data"]
    assert {n["name"] for n in nodes} == {entry for entry in ENTRIES if not entry.startswith("params:")}
    without = [n["name"] for n in nodes if not read_json(f"{viz}/api/nodes/{n['id']}").get("preview")]
    assert not without


def test_report_has_its_key_figures(viz: str, graph: dict[str, Any]) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "report" and n["type"] == "data")
    rows = dict(read_json(f"{viz}/api/nodes/{node['id']}")["preview"]["data"])
    assert rows["title"] == "sample/test" and rows["predictions"] == "20" and rows["classes"] == "49"
    assert rows["sections"].startswith("Predictions, Classes, What this run is worth, ")
    assert rows["open"].endswith("/data/08_reporting/sample/test/report.html")


@pytest.mark.parametrize("pipeline", ["__default__", "ablation"])
def test_every_node_shows_one_line_about_itself(viz: str, pipeline: str) -> None:
    nodes = [n for n in read_json(f"{viz}/api/pipelines/{pipeline}")["nodes"] if n["type"] == "task"]
    for node in nodes:
        shown = read_json(f"{viz}/api/nodes/{node['id']}")["preview"]
        assert shown["kind"] == "text", node["name"]
        assert shown["content"].endswith(".") and "\n" not in shown["content"], node["name"]


# ---------------------------------------------------------------------- stages as boxes


def find_boxes(graph: dict[str, Any]) -> dict[str, str]:
    """Return the box that each node of the collapsed graph is in, or that it is, by id."""
    boxes = {node["id"]: node["id"] for node in graph["nodes"] if node["type"] == "modularPipeline"}
    return boxes | {n["id"]: n["modular_pipelines"][0] for n in graph["nodes"] if n["type"] == "task"}


def find_arrows(graph: dict[str, Any]) -> set[tuple[str, str]]:
    """Return which box makes something that another one reads."""
    boxes = find_boxes(graph)
    makers = {edge["target"]: boxes[edge["source"]] for edge in graph["edges"] if edge["source"] in boxes}
    readers = [(edge["source"], boxes[edge["target"]]) for edge in graph["edges"] if edge["target"] in boxes]
    return {(makers[entry], box) for entry, box in readers if entry in makers and makers[entry] != box}


def test_collapsed_graph_is_the_figure_of_the_paper(graph: dict[str, Any]) -> None:
    root = graph["modular_pipelines"]["__root__"]["children"]
    assert {child["id"] for child in root if child["type"] == "modularPipeline"} == set(STAGES)
    assert not [child for child in root if child["type"] == "task"], "every node is in a box"
    arrows = find_arrows(graph)
    chain = [stage for stage in STAGES if stage not in ("annotate", "report")]
    # What is said of documents goes past the training examples: it teaches the student.
    assert {*itertools.pairwise(chain), ("pseudo_label", "annotate"), ("annotate", "train")} <= arrows
    assert ("annotate", "augment") not in arrows
    order = list(STAGES)
    assert all(order.index(one) < order.index(other) for one, other in arrows)
    assert not [one for one, _ in arrows if one == "report"], "studies are read by people"


def test_ablation_has_a_box_a_stage_and_a_variant(viz: str) -> None:
    root = read_json(f"{viz}/api/pipelines/ablation")["modular_pipelines"]["__root__"]["children"]
    assert {child["id"] for child in root if child["type"] == "modularPipeline"} == {*SHARED, *VARIANTS}
    assert len([child for child in root if child["type"] == "task"]) == 2


# ---------------------------------------------------------------------- the static site


@pytest.fixture(scope="module")
def site(project: Project, first_run: Finished) -> Iterator[str]:
    """Build the site as `make viz-build` does, check that nothing was amiss, serve its files and return the address."""
    package = project.folder / "build" / "lib"
    package.mkdir(parents=True)
    command = [sys.executable, str(REPOSITORY / "tools" / "build_site.py"), "--env=test"]
    done = subprocess.run(command, cwd=project.folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert "could not be previewed" not in done.stdout + done.stderr
    assert [*package.parent.rglob("*")] == [package], "where `kedro package` leaves its files"
    assert {"index.html", "api"} <= {path.name for path in (project.folder / "site").iterdir()}
    assert not [path for path in project.folder.iterdir() if path.name.startswith(".site")]
    handler = functools.partial(QuietHandler, directory=str(project.folder / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_site_has_the_graph_and_the_previews(site: str) -> None:
    graph = read_json(f"{site}/api/main")
    assert {n["name"] for n in graph["nodes"] if n["type"] == "modularPipeline"} == set(STAGES)
    ids = {n["name"]: n["id"] for n in graph["nodes"]}
    preview = read_json(f"{site}/api/nodes/{ids['taxonomy_map']}")["preview"]
    assert preview["data"][0]["type"] == "treemap"
    assert read_json(f"{site}/api/nodes/{ids['train_classifier']}")["preview"]["content"] == FIRST_LINE
    assert len(read_json(f"{site}/api/nodes/{ids['predictions']}")["preview"]["data"]) == 10
    tasks = [n for n in read_json(f"{site}/api/pipelines/ablation")["nodes"] if n["type"] == "task"]
    assert len(tasks) == len(PIPELINES["ablation"].nodes)


# ---------------------------------------------------------------------- in a browser

BOXES = """(() => {
    const nodes = [...document.querySelectorAll(".pipeline-node")];
    return nodes.map((e) => [e.querySelector("text"), e.getBoundingClientRect()]).map(([text, box]) =>
        [text.textContent, box.left, box.top, box.right, box.bottom, text.getBoundingClientRect().height]);
})()"""
"""Name, edges and height of the letters of each box, in pixels of the window."""
WIDTH, HEIGHT = 1280, 900


def show(tab: Page, address: str) -> dict[str, list[float]]:
    """Open a page of Kedro-Viz and return its boxes, once they rest."""
    tab.show(address, WIDTH, HEIGHT)
    before: list[Any] = []
    end = time.monotonic() + 60
    while not (boxes := tab.read(BOXES)) or boxes != before:
        assert time.monotonic() < end, tab.read("document.body.innerText")
        before = boxes
        time.sleep(0.5)
    return {name: place for name, *place in boxes}


def test_address_of_the_first_view_is_printed_and_opened(viz: str, project: Project) -> None:
    opened, log = project.folder / "opened", project.folder / "viz.log"
    end = time.monotonic() + 20
    while not (opened.exists() and opened.read_text("utf-8")):
        assert time.monotonic() < end, log.read_text("utf-8")
        time.sleep(0.1)
    assert opened.read_text("utf-8") == f"{viz}{view_graph.FIRST_VIEW}\n"
    assert f"The stages: {viz}{view_graph.FIRST_VIEW}\n" in log.read_text("utf-8")


def test_first_view_is_the_stages_from_the_top_down_in_letters_that_can_be_read(viz: str, tab: Page) -> None:
    boxes = show(tab, f"{viz}{view_graph.FIRST_VIEW}")
    assert set(boxes) == set(STAGES)
    assert all(0 < left < right < WIDTH and 0 < top < bottom < HEIGHT for left, top, right, bottom, _ in boxes.values())
    chain = [stage for stage in STAGES if stage != "annotate"]
    assert all(boxes[one][3] < boxes[other][1] for one, other in itertools.pairwise(chain)), "each below the one before"
    assert boxes["pseudo_label"][3] < boxes["annotate"][1] and boxes["annotate"][3] < boxes["train"][1]
    assert min(letters for *_, letters in boxes.values()) >= READABLE


def test_browser_shows_graph_and_preview(viz: str, graph: dict[str, Any], tab: Page) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "predictions")
    boxes = show(tab, f"{viz}/?pid=__default__&expandAllPipelines=true&sid={node['id']}")
    assert set(boxes) == {n["name"] for n in graph["nodes"] if n["type"] in ("task", "data")}
    panel = tab.read("document.querySelector('.pipeline-metadata').innerText")
    assert "Expand preview" in panel and "doc_id" in panel


def test_browser_shows_the_docstring_of_a_node(viz: str, graph: dict[str, Any], tab: Page) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "train_classifier")
    boxes = show(tab, f"{viz}/?pid=__default__&sid={node['id']}")
    assert set(STAGES) <= set(boxes) and "train_classifier" not in boxes, "its box is closed"
    assert FIRST_LINE in tab.read("document.querySelector('.pipeline-metadata').innerText")


def test_browser_shows_the_stages_alone_on_the_hosted_site(site: str, tab: Page) -> None:
    assert set(show(tab, site + view_graph.FIRST_VIEW)) == set(STAGES)
