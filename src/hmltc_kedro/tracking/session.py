"""A run from its first moment to its place in MLflow: what the hooks call."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hmltc_kedro.tracking.runs import Run, track
from hmltc_kedro.tracking.store import Store, find_store

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol

logger = logging.getLogger(__name__)


class Tracking:
    """Keeps runs in MLflow, where the extra is installed; otherwise it does nothing."""

    def __init__(self) -> None:
        """Begin without a project."""
        self._store: Store | None = None
        self._params: Mapping[str, Any] = {}
        self._began = datetime.now(UTC)

    def find(self, context: KedroContext) -> None:
        """Look where the runs of a project are kept.

        Raises:
            InputError: as `find_store`.
        """
        self._store = find_store(context)

    def begin(self, params: Mapping[str, Any]) -> None:
        """Note the beginning of a run, with Kedro's parameters of it."""
        self._params, self._began = params, datetime.now(UTC)

    def end(self, nodes: Sequence[Any], written: Iterable[str], catalog: CatalogProtocol[Any, Any]) -> list[str]:
        """Keep the run, which is done whatever happens here.

        Args:
            nodes: of its pipelines.
            written: the entries it wrote.
            catalog: of its entries.

        Returns:
            Lines for people, see `track`.
        """
        if self._store is None:
            return []
        try:
            return track(self._store, Run(self._began, self._params, nodes, set(written)), catalog)
        except Exception as error:
            reason = re.sub(r"//[^/@\s]+@", "//***@", " ".join(str(error).split()))  # a login in an address
            logger.warning("MLflow has not kept this run (%s)", reason)
            return []
