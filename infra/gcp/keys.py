"""The keys of all services, those of the stack's own, and who else may use them."""

from __future__ import annotations

import pulumi

from components.gcp.ciphertexts import Ciphertexts, CiphertextsArgs, Plaintext
from components.gcp.key_access import KeyAccess, KeyAccessArgs
from components.gcp.kms import EncryptionKey, Kms, KmsArgs
from components.gcp.labels import Labels
from components.gcp.services import ProjectServices
from dataplatform.config.gcp.kms import KeyUse, ServiceKey
from infra.gcp.composition import Composition, GcpArgs
from infra.layout import key_places, key_rings, key_users
from infra.starts import Started


def keys(
    args: GcpArgs, services: ProjectServices, labels: Labels, opts: pulumi.ResourceOptions
) -> dict[str, EncryptionKey]:
    """The keys: of each service by its name, in each of its places by `<service>/<location>`; own ones by `key/<name>`.

    A service with keys in several places has by its name the one of its first.
    """
    gcp = args.gcp
    started = Started.of(args.starts)
    agents = key_users(gcp, started)
    found: dict[str, EncryptionKey] = {}
    for ring in key_rings(gcp, started):
        kms = Kms(
            ring.component,
            KmsArgs(
                config=gcp.kms,
                project=gcp.project,
                location=ring.location,
                key_ring_name=args.names.key_ring,
                users={
                    service: {agent: services.agents[agent] for agent in agents[service]} for service in ring.services
                },
                keys={name: gcp.kms.keys[name] for name in ring.keys},
                labels=labels,
                protect=args.platform.protect,
                depends_on=services.needs("cloudkms"),
            ),
            opts,
        )
        found |= {f"{service}/{ring.location}": key for service, key in kms.keys.items()}
        found |= {f"key/{name}": key for name, key in kms.own_keys.items()}
    return found | {service: found[f"{service}/{places[0]}"] for service, places in key_places(gcp, started).items()}


def key_access(c: Composition) -> None:
    """Grants on keys beyond those of the services' agents."""
    config = c.gcp.kms
    wanted: dict[str, ServiceKey] = {f"key/{name}": key for name, key in config.keys.items()}
    for service, settings in config.services.items():
        wanted |= {name: settings for name in c.keys if name.startswith(f"{service}/")}
    grants: dict[str, dict[KeyUse, dict[str, pulumi.Input[str]]]] = {
        name: {use: c.members(members) for use, members in key.grants.items()}
        for name, key in wanted.items()
        if name in c.keys and key.grants
    }
    if grants:
        KeyAccess("key-access", KeyAccessArgs(keys=c.keys, grants=grants, depends_on=c.needs("cloudkms")), c.opts)
    own = {name.removeprefix("key/"): key.id for name, key in c.keys.items() if name.startswith("key/")}
    if own:
        c.outputs["keys"] = dict(own)


def ciphertexts(c: Composition) -> None:
    """Values of secrets, encrypted for configuration."""
    config = c.gcp.kms
    if not config.ciphertexts:
        return
    made = Ciphertexts(
        "ciphertexts",
        CiphertextsArgs(
            values={
                secret: Plaintext(value=c.args.secret_values[secret], key=c.keys[f"key/{key}"])
                for key, secrets in config.ciphertexts.items()
                for secret in secrets
            },
            depends_on=c.needs("cloudkms"),
        ),
        c.opts,
    )
    c.outputs["ciphertexts"] = dict(made.ciphertexts)
