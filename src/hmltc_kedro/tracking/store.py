"""Where runs are kept: what mlflow.yml says, as kedro-mlflow reads it."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hmltc_kedro.errors import InputError

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Store:
    """The place of the runs of a project.

    Attributes:
        config: kedro-mlflow's, which `kedro mlflow ui` reads too.
        context: Kedro's, of the run.
    """

    config: Any
    context: KedroContext

    def tracks(self, pipelines: list[str]) -> bool:
        """Tell whether any of the pipelines is tracked: not under `disable_tracking` of mlflow.yml."""
        return not set(pipelines or ["__default__"]) <= set(self.config.tracking.disable_tracking.pipelines)

    def open(self) -> str:
        """Connect to the store, make the experiment if it is new, and return its id."""
        self.config.setup(self.context)
        return str(self.config.tracking.experiment._experiment.experiment_id)


def find_store(context: KedroContext) -> Store | None:
    """Return where the runs of a project are kept, without connecting to it.

    It is mlflow.yml's `mlflow_tracking_uri`, or MLFLOW_TRACKING_URI of the environment, or MLflow's own default in the
    project's folder, mlflow.db and mlruns/, where `mlflow ui` looks. None without the extra `mlflow` or mlflow.yml.

    Raises:
        InputError: mlflow.yml says what kedro-mlflow does not know.
    """
    if find_spec("kedro_mlflow") is None:
        if "MLFLOW_TRACKING_URI" in os.environ:  # somebody expects runs there
            logger.warning("MLflow keeps no runs without the package kedro_mlflow; pip install 'hmltc_kedro[mlflow]'")
        return None
    from kedro.config import MissingConfigException
    from kedro_mlflow.config.kedro_mlflow_config import KedroMlflowConfig

    try:
        config = KedroMlflowConfig.model_validate(context.config_loader["mlflow"])
    except MissingConfigException:  # a configuration of before
        return None
    except ValidationError as error:
        problems = [
            f"mlflow.yml, `{'.'.join(map(str, p['loc']))}`: {p['msg']}; correct or remove it" for p in error.errors()
        ]
        raise InputError.from_problems(problems) from error
    root = Path(context.project_path).resolve()
    server, created = config.server, config.tracking.experiment.create_experiment_kwargs
    server.mlflow_tracking_uri = server.mlflow_tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if server.mlflow_tracking_uri is None:
        server.mlflow_tracking_uri = f"sqlite:///{(root / 'mlflow.db').as_posix()}"
        created.artifact_location = created.artifact_location or (root / "mlruns").as_uri()
    context.__setattr__("mlflow", config)  # where the commands of kedro-mlflow look for it
    return Store(config, context)
