"""The runner of `kedro refresh`."""

import logging
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from hmltc_kedro.freshness.tracker import Tracker


class RefreshRunner(SequentialRunner):
    """Runs each node that is not fresh when its turn comes, by what lies on the disk at that moment.

    So a node is left alone where what it reads was made again and came out as it was.

    Attributes:
        ran: why each node ran, in their order.
        fresh: nodes that were fresh from the start.
        unchanged: nodes that depend on something stale, and found what they read as it was.
    """

    def __init__(self) -> None:
        """Begin with no node run."""
        super().__init__()
        self.ran: dict[str, list[str]] = {}
        self.fresh: list[str] = []
        self.unchanged: list[str] = []

    @property
    def _logger(self) -> logging.Logger:
        return logging.getLogger("kedro.runner")

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        """Go through the nodes in their order."""
        tracker = Tracker(pipeline.nodes, catalog)
        uncertain = {state.node for state in tracker.find_states() if state.state != "fresh"}
        for node in pipeline.nodes:
            if reasons := tracker.explain(node):
                self.ran[node.name] = reasons
                Task(node=node, catalog=catalog, hook_manager=hook_manager, is_async=False, run_id=run_id).execute()
            else:
                (self.unchanged if node.name in uncertain else self.fresh).append(node.name)
