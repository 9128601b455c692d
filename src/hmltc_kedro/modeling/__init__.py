"""The classifier and how it is trained."""

from hmltc_kedro.modeling.classifier import HierarchicalClassifier, Prediction

__all__ = ["HierarchicalClassifier", "Prediction"]
