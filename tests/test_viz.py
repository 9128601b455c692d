"""Kedro-Viz: the graph has boxes, layers and previews, and a browser shows it, live and as a static site."""

import functools
import html
import http.server
import itertools
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import view_graph
from browser import BROWSER, open_page
from hmltc_kedro.pipeline_registry import SHARED, register_pipelines
from hmltc_kedro.pipelines import STAGES
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from hmltc_kedro.pipelines.train.nodes import train_classifier
from kedro_project import ENVIRONMENT, Finished, Project

FONT, READABLE = 14, 9
"""Pixels of a name at full size, and those that it takes to read one."""

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
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
    command = [sys.executable, view_graph.__file__, "--no-browser", "--env=test", f"--port={port}"]
    address = f"http://127.0.0.1:{port}"
    with (project.folder / "viz.log").open("w") as log:
        server = subprocess.Popen(command, cwd=project.folder, env=ENVIRONMENT, stdout=log, stderr=log)
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
    assert rows["sections"].startswith("What this run is worth, Predictions, ")
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
    """Build the site, check that nothing was amiss, serve its files and return the address."""
    command = [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"]
    environment = {**ENVIRONMENT, "KEDRO_ENV": "test"}
    done = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=True)
    assert "Success" in done.stdout
    assert "could not be previewed" not in done.stdout + done.stderr
    handler = functools.partial(QuietHandler, directory=str(project.folder / "build"))
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


def browse(url: str, folder: Path) -> str:
    """Open a page in the browser and return the document as it stands when its scripts have run."""
    return open_page(url, folder, 1500, 900, wait=15_000)


def find_drawn(page: str) -> set[str]:
    """Return the labels of the boxes and pills that the graph shows."""
    return set(re.findall(r'class="pipeline-node__text[^>]*>([^<]+)<', page))


def find_scale(page: str) -> float:
    """Return how large the graph is drawn, 1 for its full size."""
    (scale,) = re.findall(r'class="pipeline-zoom-wrapper[^>]*scale\(([\d.]+)\)', page)
    return float(scale)


def test_address_of_the_first_view_is_printed(viz: str, project: Project) -> None:
    for _ in range(20):
        if f"The stages: {viz}{view_graph.FIRST_VIEW}\n" in (project.folder / "viz.log").read_text("utf-8"):
            break
        time.sleep(0.5)
    else:
        pytest.fail((project.folder / "viz.log").read_text("utf-8"))


@needs_browser
def test_names_of_the_stages_can_be_read_at_first(viz: str, tmp_path: Path) -> None:
    page = browse(f"{viz}{view_graph.FIRST_VIEW}", tmp_path)
    assert find_drawn(page) == set(STAGES)
    assert FONT * find_scale(page) >= READABLE


@needs_browser
def test_browser_shows_graph_and_preview(viz: str, graph: dict[str, Any], tmp_path: Path) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "predictions")
    page = browse(f"{viz}/?pid=__default__&expandAllPipelines=true&sid={node['id']}", tmp_path)
    assert find_drawn(page) == {n["name"] for n in graph["nodes"] if n["type"] in ("task", "data")}
    assert "Expand preview" in page and "doc_id" in page


@needs_browser
def test_browser_shows_the_docstring_of_a_node(viz: str, graph: dict[str, Any], tmp_path: Path) -> None:
    node = next(n for n in graph["nodes"] if n["name"] == "train_classifier")
    page = browse(f"{viz}/?pid=__default__&sid={node['id']}", tmp_path)
    drawn = find_drawn(page)
    assert set(STAGES) <= drawn and "train_classifier" not in drawn, "its box is closed"
    assert FIRST_LINE in html.unescape(page)


@needs_browser
def test_browser_shows_the_stages_alone_on_the_hosted_site(site: str, tmp_path: Path) -> None:
    assert find_drawn(browse(site + view_graph.FIRST_VIEW, tmp_path)) == set(STAGES)
