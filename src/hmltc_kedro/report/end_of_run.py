"""The scores that a run ends with on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

REMARKS = {
    "missing": "documents without a prediction, which score 0",
    "loose_gold_sets": "gold label sets without parents, never 1",
}
"""Of counts in `metrics` that should be 0, by name."""


def summarise_metrics(metrics: Mapping[str, Any]) -> list[str]:
    """Return the scores against gold, a line each; `metrics` is the entry."""
    if not metrics["n_docs"]:
        return ["No gold labels: nothing to score."]
    zero_shot = metrics["zero_shot"]
    return [
        f"Scores on {metrics['n_docs']} test documents (95 % interval)",
        _score_line("sample-F1", metrics),
        _score_line("zero-shot (nearest class and its ancestors)", zero_shot),
        f"  {'exact match':45} {metrics['exact_match']:.4f}",
        f"  {'macro-F1':45} {metrics['macro_f1']:.4f}",
        f"  {'precision at 1, at 3':45} {metrics['precision_at_1']:.4f}, {metrics['precision_at_3']:.4f}",
        f"  {'path-consistent label sets':45} {metrics['path_consistency']:.2%}",
        *(f"  {text:45} {metrics[name]}" for name, text in REMARKS.items() if metrics[name]),
    ]


def show_ablation(table: pd.DataFrame) -> list[str]:
    """Return the rows of `ablation_table`, a line each."""
    n_docs = table["n_docs"].iloc[0]
    if not n_docs:
        return ["No gold labels: nothing to score."]
    seeds = ", ".join(map(str, table["seeds"].iloc[0]))
    lines = [f"Ablation on {n_docs} test documents: mean over the seeds {seeds} (95 % interval over documents)"]
    lines.append(f"  {'':28} {'sample-F1':>26}   {'against final':>26}  {'macro-F1':>9}  {'s/seed':>6}")
    for row in table.itertuples():
        score = f"{row.sample_f1:.4f}  [{row.sample_f1_low:.4f}, {row.sample_f1_high:.4f}]"
        against = f"{row.difference:+.4f}  [{row.difference_low:+.4f}, {row.difference_high:+.4f}]"
        against = "" if row.variant == "final" else against
        lines.append(f"  {row.title:28} {score:>26}   {against:>26}  {row.macro_f1:9.4f}  {row.seconds:6.0f}")
    return lines


def _score_line(name: str, metrics: Mapping[str, Any]) -> str:
    low, high = metrics["sample_f1_interval"]
    return f"  {name:45} {metrics['sample_f1']:.4f}  [{low:.4f}, {high:.4f}]"
