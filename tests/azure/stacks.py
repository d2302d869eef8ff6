"""Stack files with a part on Azure, for tests."""

from __future__ import annotations

from pathlib import Path

SUBSCRIPTION = "00000000-0000-4000-8000-00000000da7a"
TENANT = "00000000-0000-4000-8000-00000000717e"

AZURE = f"""\
    azure:
      subscription: {SUBSCRIPTION}
      tenant: {TENANT}
      location: westeurope
      prefix: acmedata
      identities:
        etl:
          federated_credentials:
            main:
              issuer: https://token.actions.githubusercontent.com
              subject: repo:acme/data:ref:refs/heads/main
            release:
              issuer: https://token.actions.githubusercontent.com
              subject: repo:acme/data:environment:dev
        reports: {{}}
      monitoring:
        alert_emails: {{oncall: oncall@example.com}}
      lake:
        allowed_ips: [20.50.2.0/24, 20.51.1.7]
        filesystems:
          datalake:
            readers: [$reports]
            writers: [$etl]
            lifecycle:
              expire: {{age_days: 30, action: delete, prefix: data/lnd}}
              cool: {{age_days: 90, action: cool}}
          sandbox: {{}}
      key_vault:
        purge_protection: false
        soft_delete_days: 7
        secrets:
          storageAccount: {{source: lake_account, readers: [$etl]}}
          lakeEndpoint: {{source: lake_dfs_endpoint}}
          kvUrl: {{source: vault_uri}}
"""


def write_stack(root: Path, *, azure: str = AZURE, stack: str = "dev", protect: bool = False) -> Path:
    """A project with one stack that is on Azure alone."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\nmain: infra\n")
    (root / f"Pulumi.{stack}.yaml").write_text(
        "config:\n"
        "  data-platform:platform:\n"
        f"    environment: {stack}\n"
        f"    protect: {'true' if protect else 'false'}\n"
        '    labels: {owner: data-platform, cost_center: "4711"}\n' + azure
    )
    return root
