"""The classifier as MLflow serves it. MLflow runs this file, which goes with the model: nothing is pickled."""

from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling import HierarchicalClassifier


class ServedClassifier(PythonModel):  # type: ignore[misc]
    """A `HierarchicalClassifier` behind MLflow's interface."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model's directory, encoder and all: the first request need not wait, nor find it damaged."""
        self.classifier = HierarchicalClassifier.load(context.artifacts["classifier"])
        self.classifier.encoder  # noqa: B018

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return one row a document, see `HierarchicalClassifier.predict_frame`.

        Args:
            context: unused, as `load_context` has read what it names.
            model_input: a column `text`.
            params: none are known.

        Raises:
            MlflowException: a text that is none, with its position; the server answers with the message and status 400.
        """
        try:
            return self.classifier.predict_frame(model_input["text"].reset_index(drop=True))
        except InputError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None


set_model(ServedClassifier())
