"""What of the Data Fusion folder a stack brings to its instance, with the values of its environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import SecretName

NamespaceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$")]
"""A CDAP namespace; `system` stands for what belongs to the instance as a whole."""
MacroName = Annotated[str, Field(pattern=r"^[^\s${}()]+$")]
"""A macro, without `${` and `}`."""
SecureKeyName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,250}$")]
MappingName = Annotated[str, Field(pattern=r"^mapping[A-Za-z0-9._-]*\.ya?ml$")]


class FusionDeployment(Model):
    """What of `data_fusion/` in the pipelines folder is brought to the instance."""

    namespaces: list[NamespaceName] = []
    """Namespaces to bring, and `system` for what belongs to the instance; all that the folder has where left out."""
    mapping: MappingName | None = None
    """A mapping file in the folder, as `dp datafusion pull` and `push` take it."""
    values: dict[MacroName, str] = {}
    """Values of macros in this environment; they go before those of the mapping, and may hold `$bucket:landing`."""
    runtime: list[MacroName] = []
    """Macros that whoever starts a pipeline gives."""
    secure_keys: dict[NamespaceName, dict[SecureKeyName, SecretName]] = {}
    """By namespace: secure keys, and the secret of the stack (`gcp.secrets`) that each has its value from."""
