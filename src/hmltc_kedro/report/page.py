"""The page itself: what `summaries` and `charts` give, laid out by the templates beside this file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hmltc_kedro.report import charts, class_summaries, document_summaries, summaries, worth
from hmltc_kedro.report.entries import RunEntries

N_BARS = 10
"""Classes named at each end of the distribution."""


@cache
def make_environment() -> Environment:
    """Return the page's templates, each of which is read and translated once."""
    environment = Environment(
        loader=PackageLoader("hmltc_kedro.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": show_number, "score": show_score, "share": show_share, "interval": show_interval}
    return environment


def build_page(run: RunEntries, title: str, stages: Sequence[str]) -> str:
    """Return the report as one HTML document.

    Everything is inside it: the style sheet, the script, the charts, the documents. It asks for nothing from outside,
    and its Content-Security-Policy refuses everything but this style sheet and this script. Texts of documents are
    somebody else's: templates escape whatever is not `Markup`, and the script writes text, never HTML.

    Args:
        run: what the page shows.
        title: of the page, such as the name of the dataset.
        stages: of a run, in their order.
    """
    script = _read_template("script.js")
    characters = document_summaries.count_characters(run.documents)
    chosen = document_summaries.choose_documents(run.predictions, run.document_diagnostics, characters)
    packed = document_summaries.pack_documents(run, chosen)
    page = make_environment().get_template("page.html")
    return page.render(
        title=title,
        stage_names=stages,
        run=run,
        summaries=summaries,
        class_summaries=class_summaries,
        document_summaries=document_summaries,
        worth=worth,
        chosen=chosen,
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup(_read_template("style.css")),
        longest=packed["longest"],
        packed=embed_json(packed),
        charts=draw_charts(run),
        bars_of=class_summaries.rank_classes(run.label_statistics, N_BARS),
    )


def draw_charts(run: RunEntries) -> dict[str, Any]:
    """Return the charts by name: sizes, confidence, curves (one a phase), expected, intervals, maps, their colours."""
    names, sizes = summaries.count_by_size(run.label_statistics)
    edges, gaps = class_summaries.count_by_confidence(run.silver_labels)
    bins, expected = document_summaries.count_by_expected_f1(run.document_diagnostics)
    metrics = run.metrics
    scores = {"trained classifier": metrics, "zero-shot": metrics["zero_shot"]} if metrics["n_docs"] else {}
    intervals = [(name, m["sample_f1"], *m["sample_f1_interval"]) for name, m in scores.items()]
    maps = {"before": "x", "after two layers": "x2"}
    return {
        "sizes": charts.draw_bars(names, sizes, "silver documents", "classes", "Histogram of class sizes"),
        "confidence": charts.draw_bars(edges, gaps, "confidence", "documents", "Histogram of confidence"),
        "expected": charts.draw_bars(bins, expected, "expected F1", "documents", "Histogram of expected F1"),
        "expected_keys": list(expected),
        "curves": {
            summaries.spell(str(phase)): _draw_phase(rows)
            for phase, rows in run.training_history.groupby("phase", sort=False)
        },
        "intervals": charts.draw_intervals(intervals, "Sample-F1 with 95 % intervals"),
        "colours": charts.list_map_colours(run.gcn_map),
        "maps": {name: charts.draw_map(run.gcn_map, axis, f"Class map, {name}") for name, axis in maps.items()},
    }


def _draw_phase(history: pd.DataFrame) -> Markup:
    """Draw one phase of training; the state of the epoch marked is the one that was kept."""
    phase, held_out = history["phase"].iloc[0], history["validation_loss"]
    # As the training loop decides: the lowest held-out loss, the later of equals; self-training keeps its last state.
    best = len(history) - 1 - int(held_out.fillna(float("inf")).to_numpy()[::-1].argmin())
    return charts.draw_curves(
        history["epoch"].tolist(),
        {"training": history["loss"].tolist(), "held-out": held_out.tolist()},
        len(history) - 1 if phase == "self_training" else best,
        "epoch",
        "loss",
        f"Loss by epoch, {phase}",
    )


def embed_json(data: Any) -> Markup:
    """Return JSON that may stand in a `<script>` element: no character in it can end one or begin a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def show_number(value: float | None) -> str:
    """Return a count or a number of seconds for people: with thousands, a decimal below ten."""
    if value is None or value != value:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def show_score(value: float | None) -> str:
    """Return a score with three decimals."""
    return "–" if value is None or value != value else f"{value:.3f}"


def show_share(value: float | None) -> str:
    """Return a share in per cent."""
    return "–" if value is None or value != value else f"{value:.1%}"


def show_interval(values: Sequence[float] | None) -> str:
    """Return the two ends of an interval with three decimals."""
    return "–" if values is None else " to ".join(map(show_score, values))


def _read_template(name: str) -> str:
    return files("hmltc_kedro.report").joinpath("templates", name).read_text("utf-8")
