"""The codes of diagnostics, with what each of them means.

A code never changes its meaning and is never used again for another; documentation is rendered from this table.
DP1xx is about documents (bytes, YAML, JSON) and the shape every document shares, DP2xx about stack files,
DP3xx about pipeline definitions, DP4xx about what they compile to.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

CODES: Final = MappingProxyType(
    {
        # Documents
        "DP101": "A file cannot be read: it is missing, is a directory, or permission is denied",
        "DP102": "A file is not UTF-8 text",
        "DP103": "A text holds a character that cannot be kept: a control character, NUL or half of a surrogate pair",
        "DP104": "A file is larger, or holds more values, than a file written by hand can be",
        "DP105": "A document is nested too deeply",
        "DP106": "A file is empty",
        "DP107": "A YAML file holds several documents",
        "DP108": "A file is not well-formed YAML",
        "DP109": "A file is not well-formed JSON",
        "DP110": "A tab is used for indentation in YAML",
        "DP111": "A key is given twice in one mapping",
        "DP112": "A key is not text",
        "DP113": "An unquoted YAML value means different things to different YAML readers",
        "DP114": "A YAML anchor, alias or merge key is used",
        "DP115": "A YAML tag is used",
        "DP116": "A number is out of range or is not a number",
        "DP117": "A file has so many mistakes that not all of them are shown",
        "DP120": "A key is not known at its place",
        "DP121": "A required key is missing",
        "DP122": "A value is of the wrong type",
        "DP123": "A value is not one of those allowed",
        "DP124": "A value has not the form it must have",
        "DP125": "A number, or a length, is out of its range",
        # Stack files
        "DP201": "There is no stack of that name",
        "DP202": "There is no stack at all in the project",
        "DP203": "A top-level key of a stack file is not one of Pulumi's",
        "DP204": "A stack file has no data-platform:platform",
        "DP205": "A configuration key of our namespace is not declared as a secret",
        "DP206": "A declared secret has no value in the stack file",
        "DP207": "A secret stands in plain text where an encrypted value must be",
        "DP208": "A configuration key is not of the form namespace:key",
        "DP209": "A provider's configuration contradicts the platform",
        "DP210": "A region or location does not exist",
        "DP211": "The network of the Data Fusion instance is incomplete or contradicts itself",
        "DP212": "A setting does not belong to the Composer generation, or the environment's network is incomplete",
        "DP213": "Composer does not accept an environment variable, an Airflow override or a package as it is written",
        "DP214": "Two address ranges overlap",
        "DP215": "The settings of a lake zone contradict each other, or the lake has no zone",
        "DP216": "The stack has pipelines and nothing that could run them",
        "DP217": "Two stacks share an environment name in one place, so that their resources would collide",
        "DP218": "A setting needs a part that the stack does not have",
        "DP219": "A plain-text secret stands in the configuration",
        "DP220": "A project's Pulumi.yaml is missing or is not ours",
        "DP221": "A name is longer than the service allows",
        # Definitions
        "DP301": "The pipelines folder is missing or is not a folder",
        "DP302": "The pipelines folder holds no definition",
        "DP303": "A path leads out of the project",
        "DP304": "A file in the pipelines folder is not a definition",
        "DP305": "A definition's file name cannot be used as the name of a pipeline",
        "DP306": "Two definitions have one name",
        "DP307": "LEVEL_IDs are not consecutive numbers in the order of the levels",
        "DP308": "A THREAD_ID is used twice in one level",
        "DP309": "A JOB_ID is used twice in one pipeline",
        "DP310": "A step name (JOB_NAME) is used twice in one pipeline",
        "DP311": "An executor is not known",
        "DP312": "A key or value of the AEF format is not supported",
        "DP313": "STEP_PROPERTIES is not a JSON object",
        "DP314": "Two keys of a step contradict each other",
        "DP315": "A step's timeout is shorter than its first wait, so it could only fail",
        "DP316": "LAST_STEP stands on a step that is not the last",
        "DP317": "A placeholder has not been filled in",
        "DP318": "A plain-text secret stands in a definition or in a job parameter file",
        "DP319": "A job parameter file lies among the definitions",
        "DP320": "A level, a thread or a definition is empty",
        "DP321": "A step names no executor",
        "DP322": "NEXT names a step that is not the one that follows",
        "DP323": "A step of TYPE workflows names a pipeline that is not there, or pipelines run each other in a circle",
        "DP324": "A schedule is not one: its cron expression or its time zone is wrong",
        "DP325": "A parameter of a pipeline is wrong: its name, its default, or the stack's value for it",
        "DP326": "A reference ($kind:name) names nothing that is known, or stands where it cannot be resolved",
        "DP327": "A job parameter file lacks a key, has one too many, or has a value of the wrong type",
        "DP328": "A schedule stands in a definition of a stack that has nothing to keep it",
        # Compilation
        "DP401": "A pipeline exceeds a limit of Cloud Workflows",
        "DP402": "The name of a workflow or a DAG would be longer than its service allows",
        "DP403": "A stack has no cloud that a pipeline could be compiled for",
        "DP404": "An engine has no way to run a step of this kind",
        "DP451": "Compiled files cannot be written where they were asked for: a name is used twice or leads elsewhere",
    }
)
"""Code → one line of meaning."""
