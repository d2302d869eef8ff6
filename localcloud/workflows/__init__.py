"""Google Cloud Workflows for the embedded cloud: deploy-time check, interpreter, executions and the REST services.

Deliberately absent: connectors (`googleapis.*`), Eventarc triggers, customer-managed keys and IAM. A definition that
needs one of them is refused when it is deployed, or the call is refused with the reason; nothing is pretended.
"""

from __future__ import annotations
