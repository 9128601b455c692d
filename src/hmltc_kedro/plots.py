"""Figures, as Plotly objects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from hmltc_kedro.taxonomy import Taxonomy


def draw_label_distribution(counts: npt.NDArray[np.int64], taxonomy: Taxonomy) -> go.Figure:
    """Return bars of the silver documents a class, largest first, one colour a level.

    Args:
        counts: documents whose label set contains the class, shape (C,).
        taxonomy: for names and levels.
    """
    order = np.argsort(-counts, kind="stable")
    labels = [taxonomy.labels[c] for c in order]
    figure = go.Figure()
    for level in np.unique(taxonomy.levels):
        here = [i for i, c in enumerate(order) if taxonomy.levels[c] == level]
        figure.add_bar(
            x=[i + 1 for i in here],
            y=[int(counts[order[i]]) for i in here],
            text=[labels[i] for i in here],
            hovertemplate="%{text}<br>%{y} documents<extra></extra>",
            textposition="none",
            name=f"level {level}",
        )
    empty = int((counts == 0).sum())
    figure.update_layout(
        title=f"Silver documents per class<br><sub>median {np.median(counts):.0f}, "
        f"largest {counts.max()}, {empty} classes without any</sub>",
        xaxis_title="class, by size",
        yaxis_title="documents",
        template="plotly_white",
        bargap=0.1,
        legend={"orientation": "h", "y": 1.02, "x": 1, "xanchor": "right", "yanchor": "bottom"},
    )
    return figure
