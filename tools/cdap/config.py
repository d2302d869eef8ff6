"""The files a CDAP sandbox reads when it starts. Standard library only."""

from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import escape

CDAP = "6.11.0"
CORE_PLUGINS = "2.13.0"

_SERVICES = (
    "app.program.runtime.monitor.server",
    "artifact.cache",
    "dashboard",
    "data.tx",
    "dataset.executor",
    "internal.router.service",
    "log.buffer.server",
    "log.query.server",
    "log.saver.status",
    "master.services",
    "messaging.http.server",
    "metadata.service",
    "metrics",
    "metrics.processor.status",
    "preview",
    "remote.system.op.service",
    "router",
    "security.auth.server",
    "support.bundle.service",
    "system.worker",
    "task.worker",
)
_EXTENSIONS = (
    "app.program.log.appender",
    "app.program.runtime",
    "credential.provider",
    "data.storage",
    "dataset",
    "log.publisher",
    "master.environment",
    "messaging.service",
    "metadata.consumer",
    "metrics.writer",
    "operational.stats",
    "remote.authenticator",
    "runtime",
    "security.encryption",
    "security.store",
)
# The app that keeps drafts and connections: the pipeline artifact itself, asked for as a service.
_STUDIO = {
    "steps": [
        {
            "label": "studio",
            "type": "ENABLE_SYSTEM_APP",
            "arguments": {
                "namespace": "system",
                "name": "pipeline",
                "overwrite": True,
                "artifact": {"name": "cdap-data-pipeline", "version": CDAP, "scope": "SYSTEM"},
                "config": {"service": True},
            },
        }
    ]
}
_LOGBACK = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} - %-5p [%t:%C{1}@%L] - %m%n</pattern></encoder>
  </appender>
  <logger name="io.cdap" level="INFO"/>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""


def write(home: Path, made: Path, port: int, *, unrecoverable: bool = True) -> None:
    """Write `home/conf` and link the artifacts of `made` (the cached jars) into `home/artifacts`.

    Everything listens on the loopback interface only; `unrecoverable` lets namespaces be deleted.
    """
    for name in ("conf", "artifacts", "tmp", "ext", "system-apps"):
        (home / name).mkdir(parents=True, exist_ok=True)
    site = {f"{service}.bind.address": "127.0.0.1" for service in _SERVICES}
    site |= {f"{name}.extensions.dir": str(home / "ext" / name) for name in _EXTENSIONS}
    site |= {
        "local.data.dir": str(home / "data"),
        "router.bind.port": str(port),
        "standalone.disable.ui": "true",
        "app.artifact.dir": str(home / "artifacts"),
        "system.app.config.dir": str(home / "system-apps"),
        # What looks for system programs that no capability asks for would stop the studio after ten seconds.
        "system.program.scan.interval.seconds": "86400",
        "security.enabled": "false",
        "security.store.provider": "file",
        "explore.enabled": "false",
        "enable.unrecoverable.reset": "true" if unrecoverable else "false",
    }
    _properties(home / "conf" / "cdap-site.xml", site)
    # The key store of a sandbox keeps nobody's secrets.
    _properties(home / "conf" / "cdap-security.xml", {"security.store.file.password": "sandbox"})
    (home / "conf" / "logback.xml").write_text(_LOGBACK, "utf-8")
    (home / "system-apps" / "pipeline.json").write_text(json.dumps(_STUDIO), "utf-8")
    for jar in sorted((made / "artifacts").glob("*.jar")):
        _link(home / "artifacts" / jar.name, jar)
    parents = [
        f"system:cdap-data-pipeline[{CDAP},7.0.0-SNAPSHOT)",
        f"system:cdap-data-streams[{CDAP},7.0.0-SNAPSHOT)",
    ]
    description = {"parents": parents, "properties": {}}
    (home / "artifacts" / f"core-plugins-{CORE_PLUGINS}.json").write_text(json.dumps(description), "utf-8")
    stub = home / "ext" / "runtime" / "gcp-dataproc"
    stub.mkdir(parents=True, exist_ok=True)
    _link(stub / "stub-dataproc.jar", made / "stub-dataproc.jar")


def _properties(file: Path, values: dict[str, str]) -> None:
    rows = (
        f"  <property><name>{escape(name)}</name><value>{escape(value)}</value></property>\n"
        for name, value in sorted(values.items())
    )
    file.write_text(f'<?xml version="1.0"?>\n<configuration>\n{"".join(rows)}</configuration>\n', "utf-8")


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)
