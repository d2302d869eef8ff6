"""Google Cloud Workflows for the embedded cloud: deploy-time check, interpreter, executions and the REST services.

Deliberately absent: Eventarc triggers, customer-managed keys and IAM. Connectors (`googleapis.*`) are calls of the APIs
they stand for: those of Workflows are answered here, any other needs a route to something that answers; without one the
call fails with the reason, nothing is pretended.
"""

from __future__ import annotations
