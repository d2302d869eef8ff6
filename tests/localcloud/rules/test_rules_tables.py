"""Every resource and property of the tables, by generated values: nothing in the data goes unused or unanswered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from localcloud.rules import check, compare, diff, limits, sdk, table, tokens, validators
from localcloud.rules.diff import changes
from localcloud.rules.paths import get, parse, render
from localcloud.rules.tables import Property, ResourceTable
from localcloud.rules.wire import Path

# Decided by value in `conditional`, and tested there; two switches of the client alone that compare as equal.
BY_VALUE = {
    ("gcp:composer/environment:Environment", "config.nodeConfig.network"),
    ("gcp:composer/environment:Environment", "config.nodeConfig.subnetwork"),
    ("gcp:compute/disk:Disk", "size"),
    ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange"),
    ("gcp:vpcaccess/connector:Connector", "minInstances"),
    ("gcp:vpcaccess/connector:Connector", "maxInstances"),
    ("gcp:sql/databaseInstance:DatabaseInstance", "settings.diskSize"),
    ("gcp:sql/databaseInstance:DatabaseInstance", "masterInstanceName"),
    ("gcp:bigquery/table:Table", "schema"),
    ("gcp:storage/bucket:Bucket", "retentionPolicy.isLocked"),
    ("databricks:index/catalog:Catalog", "options"),
}

# One text each pattern of the tables accepts.
FITTING = (
    "alpha",
    "projects/acme-data/global/networks/net",
    "https://www.googleapis.com/compute/v1/projects/acme-data/global/networks/net",
    "projects/acme-data/serviceAccounts/runner@acme-data.iam.gserviceaccount.com",
    "runner@acme-data.iam.gserviceaccount.com",
    "composer-3-airflow-2.10.5",
    "300s",
    "folder/",
    "ABC",
    "11111111-2222-3333-4444-555555555555",
    "/subscriptions/11111111-2222-3333-4444-555555555555",
    "PT5M",
)

# validator_text family (a part of it) -> a text it accepts and one it refuses.
FAMILIES: dict[str, tuple[Any, Any]] = {
    "empty string or whitespace": ("x", " "),
    "valid UUID": ("11111111-2222-3333-4444-555555555555", "1111"),
    "IAM members must have": ("user:jane@example.com", "jane"),
    "RFC3339": ("2026-11-21T10:00:00Z", "2026-11-21"),
    "URI has no host": ("https://example.com/a", "example"),
    "to be a base64 string": ("aGVsbG8=", "a!b"),
    "could not decode FIELD as a valid base64": ("aGVsbG8=", "a!b"),
    "Failed to decode (base64)": ("aGVsbG8=", "a!b"),
    "parsing the Application ID": ("/applications/11111111-2222-3333-4444-555555555555", "applications"),
    "parsing the ServicePrincipal ID": ("/servicePrincipals/11111111-2222-3333-4444-555555555555", "x"),
    '"schema" is not a JSON array': ('[{"name":"id","type":"STRING"}]', '{"name":"id"}'),
    "contains an invalid JSON": ('{"a":1}', "{a}"),
    "Could not unmarshal policy data": ('{"bindings":[]}', "x"),
    "File __probe__ does not exist": (__file__, "/no/such/file"),
    "Path must not be empty": ("/a", ""),
    "may not exceed 128 characters": ("a-b_c.d", "a b"),
    "valid IPv4 address": ("10.0.0.0/8", "10.0.0"),
    "is not a valid IP CIDR range": ("fd20::/48", "10.0.0.1"),
    "to be a valid CIDR Value": ("10.0.0.0/8", "10.0.0.1"),
    "Invalid CIDR range": ("100.64.0.0/20", "100.64.0.0/21"),
    "ARN type associated": ("arn:aws:iam::123456789012:instance-profile/p", "p"),
    "Value must be between 0-249": ("read.all", "read all"),
    "or underscores (_)": ("my_data", "my-data"),
    "3600000 milliseconds": (3600000, 3599999),
    "RFC6996": (64512, 65535),
    "cannot be longer than 55 characters": ("etl-1", "Etl"),
    "doesn't end with": ("a.example.com.", "a.example.com"),
    "or end in '.svc.id.goog'": ("github", "gcp-github"),
    "FIELD cannot be smaller than 4 characters": ("github", "git"),
    "Invalid rotation period": ("7776000s", "86399s"),
    "name must be 4 to 30": ("Acme data", "abc"),
    "project_id must be 6 to 30": ("acme-data", "Acme"),
    "to be a domain like": ("run.googleapis.com", "run"),
    "is an invalid label key": ({"team": "data"}, {"Team": "data"}),
    "Role entity pairs": ("OWNER:user-jane@example.com", "OWNER"),
    "does not start with '//pubsub": ("projects/p/topics/t", "//pubsub.googleapis.com/projects/p/topics/t"),
    "Name should match regex": ("init", ""),
    "Value must be one of: 1, 2": (2, 3),
    "Value cannot contain these characters": ("data-team", "data team"),
    "well-formed language": ("en-GB", "e"),
    "valid email address": ("jane@example.com", "jane"),
    "env_variable": ({"ENV": "dev"}, {"SQL_USER": "x"}),
    "PYPI package": ({"requests": "==2.32.0"}, {"Requests": ""}),
    "to have a host": ("https://github.com/a/b", "github"),
    "must be between 6 and 30 characters long": ("runner-1", "abc"),
    "must be between 1 and 63 characters long": ("vm-1", "x" * 64),
    "must be between 2 and 63 characters long": ("nat-1", "x"),
    "to not be an empty string, got": ("x", ""),
}


def family(prop: Property | None, facts: Any) -> tuple[Any, Any] | None:
    text = facts.get("validator_text")
    return None if not text else next((pair for part, pair in FAMILIES.items() if part in text), None)


def scalar(facts: Any, kind: str, second: bool) -> Any:
    """Two different values the table accepts."""
    if facts.get("enum"):
        members = [member for member in facts["enum"] if member != ""]
        return members[-1 if second else 0]
    known = family(None, facts)
    if known is not None and not second:
        return known[0]
    if kind == "bool":
        return not second
    if kind in ("int", "number", "float"):
        low = float(facts["range"][0]) if facts.get("range") else float(facts.get("min", facts.get("max", 11)))
        value = low + (1 if second and not facts.get("max") else 0)
        return int(value) if kind == "int" else value
    pattern = facts.get("pattern")
    if pattern and not second:
        return next((text for text in FITTING if re.search(pattern, text)), "alpha")
    return "bravo" if second else "a" * max(5, int(facts.get("minLength", 0)))


def value_of(prop: Property, second: bool = False) -> Any:
    kind = prop.type
    if prop.is_list or prop.is_map:
        inner = kind[kind.index("<") + 1 : -1]
        facts = {
            **{k: v for k, v in prop.facts.items() if k in ("validator_text", "rejectsEmpty")},
            **(prop.facts.get("element") or {}),
        }
        if prop.is_map:
            pair = family(prop, prop.facts)
            return pair[0] if pair and isinstance(pair[0], dict) and not second else {"key": scalar({}, inner, second)}
        return [scalar(facts, inner, second)]
    return scalar(prop.facts, kind, second)


def nest(resource: ResourceTable, path: str, value: Any) -> tuple[dict[str, Any], Path]:
    """Inputs that hold one value at a table path, and its place."""
    steps: list[str | int] = []
    for step in path.split("."):
        steps.append(step.removesuffix("[]").removesuffix("{}"))
        if step.endswith("[]"):
            steps.append(0)
        elif step.endswith("{}"):
            steps.append("key")
    result = value
    for at in reversed(steps):
        result = [result] if isinstance(at, int) else {at: result}
    assert isinstance(result, dict)
    return result, tuple(steps)


def settable() -> Iterator[tuple[ResourceTable, Property]]:
    """Every property a program can set that is not a block."""
    for token in tokens():
        resource = table(token)
        hidden = tuple(path for path, prop in resource.properties.items() if prop.output_only)
        for path, prop in resource.properties.items():
            below = any(path == top or path.startswith((f"{top}.", f"{top}[]")) for top in hidden)
            if not below and prop.type != "object" and not prop.type.endswith("<object>"):
                yield resource, prop


def test_every_resource_and_property_is_in_the_installed_sdk() -> None:
    wrong = []
    count = 0
    for token in tokens():
        resource = table(token)
        owners = [sdk.args_class(token)]
        for path in resource.properties:
            parents = [
                ".".join(path.split(".")[:at]).removesuffix("[]").removesuffix("{}")
                for at in range(1, path.count(".") + 2)
            ]
            if any(resource.properties[parent].output_only for parent in parents if parent in resource.properties):
                top = parents[0]
                if top not in sdk.outputs(token) and top not in sdk.fields(owners[0]):
                    wrong.append((token, path))
                continue
            count += 1
            if not _in_args(owners, path):
                wrong.append((token, path))
    assert not wrong, "\n".join(map(str, wrong))
    assert count > 6000


def _in_args(owners: list[type], path: str) -> bool:
    for step in path.split("."):
        name = step.removesuffix("[]").removesuffix("{}")
        found = [sdk.fields(owner)[name] for owner in owners if name in sdk.fields(owner)]
        if not found:
            return False
        owners = []
        for field in found:
            shape = field.shape
            while shape.items is not None:
                shape = shape.items
            if shape.values is not None and not shape.objects:
                shape = shape.values
            owners += shape.objects
    return True


def test_a_change_of_each_property_alone_replaces_or_updates_as_its_table_says() -> None:
    wrong = []
    counts = {True: 0, False: 0}
    for resource, prop in settable():
        if (
            (resource.token, prop.path) in BY_VALUE
            or prop.facts.get("writeOnly")
            or prop.facts.get("diffSuppress") == "compute.AlwaysDiffSuppress"
        ):
            continue
        if prop.facts.get("diffSuppress") in (
            "clusters.ClusterSpec.CustomizeSchemaResourceSpecific.func2",
            "sql.ResourceSqlEndpoint.func1.1",
        ):
            continue
        first, second = value_of(prop), value_of(prop, second=True)
        if first == second:
            continue
        old, place = nest(resource, prop.path, first)
        new, _ = nest(resource, prop.path, second)
        found = diff(resource.token, old, {}, new)
        expected = prop.force_new or _forced(resource, prop)
        counts[expected] += 1
        if (
            not found.changes
            or bool(found.replaces) != expected
            or not all(key.startswith(render(place)) for key in found.detailed)
        ):
            wrong.append((resource.token, prop.path, first, second, found))
    assert not wrong, "\n".join(map(str, wrong))
    assert counts[True] > 1000
    assert counts[False] > 3000


def _forced(resource: ResourceTable, prop: Property) -> bool:
    """Replacements the table notes beside the properties."""
    workspace = prop.path == "providerConfig.workspaceId" and "workspaceId change: replace" in resource.customize_diff
    return workspace or prop.path in resource.facts.get("customizeDiffForces", ())


def test_adding_a_block_replaces_when_something_in_it_does() -> None:
    wrong = []
    for resource, prop in settable():
        parent = prop.path.rpartition(".")[0].removesuffix("[]")
        if (
            not prop.force_new
            or not parent
            or "." in parent
            or parent not in resource.properties
            or not resource.bridged
        ):
            continue
        if resource.properties[parent].facts.get("diffSuppress") or prop.facts.get("writeOnly") or prop.has_default:
            continue
        new, _ = nest(resource, prop.path, value_of(prop))
        found = list(changes(resource, {}, new))
        if len(found) != 1 or not found[0].replace or found[0].kind != "add":
            wrong.append((resource.token, prop.path, found))
    assert not wrong, "\n".join(map(str, wrong))


def test_every_enum_range_pattern_and_validator_refuses_a_bad_value_and_takes_a_good_one() -> None:
    silent, loud = [], []
    for resource, prop in settable():
        bads = bad_values(resource, prop)
        silent += [(resource.token, prop.path, bad) for bad in bads if not _said(resource, prop, bad)]
        for good in good_values(prop):
            said = _said(resource, prop, good)
            if said:
                loud.append((resource.token, prop.path, good, said))
    assert not silent, "\n".join(map(str, silent))
    assert not loud, "\n".join(map(str, loud))


def _said(resource: ResourceTable, prop: Property, value: Any) -> list[str]:
    inputs, place = nest(resource, prop.path, value)
    own = render(place)
    relations = ("must be specified", "can be specified", "conflicts with", "Composer 3")
    failures = check(resource.token, inputs).failures
    mine = [f for f in failures if f.property == own or f.property.startswith((f"{own}.", f"{own}["))]
    return [f.reason for f in mine if not any(words in f.reason for words in relations)]


def bad_values(resource: ResourceTable, prop: Property) -> Iterator[Any]:
    facts = {**prop.facts, **(prop.facts.get("element") or {})} if prop.is_list else prop.facts
    wrap = (lambda value: [value]) if prop.is_list else (lambda value: value)
    number = prop.type in ("int", "number", "float")
    # In azure-native's lists the SDK decides whether an enum is open; its types are tested on their own.
    if facts.get("enum") and not facts.get("openEnum") and (resource.bridged or not prop.is_list):
        yield wrap(987654 if number else "no such value")
    if facts.get("range"):
        yield float(facts["range"][0]) - 1
        yield float(facts["range"][1]) + 1
    elif number and facts.get("min") is not None:
        yield float(facts["min"]) - 1
    elif number and facts.get("max") is not None:
        yield float(facts["max"]) + 1
    if facts.get("pattern") and r"\s\S" not in facts["pattern"]:
        yield wrap("<> !" * 40)
    if facts.get("length"):
        yield "x" * (int(facts["length"][1]) + 1)
    if facts.get("maxLength"):
        yield "x" * (int(facts["maxLength"]) + 1)
    if facts.get("minLength"):
        yield "x" * (int(facts["minLength"]) - 1)
    if prop.facts.get("maxItems"):
        yield [scalar(facts, "string", second=False)] * (int(prop.facts["maxItems"]) + 1)
    if prop.facts.get("minItems") and prop.is_list:
        yield []
    if facts.get("rejectsEmpty") and prop.type in ("string", "list<string>", "set<string>"):
        yield wrap("")
    pair = family(prop, facts)
    if pair is not None:
        yield wrap(pair[1])


def good_values(prop: Property) -> Iterator[Any]:
    facts = {**prop.facts, **(prop.facts.get("element") or {})} if prop.is_list else prop.facts
    wrap = (
        (lambda value: [value] * max(1, int(prop.facts.get("minItems", 1)))) if prop.is_list else (lambda value: value)
    )
    for member in facts.get("enum") or ():
        yield wrap(member)
    if facts.get("range"):
        yield from (float(bound) for bound in facts["range"])
    pair = family(prop, facts)
    if pair is not None and not facts.get("pattern") and not facts.get("enum"):
        yield wrap(pair[0])


def test_every_validator_and_comparison_the_tables_name_is_known() -> None:
    unknown = []
    used = set()
    for token in tokens():
        for path, prop in table(token).properties.items():
            for facts in (prop.facts, prop.facts.get("element") or {}):
                text, name = facts.get("validator_text"), facts.get("validator")
                if (text or (name and name not in validators.OPAQUE)) and not validators.validators(text, name):
                    unknown.append((token, path, text, name))
            for key in ("diffSuppress", "stateFunc"):
                name = prop.facts.get(key)
                used.add(name)
                if name and compare.function(name) is None and name not in compare.STRICT:
                    unknown.append((token, path, key, name))
    assert not unknown, "\n".join(map(str, unknown))
    assert used >= compare.STRICT
    assert limits.bridged is not limits.azure


def test_a_resource_with_what_the_check_asks_for_passes_it() -> None:
    """From nothing, adding a fitting value wherever Check asks for one: it must end, and without a false alarm."""
    stuck = []
    for token in tokens():
        inputs: dict[str, Any] = {}
        failures = check(token, inputs).failures
        for _ in range(12):
            if not failures:
                break
            for failure in failures:
                _supply(table(token), inputs, failure.property)
            failures = check(token, inputs).failures
        if failures:
            stuck.append((token, inputs, failures))
    assert not stuck, "\n".join(map(str, stuck))


def _supply(resource: ResourceTable, inputs: dict[str, Any], place: str) -> None:
    """Put a fitting value at a place, from the table or, where that ends, from the SDK's type."""
    path = parse(place)
    parent, name = get(inputs, path[:-1]), str(path[-1])
    if not isinstance(parent, dict) or name in parent:
        return
    owners: list[type] = [sdk.args_class(resource.token)]
    for step in path[:-1]:
        if isinstance(step, str):
            shape = sdk.fields(owners[0])[step].shape
            owners = list(shape.objects or (shape.items or sdk.Shape()).objects)
    constant = sdk.constants(owners[0]).get(name)
    node = resource.node(path)
    if constant is not None:
        parent[name] = constant
    elif node is not None and node.prop is not None and node.prop.type != "any":
        prop = node.prop
        block: Any = [{}] * int(prop.facts.get("minItems", 1)) if prop.is_list else {}
        parent[name] = block if prop.type.endswith("object>") or prop.type == "object" else value_of(prop)
    else:
        shape = sdk.fields(owners[0])[name].shape
        text = "string" in shape.primitives or shape.anything
        parent[name] = [] if shape.items else {} if shape.objects or shape.values else "alpha" if text else 1
