"""The classification head: cosine to one learned vector a class, with a learned temperature, and shared words."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.functional import normalize

from hmltc_kedro.modeling.gcn import GraphConvolution
from hmltc_kedro.modeling.trained_head import LEXICAL_TERM, MAX_SCALE, TrainedHead


class CosineHead(nn.Module):
    """logit = cos(x, w_c) / tau + v s(x, c) + b, with 1/tau = exp(`log_scale`), clamped at 100.

    The class vectors start from the class embeddings, so that the untrained classifier is the zero-shot one. s is the
    score of the lexical view (`lexical.LexicalView`), v = exp(`log_lexical`) its learned weight; without a lexical
    view, as in the paper, the term is not there.

    Args:
        class_vectors: shape (C, d); copied.
        temperature: tau at the start; the paper's code has 0.07.
        bias: whether there is an offset, shared by all classes. Without it (the paper) every class begins
            at a probability above one half and training has to push N x C cells down first.
        prior: with `bias`, the probability that the mean cosine of `class_vectors` begins at.
        learn_temperature: whether tau is trained (the paper) or stays as it is.
        lexical_weight: v at the start, or None for a head without the lexical term.
    """

    def __init__(
        self,
        class_vectors: torch.Tensor,
        *,
        temperature: float = 0.07,
        bias: bool = True,
        prior: float = 0.02,
        learn_temperature: bool = True,
        lexical_weight: float | None = None,
    ) -> None:
        """Copy the class vectors; set temperature, offset and lexical weight."""
        super().__init__()
        self.class_vectors = nn.Parameter(class_vectors.detach().clone().float())
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)), requires_grad=learn_temperature)
        offset = math.log(prior / (1 - prior)) if bias else 0.0
        self.bias = nn.Parameter(torch.tensor(offset), requires_grad=bias)
        self.log_lexical: nn.Parameter | None = None
        if lexical_weight is not None:
            self.log_lexical = nn.Parameter(torch.tensor(math.log(max(lexical_weight, 1e-6))))

    def forward(self, documents: torch.Tensor, lexical: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits of shape (n, C).

        Args:
            documents: vectors of shape (n, d).
            lexical: scores of the lexical view, shape (n, C); given exactly if the head has the lexical term.
        """
        cosine = normalize(documents, dim=-1) @ normalize(self.compared_vectors(), dim=-1).T
        logits = cosine * self.log_scale.exp().clamp(max=MAX_SCALE) + self.bias
        if lexical is None and self.log_lexical is None:
            return logits
        if lexical is None or self.log_lexical is None:
            raise ValueError(LEXICAL_TERM)
        return logits + self.log_lexical.exp() * lexical

    def compared_vectors(self) -> torch.Tensor:
        """Return the vectors that documents are compared with, shape (C, d)."""
        return self.class_vectors

    def freeze(self) -> TrainedHead:
        """Return what was learned: the same logits, without gradients and, for a graph, without the graph."""
        vectors = self.compared_vectors().detach().float().cpu().numpy().copy()
        lexical = self.log_lexical.item() if self.log_lexical is not None else None
        return TrainedHead(vectors, self.log_scale.item(), self.bias.item(), lexical)


class GraphHead(CosineHead):
    """A cosine head whose class vectors pass through a graph convolution; both are trained.

    Args:
        class_vectors: shape (C, d); copied.
        graph: over the taxonomy of the C classes.
        options: see `CosineHead`.
    """

    def __init__(self, class_vectors: torch.Tensor, graph: GraphConvolution, **options: Any) -> None:
        """Keep the graph beside the class vectors."""
        super().__init__(class_vectors, **options)
        self.graph = graph

    def compared_vectors(self) -> torch.Tensor:
        """Return GCN(class vectors), shape (C, d), unit length."""
        vectors: torch.Tensor = self.graph(self.class_vectors)
        return vectors
