"""The embedded cloud's provider-side judgement: what the real providers check, name, compare and replace.

Pure functions over the providers' own field tables (`data/`) and the installed SDKs' types. Nothing here knows the
world the cloud keeps; what a service refuses when it is called is the services' business.
"""

from __future__ import annotations

from localcloud.rules.autonaming import autoname, is_autonamed
from localcloud.rules.check import CheckResult, check
from localcloud.rules.diff import Diff, diff
from localcloud.rules.failures import Failure, examine
from localcloud.rules.names import NameRule, check_labels, check_name, check_tags, name_rule
from localcloud.rules.outputs import computed_paths, default_outputs, format_id
from localcloud.rules.refresh import refreshed_inputs
from localcloud.rules.tables import Property, ResourceTable, known, table, tokens

__all__ = [
    "CheckResult",
    "Diff",
    "Failure",
    "NameRule",
    "Property",
    "ResourceTable",
    "autoname",
    "check",
    "check_labels",
    "check_name",
    "check_tags",
    "computed_paths",
    "default_outputs",
    "diff",
    "examine",
    "format_id",
    "is_autonamed",
    "known",
    "name_rule",
    "refreshed_inputs",
    "table",
    "tokens",
]
