"""Doing what a plan says: phase by phase, some at a time, and telling the truth about what was done.

Every step may be cut off at any call and done again: what was there already is not an error.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby

from dataplatform.datafusion import normalise
from dataplatform.datafusion.checks import jar_of
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.deploy import deploy
from dataplatform.datafusion.errors import ApiError, ConflictError, DataFusionError, NotFoundError, PartialError
from dataplatform.datafusion.files import Loaded
from dataplatform.datafusion.model import STUDIO, SYSTEM, Export, Json, Key, Kind, pipeline_key
from dataplatform.datafusion.plan import Step
from dataplatform.datafusion.read import program_path

_PAST = {"create": "created", "update": "updated", "delete": "deleted"}
_PROFILE_TRIES = 8
"""CDAP forgets that a deleted pipeline used a profile only after some seconds."""


@dataclass(kw_only=True)
class Result:
    """What was done, what failed with its reason, and what was not tried."""

    done: list[Step] = field(default_factory=list)
    failed: list[tuple[Step, str]] = field(default_factory=list)
    left: list[Step] = field(default_factory=list)

    def as_dict(self) -> Json:
        """Plain data."""
        return {
            "done": [step.as_dict() for step in self.done],
            "failed": [{**step.as_dict(), "error": why} for step, why in self.failed],
            "left": [step.as_dict() for step in self.left],
        }

    def error(self) -> DataFusionError | None:
        """The error that says it, or None where all was done."""
        if not self.failed and not self.left:
            return None
        told = "; ".join(f"{step}: {why}" for step, why in self.failed) or "it was stopped"
        undone = [str(step.key) for step, _ in self.failed] + [str(step.key) for step in self.left]
        names = ", ".join(undone[:8]) + (f", … ({len(undone)} in all)" if len(undone) > 8 else "")
        text = f"{told}. Done: {len(self.done)}; not done: {names}; push again to go on"
        return PartialError(text) if self.done else DataFusionError(text)


class Applier:
    """Applies steps: `run` many of them, `one` a single one."""

    def __init__(
        self,
        client: Client,
        desired: Export,
        loaded: Loaded,
        say: Callable[[str], None] = lambda text: None,
        message: str = "",
    ) -> None:
        self.client = client
        self.desired = desired
        self.loaded = loaded
        self.say = say
        self.message = message

    def run(self, steps: list[Step]) -> Result:
        """Apply. A phase is finished where one of its steps fails, and none is begun after it."""
        result = Result()
        total = len(steps)
        waiting = list(steps)
        for _, group in groupby(steps, key=lambda step: step.phase):
            phase = list(group)
            self._phase(phase, result, total)
            waiting = waiting[len(phase) :]
            if result.failed or result.left:
                break
        result.left += waiting
        return result

    def one(self, step: Step) -> None:
        """Apply a single step; what is to be deleted and not there is no error.

        Raises:
            DataFusionError: when it is refused.
        """
        self._one(step)

    def _phase(self, phase: list[Step], result: Result, total: int) -> None:
        with ThreadPoolExecutor(max_workers=max(1, min(self.client.concurrency, len(phase)))) as pool:
            futures: dict[Future[None], Step] = {pool.submit(self._one, step): step for step in phase}
            try:
                for future in as_completed(futures):
                    self._note(futures[future], future, result, total)
            except KeyboardInterrupt:
                # What is under way is finished, so that what is said of it is true.
                pool.shutdown(wait=True, cancel_futures=True)
                noted = {id(s) for s in (*result.done, *(s for s, _ in result.failed))}
                for future, step in futures.items():
                    if future.cancelled():
                        result.left.append(step)
                    elif id(step) not in noted:
                        self._note(step, future, result, total)
                if not result.left and not result.failed:
                    raise

    def _note(self, step: Step, future: Future[None], result: Result, total: int) -> None:
        try:
            future.result()
        except DataFusionError as problem:
            result.failed.append((step, _reason(step, problem)))
            return
        result.done.append(step)
        self.say(f"[{len(result.done)}/{total}] {_PAST[step.action]} {step.key}")

    def _one(self, step: Step) -> None:
        handler = {
            Kind.NAMESPACE: self._namespace,
            Kind.ARTIFACT: self._artifact,
            Kind.PROFILE: self._profile,
            Kind.PREFERENCES: self._preferences,
            Kind.CONNECTION: self._connection,
            Kind.PIPELINE: self._pipeline,
            Kind.PIPELINE_PREFERENCES: self._preferences,
            Kind.RUNTIME_ARGUMENTS: self._arguments,
            Kind.SCHEDULE: self._schedule,
            Kind.TRIGGER: self._schedule,
            Kind.DRAFT: self._draft,
        }[step.key.kind]
        try:
            handler(step)
        except NotFoundError:
            if step.action != "delete":
                raise

    def _namespace(self, step: Step) -> None:
        name = step.key.namespace
        if step.action == "delete":
            self._delete_namespace(name)
        elif step.action == "create":
            body = {k: step.body[k] for k in ("description", "config")}
            self.client.call("PUT", ("namespaces", name), body=body)
        else:
            body = {k: step.body[k] for k in ("description", "config")}
            self.client.call("PUT", ("namespaces", name, "properties"), body=body)

    def _delete_namespace(self, name: str) -> None:
        # With an enabled profile CDAP deletes pipelines and artifacts and then refuses: profiles are disabled first.
        for profile in self.client.get("namespaces", name, "profiles"):
            if profile.get("status") == "ENABLED":
                self._flip(("namespaces", name, "profiles", profile["name"], "disable"))
        self.client.call("DELETE", ("unrecoverable", "namespaces", name))

    def _artifact(self, step: Step) -> None:
        key, body = step.key, step.body
        path = ("namespaces", key.namespace, "artifacts", key.name)
        if step.action == "delete":
            self.client.call("DELETE", (*path, "versions", key.part))
            return
        if step.action == "create":
            jar = jar_of(self.loaded, key)
            assert jar is not None, "checked before"
            # Classes that CDAP finds in the jar itself have properties; the others must be told.
            told = [{k: v for k, v in p.items() if k != "properties"} for p in body["plugins"] if not p["properties"]]
            headers = {"Artifact-Version": key.part, "Content-Type": "application/octet-stream"}
            headers |= {"Artifact-Extends": "/".join(body["parents"])} if body["parents"] else {}
            headers |= {"Artifact-Plugins": json.dumps(told)} if told else {}
            with contextlib.suppress(ConflictError):  # our own earlier try
                self.client.call("POST", path, raw=jar.read_bytes(), headers=headers, retry=True)
        if body["properties"] or step.action == "update":
            self.client.call("PUT", (*path, "versions", key.part, "properties"), body=body["properties"])

    def _profile(self, step: Step) -> None:
        key, body = step.key, step.body
        path = (*_scope(key), "profiles", key.name)
        if step.action == "delete":
            self._flip((*path, "disable"))
            self._delete_profile(path)
            return
        sent = {k: body[k] for k in ("label", "description", "provisioner")}
        self.client.call("PUT", path, body=sent)
        # Not `…/status`, which the instance's own profiles do not have.
        now = self.client.get(*path)["status"] if step.action == "update" else "ENABLED"
        if now != body["status"]:
            self._flip((*path, "enable" if body["status"] == "ENABLED" else "disable"))

    def _delete_profile(self, path: tuple[str, ...]) -> None:
        for attempt in range(_PROFILE_TRIES):
            try:
                self.client.call("DELETE", path)
                return
            except ConflictError:
                if attempt == _PROFILE_TRIES - 1:
                    raise
                self.client.sleep(1.0)

    def _flip(self, path: tuple[str, ...]) -> None:
        """Enable or disable; that it is so already is a 409 of CDAP's, and fine."""
        try:
            self.client.call("POST", path, retry=True)
        except ConflictError as problem:
            if "already" not in problem.text.lower():
                raise

    def _preferences(self, step: Step) -> None:
        key = step.key
        path = (*_scope(key), *(("apps", key.name) if key.name else ()), "preferences")
        if step.action == "delete":
            self.client.call("DELETE", path)
        else:
            self.client.call("PUT", path, body=step.body["preferences"])

    def _arguments(self, step: Step) -> None:
        key = step.key
        owner = pipeline_key(key)
        program = program_path(self.desired.get(owner, {}) if owner else {})
        path = ("namespaces", key.namespace, "apps", key.name, *program, "runtimeargs")
        self.client.call("PUT", path, body={} if step.action == "delete" else step.body["arguments"])

    def _connection(self, step: Step) -> None:
        path = (*STUDIO, step.key.namespace, "connections", step.key.name)
        if step.action == "delete":
            self.client.call("DELETE", path)
        else:
            self.client.call(
                "PUT", path, body={k: step.body[k] for k in ("description", "plugin")} | {"overWrite": True}
            )

    def _draft(self, step: Step) -> None:
        path = (*STUDIO, step.key.namespace, "drafts", step.key.part)
        if step.action == "delete":
            self.client.call("DELETE", path)
        else:
            sent = {k: step.body[k] for k in ("name", "description", "artifact", "config")}
            self.client.call("PUT", path, body=sent)

    def _pipeline(self, step: Step) -> None:
        if step.action == "delete":
            self.client.call("DELETE", ("namespaces", step.key.namespace, "apps", step.key.name))
        else:
            deploy(self.client, step, self.message)

    def _schedule(self, step: Step) -> None:
        key = step.key
        path = ("namespaces", key.namespace, "apps", key.name, "schedules", key.part)
        if step.action == "delete":
            self.client.call("DELETE", path)
            return
        owner = pipeline_key(key)
        config = self.desired.get(owner, {}).get("config") if owner else None
        wanted = normalise.whole_schedule(step.body, config)
        status = self._place_schedule(path, wanted)
        if status != step.body["status"]:
            self._flip((*path, "enable" if step.body["status"] == "SCHEDULED" else "disable"))

    def _place_schedule(self, path: tuple[str, ...], wanted: Json) -> str:
        """Create or change a schedule; returns the status it has then."""
        try:
            now = self.client.get(*path)
        except NotFoundError:
            self.client.call("PUT", path, body=wanted, retry=False)
            return "SUSPENDED"
        have = normalise.schedule(now)
        if any(have.get(k) != v for k, v in normalise.values(wanted).items()):
            self.client.call("POST", (*path, "update"), body=wanted, retry=True)
            return str(self.client.get(*path)["status"])
        return str(now["status"])


def _scope(key: Key) -> tuple[str, ...]:
    return () if key.namespace == SYSTEM else ("namespaces", key.namespace)


def _reason(step: Step, problem: DataFusionError) -> str:
    if isinstance(problem, ApiError):
        if problem.code == 403 and step.key.kind == Kind.NAMESPACE and step.action == "delete":
            return f"{problem.text} (on Cloud Data Fusion: delete it in the user interface)"
        return f"{problem.text} ({problem.code})"
    return str(problem)
