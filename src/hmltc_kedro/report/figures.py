"""Figures, as Plotly objects.

Data go in as lists: Plotly writes arrays in binary, which not every viewer of the JSON reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import qualitative, sample_colorscale
from plotly.subplots import make_subplots

from hmltc_kedro.taxonomy import Taxonomy

STATUS_COLOURS = {"empty": "#e45756", "starved": "#f58518", "enough": "#4c78a8"}


N_BARS = 12
"""Classes named at each end of the distribution."""


MAX_LABEL = 36
"""Characters of a class label beside a bar; the whole path is shown where one points at it."""


def draw_label_distribution(statistics: pd.DataFrame) -> go.Figure:
    """Return the dashboard of the silver labels: how the documents are spread over the classes.

    Left, over one axis that doubles from tick to tick: a histogram of class sizes, and a box a level with its
    outliers. Right: the largest classes, and the smallest that have a document. Colours mark starved and empty ones.

    Args:
        statistics: one row a class: path, level, n_documents, starved, empty (`starvation.summarise_classes`).
    """
    counts = statistics["n_documents"].to_numpy(np.int64)
    ranked = statistics.sort_values("n_documents", ascending=False, kind="stable")
    largest, smallest = ranked.head(N_BARS), ranked[ranked["n_documents"] > 0].tail(N_BARS)
    figure = make_subplots(
        rows=2,
        cols=2,
        row_heights=[0.55, 0.45],
        column_widths=[0.5, 0.5],
        horizontal_spacing=0.24,
        vertical_spacing=0.16,
        subplot_titles=(
            "Classes by size",
            f"The {len(largest)} largest",
            "Sizes by level, with outliers",
            f"The {len(smallest)} smallest with a document",
        ),
    )
    _add_histogram(figure, statistics)
    _add_boxes(figure, statistics)
    _add_named_bars(figure, largest, row=1)
    _add_named_bars(figure, smallest, row=2)
    figure.update_layout(
        title=f"Silver documents per class<br><sub>{len(counts)} classes: mean {counts.mean():.1f}, "
        f"median {np.median(counts):g}, largest {counts.max():,}; "
        f"{statistics['starved'].sum()} starved, {statistics['empty'].sum()} empty</sub>",
        template="plotly_white",
        barmode="stack",
        bargap=0.12,
        margin={"t": 120, "r": 40},
        legend={"orientation": "h", "y": 1.06, "x": 1, "xanchor": "right", "yanchor": "bottom", "traceorder": "normal"},
    )
    return figure


def draw_taxonomy_map(statistics: pd.DataFrame, taxonomy: Taxonomy) -> go.Figure:
    """Return the taxonomy as a treemap: one box a root-to-node path, with the class's silver documents.

    Where there are too many paths to draw each class has one box, see `Taxonomy.list_paths`.

    A class with several parents has a box below each of them, with the same number in all: which of its paths a
    document took is not counted. So the boxes of all leaves are of one size, and the colour tells how many
    documents there are: red none, orange too few (starved), else the darker the blue the more.

    Args:
        statistics: one row a class in the order of the taxonomy: n_documents, starved, empty
            (`starvation.summarise_classes`).
        taxonomy: for paths, names and keywords.
    """
    paths = sorted(taxonomy.list_paths(), key=len)
    ids = ["/".join(taxonomy.class_ids[c] for c in path) for path in paths]
    last = [path[-1] for path in paths]
    counts = statistics["n_documents"].to_numpy(np.int64)
    shown = [f"{n:,}" for n in counts]
    names = [taxonomy.spoken_name(c) for c in range(len(taxonomy))]
    keywords = [", ".join(words) or "none" for words in taxonomy.keywords]
    shades = 0.25 + 0.75 * _place(counts) / max(_place(counts).max(), 1)
    colours = np.array(sample_colorscale("Blues", shades.tolist()), dtype=object)
    colours[statistics["starved"]] = STATUS_COLOURS["starved"]
    colours[statistics["empty"]] = STATUS_COLOURS["empty"]
    figure = go.Figure(
        go.Treemap(
            ids=ids,
            parents=[i.rpartition("/")[0] for i in ids],
            # Plotly shows no text but the label above the boxes of children.
            labels=[f"{names[c]}  {shown[c]}" if taxonomy.children[c] else names[c] for c in last],
            text=[shown[c] for c in last],
            values=[int(not taxonomy.children[c]) for c in last],
            customdata=[[" > ".join(names[c] for c in p), taxonomy.class_ids[p[-1]], keywords[p[-1]]] for p in paths],
            hovertemplate="%{customdata[0]}<br>class %{customdata[1]}: %{text} silver documents<br>"
            "keywords: %{customdata[2]}<extra></extra>",
            textinfo="label+text",
            marker={"colors": colours[last].tolist()},
            tiling={"pad": 2},
            root={"color": "rgba(0, 0, 0, 0)"},
        )
    )
    figure.update_layout(
        title=f"Silver documents in the taxonomy<br><sub>{len(taxonomy)} classes on {len(paths)} paths; red: none, "
        "orange: too few, darker blue: more</sub>",
        template="plotly_white",
        margin={"t": 90, "l": 10, "r": 10, "b": 10},
    )
    return figure


def draw_ablation(table: pd.DataFrame) -> go.Figure:
    """Return one dot a variant: the mean sample-F1 over seeds, with its 95 % interval over documents.

    Args:
        table: as `ablation.tabulate` returns it; drawn in its order, the first row at the top.
    """
    rows = table.iloc[::-1]
    figure = go.Figure()
    figure.add_scatter(
        x=rows["sample_f1"],
        y=rows["title"],
        mode="markers",
        marker={"size": 11, "color": ["#d62728" if v == "final" else "#1f77b4" for v in rows["variant"]]},
        error_x={
            "array": rows["sample_f1_high"] - rows["sample_f1"],
            "arrayminus": rows["sample_f1"] - rows["sample_f1_low"],
            "color": "#888888",
        },
        customdata=rows[["difference", "difference_low", "difference_high", "seconds"]],
        hovertemplate="%{y}<br>sample-F1 %{x:.4f}<br>against final %{customdata[0]:+.4f} "
        "[%{customdata[1]:+.4f}, %{customdata[2]:+.4f}]<br>%{customdata[3]:.0f} s a seed<extra></extra>",
        showlegend=False,
    )
    final = table.loc[table["variant"] == "final", "sample_f1"]
    if len(final) and final.notna().all():
        figure.add_vline(x=float(final.iloc[0]), line={"dash": "dot", "color": "#d62728", "width": 1})
    n_seeds = len(table["seeds"].iloc[0])
    figure.update_layout(
        title=f"Ablation<br><sub>sample-F1 on {table['n_docs'].iloc[0]} test documents, mean of {n_seeds} seed(s), "
        "95 % interval over documents</sub>",
        xaxis_title="sample-F1",
        template="plotly_white",
        margin={"l": 200},
    )
    return figure


def _place(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return places on the axis of class sizes: 0 for 0, else 1 + log2(n)."""
    return np.where(counts > 0, 1 + np.log2(np.maximum(counts, 1)), 0)


def _show_sizes(figure: go.Figure, largest: int, row: int) -> None:
    """Label the axis of class sizes of the left column, which reaches up to `largest`."""
    last = int(largest).bit_length()  # of the bins 0, 1, 2-3, 4-7, ...
    step = 1 + last // 11
    ticks = [0, *range(1, last + 2, step)]
    labels = ["0" if t == 0 else f"{2 ** (t - 1):,}" for t in ticks]
    axis: dict[str, Any] = {"tickvals": ticks, "ticktext": labels, "range": [-0.15, last + 1.15], "zeroline": False}
    figure.update_xaxes(title="documents", row=row, col=1, **axis)


def _add_histogram(figure: go.Figure, statistics: pd.DataFrame) -> None:
    counts = statistics["n_documents"].to_numpy(np.int64)
    status = np.where(statistics["empty"], "empty", np.where(statistics["starved"], "starved", "enough"))
    bins = np.floor(_place(counts)).astype(np.int64)
    edges = [0, *(2**k for k in range(bins.max() + 1))]
    spans = [
        f"{low:,}" if high - low == 1 else f"{low:,} to {high - 1:,}"
        for low, high in zip(edges, edges[1:], strict=False)
    ]
    for name, colour in STATUS_COLOURS.items():
        figure.add_bar(
            x=[0.5 + k for k in range(len(spans))],
            y=np.bincount(bins[status == name], minlength=len(spans)).tolist(),
            customdata=spans,
            name=name,
            marker_color=colour,
            hovertemplate=f"%{{y}} classes with %{{customdata}} documents<extra>{name}</extra>",
            row=1,
            col=1,
        )
    _show_sizes(figure, counts.max(), row=1)
    figure.update_yaxes(title="classes", row=1, col=1)


def _add_boxes(figure: go.Figure, statistics: pd.DataFrame) -> None:
    for level, here in statistics.groupby("level"):
        figure.add_box(
            x=_place(here["n_documents"].to_numpy(np.int64)).tolist(),
            name=f"level {level}",
            text=here["path"].tolist(),
            customdata=here["n_documents"].tolist(),
            boxpoints="outliers",
            hoveron="points",  # the quartiles' own numbers would be places on the axis
            hovertemplate="%{text}<br>%{customdata} documents<extra></extra>",
            marker={"color": "#54585c", "size": 4},
            line_width=1.5,
            orientation="h",
            showlegend=False,
            row=2,
            col=1,
        )
    _show_sizes(figure, statistics["n_documents"].max(), row=2)
    figure.update_yaxes(autorange="reversed", row=2, col=1)


def _add_named_bars(figure: go.Figure, classes: pd.DataFrame, row: int) -> None:
    figure.add_bar(
        x=classes["n_documents"].tolist(),
        y=list(range(len(classes))),  # and not names: two classes may have the same
        orientation="h",
        text=[f"{n:,}" for n in classes["n_documents"]],
        textposition="outside",
        cliponaxis=False,
        customdata=classes["path"].tolist(),
        hovertemplate="%{customdata}<br>%{x} documents<extra></extra>",
        marker_color=[STATUS_COLOURS["starved" if s else "enough"] for s in classes["starved"]],
        showlegend=False,
        row=row,
        col=2,
    )
    labels = [_shorten(path) for path in classes["path"]]
    figure.update_yaxes(tickvals=list(range(len(classes))), ticktext=labels, autorange="reversed", row=row, col=2)
    # Bars of one document are not to look like the largest.
    longest = classes["n_documents"].to_numpy().max(initial=N_BARS)
    figure.update_xaxes(range=[0, 1.08 * longest], visible=False, row=row, col=2)


def _shorten(path: str) -> str:
    """Return the last two names of a path, cut in front if they are long."""
    label = " > ".join(path.split(" > ")[-2:])
    return label if len(label) <= MAX_LABEL else "…" + label[1 - MAX_LABEL :]


def draw_gcn_map(layout: pd.DataFrame, taxonomy: Taxonomy) -> go.Figure:
    """Return two maps of a sub-hierarchy side by side, before and after graph convolution.

    Args:
        layout: from `gcn.lay_out_map`; the class of depth 0 names the figure.
        taxonomy: for names, and for the edges, drawn as thin lines.
    """
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.03, subplot_titles=("before", "after two layers"))
    root, path = layout.loc[layout["depth"] == 0, ["group", "path"]].iloc[0]
    groups = [root, *dict.fromkeys(layout.loc[layout["group"] != root, "group"])]
    colours = [*qualitative.T10, *qualitative.Dark24]
    for column, when in enumerate(("before", "after"), start=1):
        _add_edges(figure, layout, taxonomy, when, column)
        for number, group in enumerate(groups):
            here = layout[layout["group"] == group]
            figure.add_scatter(
                x=here[f"x_{when}"].round(3).tolist(),
                y=here[f"y_{when}"].round(3).tolist(),
                mode="markers",
                name=taxonomy.spoken_name(taxonomy.index[group]),
                legendgroup=group,
                showlegend=column == 1,
                text=here["path"].tolist(),
                hovertemplate="%{text}<extra></extra>",
                marker={
                    "color": colours[number % len(colours)] if group != root else "#222222",
                    "opacity": 1,
                    "size": [(18, 13, 8)[min(depth, 2)] for depth in here["depth"]],
                    "symbol": ["star" if depth == 0 else "circle" for depth in here["depth"]],
                    "line": {"width": 1, "color": "white"},
                },
                row=1,
                col=column,
            )
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showticklabels=False, showgrid=False, zeroline=False, showline=True, mirror=True, linecolor="#c8ccd0")
    figure.update_layout(
        title=f"Class embeddings of {path}, {len(layout)} classes<br><sub>t-SNE before and after graph convolution; "
        "lines join parents and children, colours tell the children of the top class apart</sub>",
        template="plotly_white",
        margin={"t": 110},
    )
    return figure


def _add_edges(figure: go.Figure, layout: pd.DataFrame, taxonomy: Taxonomy, when: str, column: int) -> None:
    """Draw the edges inside the map as one broken line."""
    places = {taxonomy.index[i]: n for n, i in enumerate(layout["class_id"])}
    ends = [(n, places[p]) for c, n in places.items() for p in taxonomy.parents[c] if p in places]
    line: dict[str, list[float | None]] = {}
    for axis in "xy":
        at = layout[f"{axis}_{when}"].round(3).tolist()
        line[axis] = [value for child, parent in ends for value in (at[parent], at[child], None)]
    figure.add_scatter(
        **line,
        mode="lines",
        line={"color": "#c8ccd0", "width": 0.8},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=column,
    )
