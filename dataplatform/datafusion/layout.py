"""Where each object lies below the folder of exports, and what its file must hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from dataplatform.config.plaintext import reference, secret_key, secret_shape
from dataplatform.datafusion import normalise
from dataplatform.datafusion.model import PIPELINE_ARTIFACTS, Json, Key, Kind
from dataplatform.datafusion.names import file_names
from dataplatform.datafusion.shapes import misshapen, misshapen_pipeline

DEFAULT_FOLDER = "pipelines/data_fusion"
SINGLE = {
    Kind.NAMESPACE: "namespace.json",
    Kind.PREFERENCES: "preferences.json",
    Kind.SECURE_KEYS: "secure_keys.json",
}
FOLDERS = {
    Kind.ARTIFACT: "artifacts",
    Kind.PROFILE: "profiles",
    Kind.CONNECTION: "connections",
    Kind.PIPELINE: "pipelines",
    Kind.PIPELINE_PREFERENCES: "preferences",
    Kind.RUNTIME_ARGUMENTS: "runtime_arguments",
    Kind.SCHEDULE: "schedules",
    Kind.TRIGGER: "triggers",
    Kind.DRAFT: "drafts",
    Kind.VERSION: "versions",
}
KIND_OF_FOLDER = {folder: kind for kind, folder in FOLDERS.items()}
KIND_OF_FILE = {file: kind for kind, file in SINGLE.items()}

_IDENTITY = {
    Kind.ARTIFACT: ("name", "version"),
    Kind.PROFILE: ("name", ""),
    Kind.CONNECTION: ("name", ""),
    Kind.PIPELINE: ("name", ""),
    Kind.PIPELINE_PREFERENCES: ("pipeline", ""),
    Kind.RUNTIME_ARGUMENTS: ("pipeline", ""),
    Kind.SCHEDULE: ("pipeline", "name"),
    Kind.TRIGGER: ("pipeline", "name"),
    Kind.DRAFT: ("name", "id"),
    Kind.VERSION: ("name", "version"),
}
_OBJECTS: dict[Kind, tuple[str, ...]] = {
    Kind.PREFERENCES: ("preferences",),
    Kind.PIPELINE_PREFERENCES: ("preferences",),
    Kind.RUNTIME_ARGUMENTS: ("arguments",),
    Kind.PROFILE: ("provisioner",),
    Kind.CONNECTION: ("plugin",),
    Kind.PIPELINE: ("artifact",),
    Kind.DRAFT: ("artifact",),
}
Problem = tuple[str, tuple[str | int, ...], str, str]
"""Code, path in the document, what is wrong, what would be right."""


def paths(keys: Iterable[Key]) -> dict[Key, PurePosixPath]:
    """The file of every object, relative to the folder of exports. All objects of a folder must be told at once."""
    keys = sorted(keys)
    spaces = file_names((key.namespace,) for key in keys)
    folders: dict[tuple[str, Kind], list[Key]] = {}
    for key in keys:
        folders.setdefault((key.namespace, key.kind), []).append(key)
    found = {}
    for (namespace, kind), group in folders.items():
        space = PurePosixPath(spaces[(namespace,)])
        if kind in SINGLE:
            found[group[0]] = space / SINGLE[kind]
            continue
        names = file_names(_file_identity(key) for key in group)
        for key in group:
            found[key] = space / FOLDERS[kind] / f"{names[_file_identity(key)]}.json"
    return found


def _file_identity(key: Key) -> tuple[str, ...]:
    return (key.name, key.part) if key.part and key.part != key.name else (key.name,)


def key_of(namespace: str, kind: Kind, body: Json) -> Key:
    """Which object a file holds."""
    name, part = _IDENTITY.get(kind, ("", ""))
    return Key(
        namespace=namespace, kind=kind, name=str(body[name]) if name else "", part=str(body[part]) if part else ""
    )


def normalised(kind: Kind, body: Json) -> Json:
    """A file's object in the one form; the same functions that are used for what the instance answers."""
    if kind in (Kind.PIPELINE, Kind.VERSION):
        made = normalise.pipeline(body)
        return {**made, "version": body["version"]} if kind == Kind.VERSION else made
    if kind in (Kind.SCHEDULE, Kind.TRIGGER):
        return normalise.schedule(body)
    if kind in (Kind.PIPELINE_PREFERENCES, Kind.RUNTIME_ARGUMENTS, Kind.PREFERENCES):
        field = _OBJECTS[kind][0]
        return {k: body[k] for k in ("pipeline",) if k in body} | {field: normalise.texts(body[field])}
    if kind == Kind.SECURE_KEYS:
        return {"keys": sorted((normalise.values(k) for k in body["keys"]), key=lambda k: str(k["name"]))}
    simple = {
        Kind.NAMESPACE: normalise.namespace,
        Kind.PROFILE: normalise.profile,
        Kind.CONNECTION: normalise.connection,
        Kind.DRAFT: normalise.draft,
        Kind.ARTIFACT: normalise.artifact,
    }
    return simple[kind](body)


def problems(kind: Kind, body: object) -> list[Problem]:
    """What is wrong with the form of a file."""
    if not isinstance(body, dict):
        return [("DP602", (), f"a {kind} is an object", "write { … }, or take the file from dp datafusion pull")]
    named = [f for f in (*_IDENTITY.get(kind, ()), *(("name",) if kind == Kind.NAMESPACE else ())) if f]
    found: list[Problem] = [
        ("DP602", (field,), f"a {kind} has no {field}", f'add "{field}": "…"')
        for field in named
        if not isinstance(body.get(field), str) or not body[field]
    ]
    found += [
        ("DP602", (field,), f"'{field}' of a {kind} is an object", f'write "{field}": {{ … }}')
        for field in _OBJECTS.get(kind, ())
        if not isinstance(body.get(field), dict)
    ]
    if found:
        return found
    if kind in (Kind.PIPELINE, Kind.VERSION):
        return _pipeline_problems(body)
    if kind == Kind.SECURE_KEYS and not (
        isinstance(body.get("keys"), list) and all(isinstance(k, dict) and "name" in k for k in body["keys"])
    ):
        return [("DP602", ("keys",), "'keys' is a list of objects with a name", 'write "keys": [{"name": "…"}]')]
    return misshapen(kind, body) or _open_secrets(body, ())


def _pipeline_problems(body: Json) -> list[Problem]:
    found: list[Problem] = []
    artifact = body.get("artifact") or {}
    for field in ("name", "version", "scope"):
        if not isinstance(artifact.get(field), str) or not artifact[field]:
            what = f"the pipeline's artifact has no {field}"
            found.append(("DP602", ("artifact", field), what, f'add "{field}", as the export of a pipeline has it'))
    if "config" not in body and "configuration" not in body:
        found.append(("DP602", (), "a pipeline has no config", 'add "config": { … }, or export the pipeline again'))
        return found
    try:
        config = body.get("config", body.get("configuration"))
        if not isinstance(config, dict):
            config = normalise.pipeline(body)["config"]
    except (ValueError, TypeError, OverflowError) as problem:
        field = "config" if "config" in body else "configuration"
        found.append(("DP602", (field,), f"'{field}' is not a configuration ({problem})", "export the pipeline again"))
        return found
    stages = config.get("stages", [])
    if not isinstance(stages, list):
        return [*found, ("DP602", ("config", "stages"), "'stages' is a list", "write [ … ]")]
    names: set[str] = set()
    for i, stage in enumerate(stages):
        plugin = stage.get("plugin") if isinstance(stage, dict) else None
        if not isinstance(stage, dict) or not isinstance(stage.get("name"), str) or not isinstance(plugin, dict):
            found.append(("DP602", ("config", "stages", i), "a stage has a name and a plugin", "export it again"))
            continue
        if stage["name"] in names:
            what = f"two stages are called '{stage['name']}'"
            found.append(("DP602", ("config", "stages", i), what, "give one of them another name"))
        names.add(stage["name"])
    if not found and artifact["name"] in PIPELINE_ARTIFACTS:
        whole = isinstance(body.get("config"), dict)
        shaped = misshapen_pipeline(config, ("config",) if whole else ())
        # Inside of a text nothing has a place of its own.
        field = "config" if "config" in body else "configuration"
        found += shaped if whole else [(code, (field,), what, right) for code, _, what, right in shaped]
    if isinstance(body.get("config"), dict):
        found += _open_secrets(body["config"], ("config",))
    return found


def _open_secrets(value: object, path: tuple[str | int, ...]) -> list[Problem]:
    found: list[Problem] = []
    if isinstance(value, dict):
        name = value.get("name")
        for key, child in value.items():
            # Of profiles the properties are a list of {name, value}.
            said = name if key == "value" and isinstance(name, str) else str(key)
            if isinstance(child, str) and is_secret(said, child):
                found.append(
                    (
                        "DP603",
                        (*path, key),
                        "a secret stands in plain text",
                        "keep it as a secure key of the namespace and write ${secure(KEY)} here",
                    )
                )
            else:
                found += _open_secrets(child, (*path, key))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            found += _open_secrets(child, (*path, i))
    return found


def is_secret(name: str, text: str) -> bool:
    """Whether a property of that name with that text gives a secret away."""
    if not text or "${" in text or reference(text):
        return False
    return secret_shape(text) is not None or secret_key(name) or name.lower().replace("_", "") in _SECRET_PROPERTIES


_SECRET_PROPERTIES = frozenset({"accesskey", "accountkey", "serviceaccountjson", "sshkey", "privatekey", "secretkey"})
