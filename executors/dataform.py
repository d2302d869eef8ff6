"""`dataform-tag-executor`: the actions of a Dataform repository that have one of some tags."""

from __future__ import annotations

from executors.contract import Call, ExecutorError
from executors.http import Api, segment
from executors.jobs import merged

NAME = "dataform-tag-executor"
_PREFIX = "aef-"


def run(call: Call) -> str:
    """Start the invocation and return `aef-projects/…/workflowInvocations/…`, or return its state."""
    api = Api("dataform")
    if call.job_id is not None:
        name = call.job_id.removeprefix(_PREFIX)
        if not name.startswith("projects/") or "/workflowInvocations/" not in name:
            raise ExecutorError("the job's id is none of an invocation")
        return str(api.get(f"v1beta1/{name}").get("state", ""))
    call = merged(call, NAME)
    tags = call.properties.get("tags")
    if not isinstance(tags, list) or not tags or not all(isinstance(tag, str) for tag in tags):
        raise ExecutorError("the property tags is not a list of texts")
    home = (
        f"v1beta1/projects/{segment(call.text('dataform_project_id'))}/locations/{segment(call.text('dataform_location'))}"
        f"/repositories/{segment(call.text('repository_name'))}"
    )
    compiled = api.post(
        f"{home}/compilationResults",
        {
            "gitCommitish": call.text("branch", "main"),
            "codeCompilationConfig": {"vars": dict(sorted(call.variables.items()))},
        },
    )
    errors = compiled.get("compilationErrors") or []
    if errors:
        raise ExecutorError(f"the repository does not compile: {errors[0].get('message', '')}")
    made = api.post(
        f"{home}/workflowInvocations",
        {"compilationResult": compiled["name"], "invocationConfig": {"includedTags": tags}},
    )
    return _PREFIX + str(made["name"])
