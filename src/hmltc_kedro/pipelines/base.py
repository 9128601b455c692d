"""What the parameter models of all stages share."""

from pydantic import BaseModel, ConfigDict


class StageParams(BaseModel):
    """A stage's parameters: an unknown key is an error, before anything runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
