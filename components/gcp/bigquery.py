"""BigQuery: datasets, tables and views, encrypted with our key, and who may read and write them.

Access is granted on a dataset by IAM members, never by its access list, which would take away what others granted.
Deliberately absent: rows. What a table holds is the pipelines' business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from graphlib import TopologicalSorter

import pulumi
from pulumi_gcp import bigquery

from components.gcp.bigquery_schema import schema_text
from components.gcp.iam import grant_on_project
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.config.gcp.bigquery import BigQuery as BigQueryConfig
from dataplatform.config.gcp.bigquery import Column, Partition, Table
from dataplatform.config.gcp.bigquery import Dataset as DatasetConfig
from dataplatform.config.rules_bigquery import REFERENCE

READER, WRITER, JOB_USER = "roles/bigquery.dataViewer", "roles/bigquery.dataEditor", "roles/bigquery.jobUser"
Members = Mapping[str, pulumi.Input[str]]
"""IAM members by names that are stable."""


@dataclass(frozen=True, kw_only=True)
class BigQueryArgs:
    """The datasets, their columns and their keys."""

    config: BigQueryConfig
    project: str
    locations: Mapping[str, str]
    """Of each dataset."""
    dataset_ids: Mapping[str, str]
    """Physical name of each dataset, from infra.naming."""
    schemas: Mapping[tuple[str, str], Sequence[Column]]
    """Columns by dataset and table."""
    keys: Mapping[str, EncryptionKey]
    """Of each dataset, where its data is."""
    readers: Mapping[str, Members] = field(default_factory=dict)
    """By dataset."""
    writers: Mapping[str, Members] = field(default_factory=dict)
    job_users: Members = field(default_factory=dict)
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]


class BigQuery(pulumi.ComponentResource):
    """The datasets of a stack."""

    datasets: Mapping[str, pulumi.Output[str]]
    """Id of each dataset, by key."""
    tables: Mapping[str, pulumi.Output[str]]
    """`<project>.<dataset>.<table>` of each table and view, by `<dataset>.<table>`."""

    def __init__(self, name: str, args: BigQueryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:BigQuery", name, {}, opts)
        made = {
            key: self._dataset(f"{name}-{key}", args, key, dataset)
            for key, dataset in sorted(args.config.datasets.items())
        }
        tables = {
            (key, table): self._table(f"{name}-{key}.{table}", args, made[key], (key, table), config)
            for key, dataset in sorted(args.config.datasets.items())
            for table, config in sorted(dataset.tables.items())
        }
        tables |= self._views(name, args, made, tables)
        for label, member in sorted(args.job_users.items()):
            # Not narrower: jobs belong to the project.
            grant_on_project(
                f"{name}-jobs-{label}",
                parent=self,
                project=args.project,
                member=member,
                roles=(JOB_USER,),
                depends_on=args.depends_on,
            )
        self.datasets = {key: dataset.dataset_id for key, dataset in made.items()}
        self.tables = {
            f"{key}.{table}": pulumi.Output.concat(args.project, ".", found.dataset_id, ".", found.table_id)
            for (key, table), found in sorted(tables.items())
        }
        self.register_outputs({"datasets": dict(self.datasets), "tables": dict(self.tables)})

    def _dataset(self, logical: str, args: BigQueryArgs, key: str, config: DatasetConfig) -> bigquery.Dataset:
        encryption = args.keys[key]
        dataset = bigquery.Dataset(
            logical,
            project=args.project,
            dataset_id=args.dataset_ids[key],
            location=args.locations[key],
            description=config.description,
            default_encryption_configuration=bigquery.DatasetDefaultEncryptionConfigurationArgs(
                kms_key_name=encryption.id
            ),
            default_table_expiration_ms=_milliseconds(config.default_table_expiration),
            default_partition_expiration_ms=_milliseconds(config.default_partition_expiration),
            max_time_travel_hours=str(config.time_travel_hours) if config.time_travel_hours else None,
            is_case_insensitive=config.case_insensitive or None,
            delete_contents_on_destroy=config.delete_contents,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=[*args.depends_on, *encryption.grants]
            ),
        )
        for word, role, members in (
            ("reader", READER, args.readers.get(key, {})),
            ("writer", WRITER, args.writers.get(key, {})),
        ):
            for label, member in sorted(members.items()):
                bigquery.DatasetIamMember(
                    f"{logical}-{word}-{label}",
                    project=args.project,
                    dataset_id=dataset.dataset_id,
                    role=role,
                    member=member,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        return dataset

    def _table(
        self, logical: str, args: BigQueryArgs, dataset: bigquery.Dataset, place: tuple[str, str], config: Table
    ) -> bigquery.Table:
        key, table = place
        encryption = args.keys[key]
        partition = config.partition
        return bigquery.Table(
            logical,
            project=args.project,
            dataset_id=dataset.dataset_id,
            table_id=table,
            description=config.description,
            schema=schema_text(args.schemas[place]),
            time_partitioning=_by_time(partition),
            range_partitioning=_by_range(partition),
            require_partition_filter=config.require_partition_filter or None,
            clusterings=list(config.clustering) or None,
            # Said again here: a table that leaves it to its dataset comes back with it, which reads as a change.
            encryption_configuration=bigquery.TableEncryptionConfigurationArgs(kms_key_name=encryption.id),
            # The provider's default is true, which no destroy and no replacement gets past.
            deletion_protection=args.protect,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=[*args.depends_on, *encryption.grants]
            ),
        )

    def _views(
        self,
        name: str,
        args: BigQueryArgs,
        datasets: Mapping[str, bigquery.Dataset],
        tables: Mapping[tuple[str, str], bigquery.Table],
    ) -> dict[tuple[str, str], bigquery.Table]:
        """The views, each after what it reads: BigQuery looks at once whether that is there."""
        views = {
            (key, view): config
            for key, dataset in sorted(args.config.datasets.items())
            for view, config in sorted(dataset.views.items())
        }
        reads = {
            place: [(match[1], match[2]) for match in REFERENCE.finditer(config.query)]
            for place, config in views.items()
        }
        made: dict[tuple[str, str], bigquery.Table] = {}
        order = TopologicalSorter({place: [r for r in read if r in views] for place, read in reads.items()})
        for key, view in order.static_order():
            config = views[key, view]
            sources = [{**tables, **made}[read] for read in dict.fromkeys(reads[key, view])]
            made[key, view] = bigquery.Table(
                f"{name}-{key}.{view}",
                project=args.project,
                dataset_id=datasets[key].dataset_id,
                table_id=view,
                description=config.description,
                view=bigquery.TableViewArgs(query=_resolved(config.query, args), use_legacy_sql=False),
                # A view holds no data: it can be made again at any time.
                deletion_protection=False,
                labels=args.labels.as_dict(),
                opts=pulumi.ResourceOptions(parent=self, depends_on=sources),
            )
        return made


def _resolved(query: str, args: BigQueryArgs) -> str:
    """The query with the full names of what it reads."""
    return REFERENCE.sub(lambda m: f"`{args.project}.{args.dataset_ids[m[1]]}.{m[2]}`", query)


def _milliseconds(value: timedelta | None) -> int | None:
    return int(value.total_seconds() * 1000) if value is not None else None


def _by_time(partition: Partition | None) -> bigquery.TableTimePartitioningArgs | None:
    if partition is None or partition.by == "range":
        return None
    return bigquery.TableTimePartitioningArgs(
        type=partition.by.upper(), field=partition.column, expiration_ms=_milliseconds(partition.expiration)
    )


def _by_range(partition: Partition | None) -> bigquery.TableRangePartitioningArgs | None:
    if partition is None or partition.range is None:
        return None
    assert partition.column is not None, "the configuration's rules ask for a column"
    span = partition.range
    return bigquery.TableRangePartitioningArgs(
        field=partition.column,
        range=bigquery.TableRangePartitioningRangeArgs(start=span.start, end=span.end, interval=span.interval),
    )
