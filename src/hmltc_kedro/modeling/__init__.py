"""The classifier and how it is trained."""

from hmltc_kedro.modeling.classifier import HierarchicalClassifier
from hmltc_kedro.modeling.predictions import Prediction, Predictions

__all__ = ["HierarchicalClassifier", "Prediction", "Predictions"]
