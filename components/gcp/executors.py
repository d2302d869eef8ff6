"""The step executors as Cloud Run functions, each with an identity of its own.

The source is one archive for all of them. Its object is named by its content: a changed one is a new object, put there
before the functions take it, so that none is ever without its source.

Deliberately absent: who may call the intermediate function. Workflows and Composer are granted that by their own
components, on this very function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi_gcp import artifactregistry, cloudfunctionsv2, cloudrunv2, projects, serviceaccount, storage

from components.gcp.iam import grant_on_project, grant_rights
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.compile.access import RUN_INVOKER, Right
from dataplatform.compile.executor_source import entry_point, source_digest
from dataplatform.config.gcp.deploy import Deploy

INTERMEDIATE = "intermediate"
BUILD = "build"
_INGRESS = {"internal": "ALLOW_INTERNAL_ONLY", "all": "ALLOW_ALL"}


@dataclass(frozen=True, kw_only=True)
class ExecutorsArgs:
    """The functions and what they work with."""

    config: Deploy
    project: str
    region: str
    intermediate: str
    """Name of the intermediate function."""
    account_ids: Mapping[str, str]
    """From infra.naming: of the builder (`build`), the intermediate function (`intermediate`) and each executor."""
    source_bucket: str
    """Physical names, from infra.naming."""
    repository_id: str
    source: Mapping[str, str]
    """Path → text of the functions' source."""
    others: Sequence[str]
    """Executor functions of others, which the intermediate function calls too."""
    others_on: Literal["project", "function"]
    """On what it is granted to: the functions, which must then be there, or the project."""
    jobs_bucket: str | None
    """Bucket of job parameter files to make; None where it is there."""
    job_files: Mapping[str, str]
    """Name → text of the files in it; none where the bucket is somebody else's."""
    rights: Mapping[str, Sequence[Right]]
    """Executor → what its jobs need."""
    made: Mapping[str, pulumi.Resource]
    """What the stack makes of that which rights are on, by its path."""
    network: str | None
    """`projects/…/global/networks/…` that the intermediate function calls through; None where it needs none."""
    subnet: str | None
    """Its subnet."""
    key: EncryptionKey
    labels: Labels
    depends_on: Sequence[pulumi.Resource]


class Executors(pulumi.ComponentResource):
    """The functions of the executors' contract."""

    intermediate: cloudfunctionsv2.Function
    """The function that workflows and Airflow call."""
    members: Mapping[str, pulumi.Output[str]]
    """IAM member of each executor's identity, by the executor's name."""
    url: str
    """What every function's address begins with."""

    def __init__(self, name: str, args: ExecutorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Executors", name, {}, opts)
        self.url = f"https://{args.region}-{args.project}.cloudfunctions.net"
        self._waits = [*args.depends_on, *args.key.grants]
        source = self._source(name, args)
        repository = self._repository(name, args)
        builder, may_build = self._builder(name, args, source, repository)
        there = dict(args.made) | self._jobs(name, args)
        accounts = {
            function: self._account(f"{name}-{function}", args, function, f"Step executor {function}")
            for function in (*args.config.functions, INTERMEDIATE)
        }
        functions: dict[str, cloudfunctionsv2.Function] = {}
        for function in args.config.functions:
            grants = grant_rights(
                f"{name}-{function}",
                parent=self,
                project=args.project,
                member=accounts[function].member,
                rights=args.rights.get(function, ()),
                depends_on=args.depends_on,
                made=there,
            )
            functions[function] = self._function(
                f"{name}-{function}", args, function, function, source, repository, builder, accounts[function],
                [*may_build, *grants],
            )  # fmt: skip
        others = args.others if args.others_on == "function" else ()
        calls: list[pulumi.Resource] = [
            cloudrunv2.ServiceIamMember(
                f"{name}-{INTERMEDIATE}-calls-{function}",
                project=args.project,
                location=args.region,
                name=function,
                role=RUN_INVOKER,
                member=accounts[INTERMEDIATE].member,
                # One of others is there already.
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[*args.depends_on, *(found for key, found in functions.items() if key == function)],
                ),
            )
            for function in sorted({*functions, *others})
        ]
        if args.others and args.others_on == "project":
            calls += grant_on_project(
                f"{name}-{INTERMEDIATE}",
                parent=self,
                project=args.project,
                member=accounts[INTERMEDIATE].member,
                roles=(RUN_INVOKER,),
                depends_on=args.depends_on,
            )
        self.intermediate = self._function(
            f"{name}-{INTERMEDIATE}", args, args.intermediate, INTERMEDIATE, source, repository, builder,
            accounts[INTERMEDIATE], [*may_build, *calls],
        )  # fmt: skip
        self.members = {function: accounts[function].member for function in args.config.functions}
        self.register_outputs({"members": dict(self.members), "url": self.url})

    def _source(self, name: str, args: ExecutorsArgs) -> storage.BucketObject:
        bucket = self._bucket(f"{name}-source", args, args.source_bucket)
        return storage.BucketObject(
            f"{name}-source",
            bucket=bucket.name,
            name=f"executors-{source_digest(args.source)[:16]}.zip",
            # Texts, not a folder: the archive holds what was decided on, and the engine zips it without dates.
            source=pulumi.AssetArchive({path: pulumi.StringAsset(text) for path, text in sorted(args.source.items())}),
            content_type="application/zip",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _bucket(self, logical: str, args: ExecutorsArgs, physical: str) -> storage.Bucket:
        return storage.Bucket(
            logical,
            project=args.project,
            name=physical,
            location=args.region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            encryption=storage.BucketEncryptionArgs(default_kms_key_name=args.key.id),
            # What is in it is made again from the project's files.
            force_destroy=True,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._waits),
        )

    def _jobs(self, name: str, args: ExecutorsArgs) -> dict[str, pulumi.Resource]:
        """The bucket of job parameter files with its files, by its path."""
        if args.jobs_bucket is None:
            return {}
        bucket = self._bucket(f"{name}-jobs", args, args.jobs_bucket)
        for file, text in sorted(args.job_files.items()):
            storage.BucketObject(
                f"{name}-jobs-{file}",
                bucket=bucket.name,
                name=file,
                # `content`, not `source`: it is updated in place, so that a run always finds its file.
                content=text,
                content_type="application/json",
                opts=pulumi.ResourceOptions(parent=self),
            )
        return {f"b/{args.jobs_bucket}": bucket}

    def _repository(self, name: str, args: ExecutorsArgs) -> artifactregistry.Repository:
        return artifactregistry.Repository(
            f"{name}-images",
            project=args.project,
            location=args.region,
            repository_id=args.repository_id,
            format="DOCKER",
            description="Images of the step executors' functions",
            kms_key_name=args.key.id,
            cleanup_policies=[
                artifactregistry.RepositoryCleanupPolicyArgs(
                    id="keep-newest",
                    action="KEEP",
                    most_recent_versions=artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs(keep_count=5),
                ),
                artifactregistry.RepositoryCleanupPolicyArgs(
                    id="delete-old",
                    action="DELETE",
                    condition=artifactregistry.RepositoryCleanupPolicyConditionArgs(older_than="2592000s"),
                ),
            ],
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._waits),
        )

    def _builder(
        self, name: str, args: ExecutorsArgs, source: storage.BucketObject, repository: artifactregistry.Repository
    ) -> tuple[serviceaccount.Account, list[pulumi.Resource]]:
        """The account that builds the images. The default one may do far more than build."""
        account = self._account(f"{name}-{BUILD}", args, BUILD, "Builds the images of the step executors")
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on))
        grants: list[pulumi.Resource] = [
            *grant_on_project(
                f"{name}-{BUILD}",
                parent=self,
                project=args.project,
                member=account.member,
                roles=("roles/logging.logWriter",),
                depends_on=args.depends_on,
            ),
            artifactregistry.RepositoryIamMember(
                f"{name}-{BUILD}-artifactregistry-writer",
                project=args.project,
                location=args.region,
                repository=repository.name,
                role="roles/artifactregistry.writer",
                member=account.member,
                opts=opts,
            ),
            storage.BucketIAMMember(
                f"{name}-{BUILD}-source",
                bucket=source.bucket,
                role="roles/storage.objectViewer",
                member=account.member,
                opts=opts,
            ),
            # The service copies the source into a bucket of its own, which is there only after the first build.
            projects.IAMMember(
                f"{name}-{BUILD}-storage-objectViewer",
                project=args.project,
                role="roles/storage.objectViewer",
                member=account.member,
                condition=projects.IAMMemberConditionArgs(
                    title="Sources of functions",
                    expression='resource.name.startsWith("projects/_/buckets/gcf-v2-sources-")',
                ),
                opts=opts,
            ),
        ]
        return account, grants

    def _account(self, logical: str, args: ExecutorsArgs, key: str, title: str) -> serviceaccount.Account:
        return serviceaccount.Account(
            logical,
            project=args.project,
            account_id=args.account_ids[key],
            display_name=title,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )

    def _function(
        self,
        logical: str,
        args: ExecutorsArgs,
        physical: str,
        key: str,
        source: storage.BucketObject,
        repository: artifactregistry.Repository,
        builder: serviceaccount.Account,
        account: serviceaccount.Account,
        waits: Sequence[pulumi.Resource],
    ) -> cloudfunctionsv2.Function:
        config, through = args.config, key == INTERMEDIATE and args.subnet is not None
        interfaces = [
            cloudfunctionsv2.FunctionServiceConfigDirectVpcNetworkInterfaceArgs(
                network=args.network, subnetwork=args.subnet
            )
        ]
        return cloudfunctionsv2.Function(
            logical,
            project=args.project,
            location=args.region,
            name=physical,
            description=f"Step executor: {key}",
            kms_key_name=args.key.id,
            build_config=cloudfunctionsv2.FunctionBuildConfigArgs(
                runtime=config.runtime,
                entry_point=entry_point(key),
                # With a key of ours the service wants a repository that has it too.
                docker_repository=repository.id,
                service_account=builder.id,
                source=cloudfunctionsv2.FunctionBuildConfigSourceArgs(
                    storage_source=cloudfunctionsv2.FunctionBuildConfigSourceStorageSourceArgs(
                        bucket=source.bucket, object=source.name
                    )
                ),
            ),
            service_config=cloudfunctionsv2.FunctionServiceConfigArgs(
                service_account_email=account.email,
                ingress_settings=_INGRESS[config.ingress],
                all_traffic_on_latest_revision=True,
                available_memory=f"{config.memory_mb}Mi",
                timeout_seconds=int(config.timeout.total_seconds()),
                min_instance_count=config.min_instances,
                max_instance_count=config.max_instances,
                environment_variables={
                    "FUNCTIONS_URL": self.url,
                    "PLATFORM_PROJECT": args.project,
                    "PLATFORM_REGION": args.region,
                    # The service writes it by itself where its buildpack does not; said here, a refresh shows nothing.
                    "LOG_EXECUTION_ID": "true",
                },
                direct_vpc_network_interfaces=interfaces if through else None,
                # Only what comes from the network is internal to the executors, their public addresses included.
                direct_vpc_egress="VPC_EGRESS_ALL_TRAFFIC" if through else None,
            ),
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self._waits, *waits]),
        )
