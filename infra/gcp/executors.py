"""The step executors that a stack deploys itself."""

from __future__ import annotations

from components.gcp.executors import Executors, ExecutorsArgs
from dataplatform.compile.access import On
from dataplatform.compile.executor_source import executor_files
from infra.executor_plan import identity_of
from infra.gcp.composition import Composition
from infra.layout import executor_apis


def executors(c: Composition) -> None:
    """The functions; nothing where they are from elsewhere."""
    config = c.gcp.executors.deploy
    names = c.names.executors
    if config is None or names is None:
        return
    own_bucket = c.gcp.executors.jobs_definitions_bucket is None
    rights = {str(name): c.rights(identity_of(name)) for name in config.functions}
    apis = ("artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "iam", "run", "storage")
    made = Executors(
        "executors",
        ExecutorsArgs(
            config=config,
            project=c.gcp.project,
            region=c.gcp.region,
            intermediate=names.intermediate,
            account_ids=names.accounts,
            source_bucket=names.source_bucket,
            repository_id=names.repository,
            source=executor_files(),
            others=sorted(c.gcp.executors.functions),
            others_on="function" if c.gcp.executors.grant == "function" else "project",
            jobs_bucket=names.jobs_bucket,
            job_files=dict(c.args.job_files) if own_bucket else {},
            rights=rights,
            made=c.grantable,
            network=c.network.id if config.subnet is not None else None,
            subnet=c.network.subnets[config.subnet] if config.subnet is not None else None,
            key=c.keys["cloudfunctions"],
            labels=c.labels,
            depends_on=c.needs(*sorted({*apis, *executor_apis(c.gcp)}), also=c.network.made),
        ),
        c.opts,
    )
    # Who calls the pipelines' steps is granted that on this function, once it is there.
    service = On(kind="service", project=c.gcp.project, location=c.gcp.region, name=names.intermediate)
    c.grantable[service.path] = made.intermediate
    c.identities |= {identity_of(name): member for name, member in made.members.items()}
    c.outputs["executors_url"] = made.url
    c.outputs["executor_identities"] = dict(made.members)
