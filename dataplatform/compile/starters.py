"""The workflow between an event and a pipeline: it makes the run's argument of the event and starts the pipeline.

What starts a pipeline hands over what it has: Eventarc a CloudEvent, Cloud Scheduler a text that is the same each time.
A compiled pipeline takes dates and parameters. Neither knows the other's form, so a starter stands between them.

A schedule needs one only for its time zone: without dates a pipeline takes today and the day before in UTC, and a
scheduled run's dates are days of the schedule's zone, on Airflow as here.

Shapes of the events: https://cloud.google.com/storage/docs/pubsub-notifications and
https://cloud.google.com/eventarc/standard/docs/workflows/cloudevents
The entry of an audit log: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from dataplatform.compile.yaml_text import dump
from dataplatform.config.options import Trigger

CREATE = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions.create"
UTC = ("UTC", "Etc/UTC")

Data = dict[str, object]

_FILE_FIELDS: Mapping[str, str] = {
    "bucket": "${attributes.bucketId}",
    "content_type": '${map.get(object, "contentType")}',
    "date": "${text.substring(attributes.eventTime, 0, 10)}",
    "generation": "${attributes.objectGeneration}",
    "name": "${attributes.objectId}",
    "size": '${map.get(object, "size")}',
    "time": "${attributes.eventTime}",
    "uri": '${"gs://" + attributes.bucketId + "/" + attributes.objectId}',
}
_MESSAGE_FIELDS: Mapping[str, str] = {
    "data": "${data}",
    "date": "${text.substring(message.publishTime, 0, 10)}",
    "id": "${message.messageId}",
    "time": "${message.publishTime}",
}
_AUDIT_FIELDS: Mapping[str, str] = {
    "caller": '${map.get(payload, ["authenticationInfo", "principalEmail"])}',
    "date": "${text.substring(event.time, 0, 10)}",
    "id": "${event.id}",
    "method": "${payload.methodName}",
    "resource": '${map.get(payload, "resourceName")}',
    "service": "${payload.serviceName}",
    "time": "${event.time}",
}


def needs_starter(timezone: str) -> bool:
    """Whether a schedule of that time zone needs a starter."""
    return timezone not in UTC


def schedule_starter(workflow_id: str, timezone: str, source: str) -> str:
    """The workflow that starts a pipeline with the dates of a schedule's time zone.

    Args:
        workflow_id: Of the pipeline's workflow, in the same project and region.
        timezone: Name of the IANA database.
        source: File of the definition.
    """
    # The day before is taken at noon: days of a zone have 23 to 25 hours.
    now = f"${{text.substring(time.format(sys.now(), {_quoted(timezone)}), 0, 10)}}"
    before = '${text.substring(time.format(time.parse(today + "T12:00:00Z") - 86400), 0, 10)}'
    steps: list[Data] = [
        {"days": {"assign": [{"today": now}, {"yesterday": before}]}},
        {
            "values": {
                "assign": [{"argument": {"query_variables": {"start_date": "${yesterday}", "end_date": "${today}"}}}]
            }
        },
    ]
    return _text(workflow_id, source, [], steps)


def event_starter(workflow_id: str, trigger: Trigger, source: str) -> str:
    """The workflow that starts a pipeline with what an event says.

    Args:
        workflow_id: Of the pipeline's workflow, in the same project and region.
        trigger: Which fields of the event the run is given.
        source: File of the definition.
    """
    fields = [name for _, name in (*trigger.parameters, *trigger.query_variables)]
    read: list[Data] = [{"message": "${event.data.message}"}]
    if trigger.service is not None:
        read = [{"payload": "${event.data.protoPayload}"}]
    elif trigger.zone is not None:
        read.append({"attributes": "${message.attributes}"})
        if {"content_type", "size"} & set(fields):
            read.append({"object": "${json.decode(base64.decode(message.data))}"})
    else:
        if any(name.startswith("attributes.") for name in fields):
            read.append({"attributes": '${default(map.get(message, "attributes"), {})}'})
        if any(name == "data" or name.startswith("data.") for name in fields):
            read.append({"data": '${text.decode(base64.decode(default(map.get(message, "data"), "")))}'})
        if any(name.startswith("data.") for name in fields):
            read.append({"object": "${json.decode(data)}"})
    argument: Data = {
        "query_variables": {name: _field(trigger, field) for name, field in trigger.query_variables},
        "parameters": {name: _field(trigger, field) for name, field in trigger.parameters},
    }
    given: list[Data] = [{"argument": {key: value for key, value in argument.items() if value}}]
    return _text(workflow_id, source, ["event"], [{"read": {"assign": read}}, {"values": {"assign": given}}])


def _field(trigger: Trigger, field: str) -> str:
    fields = _FILE_FIELDS if trigger.zone is not None else _MESSAGE_FIELDS
    if trigger.service is not None:
        fields = _AUDIT_FIELDS
    if field in fields:
        return fields[field]
    inside, _, name = field.partition(".")
    return f"${{map.get({'attributes' if inside == 'attributes' else 'object'}, {_quoted(name)})}}"


def _text(workflow_id: str, source: str, params: list[str], steps: list[Data]) -> str:
    home = '"projects/" + sys.get_env("GOOGLE_CLOUD_PROJECT_ID") + "/locations/" + sys.get_env("GOOGLE_CLOUD_LOCATION")'
    start: Data = {
        "call": CREATE,
        "args": {
            "parent": f"${{{home} + {_quoted(f'/workflows/{workflow_id}')}}}",
            "body": {"argument": "${json.encode_to_string(argument)}"},
        },
        "result": "execution",
    }
    main: Data = {
        **({"params": params} if params else {}),
        "steps": [*steps, {"start": start}, {"done": {"return": "${execution.name}"}}],
    }
    heading = f"# Starts the pipeline that is compiled from {json.dumps(source)}\n"
    heading += "# Changes belong into the definition: this text is overwritten.\n"
    return heading + dump({"main": main})


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
