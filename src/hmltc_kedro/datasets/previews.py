"""What the datasets show of themselves in Kedro-Viz."""

from __future__ import annotations

import functools
import html
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hmltc_kedro.display import flatten, shorten

if TYPE_CHECKING:
    import pandas as pd
    from kedro.io import AbstractDataset
    from kedro_datasets._typing import TablePreview

T = TypeVar("T")

MAX_CELL = 300
"""Characters of a text that a preview shows; documents may be long."""


def only_if_made(show: Callable[..., T]) -> Callable[..., T]:
    """Let a dataset's preview be None, without Kedro-Viz' warning, as long as nothing has made the entry."""

    @functools.wraps(show)  # Kedro-Viz reads the type of a preview from its signature
    def wrapper(self: AbstractDataset[Any, Any], *args: Any, **kwargs: Any) -> Any:
        return show(self, *args, **kwargs) if self.exists() else None

    return wrapper


def preview_frame(frame: pd.DataFrame) -> TablePreview:
    """Return all rows of a frame for Kedro-Viz."""
    return _make_table(map(str, frame.columns), frame.itertuples(index=False))


def preview_settings(values: Mapping[str, Any]) -> TablePreview:
    """Return nested settings or numbers for Kedro-Viz: one row a value, keys joined by dots."""
    return _make_table(["name", "value"], ((name, _list_values(value)) for name, value in flatten(values)))


def preview_page(page: str, address: str) -> TablePreview:
    """Return a page of HTML for Kedro-Viz: its title, the figures of its tiles, its sections and where it lies."""
    tiles = re.findall(r"<li><b>(.*?)</b>(.*?)</li>", page)
    sections = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    rows = [("title", "".join(re.findall(r"<h1[^>]*>(.*?)</h1>", page)[:1])), *((name, value) for value, name in tiles)]
    rows += [("sections", ", ".join(sections)), ("open", address)]
    return _make_table(["name", "value"], ((_strip(name), _strip(value)) for name, value in rows))


def _strip(text: str) -> str:
    """Return HTML as the text that it shows."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


def _make_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> TablePreview:
    data = [[_plain(value) for value in row] for row in rows]
    return {"index": list(range(len(data))), "columns": list(columns), "data": data}


def _list_values(value: Any) -> Any:
    """Return a list of mappings as a list of texts; anything else as it is."""
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return [", ".join(map(str, item.values())) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Return a cell as JSON takes it and a table shows it: arrays as lists, long texts cut, four digits."""
    if isinstance(value, np.ndarray | list):
        return [_plain(v) for v in value]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):  # NaN and infinity are no JSON
        return float(f"{value:.4g}") if math.isfinite(value) else None if math.isnan(value) else str(value)
    return shorten(value, MAX_CELL, "…") if isinstance(value, str) else value
