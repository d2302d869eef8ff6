"""`dp-cdap:datafusion:SecureKey`: a secret that the pipelines of a namespace use by its name.

The value is a secret of the stack. Beside it, in plain state, stands a digest only, by which a refresh sees that
somebody changed the key: it is salted and slow to make, so that a short value cannot be found by trying.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

from dataplatform.datafusion.errors import ApiError, NotFoundError
from providers.base import UNKNOWN, Diff, Failure, ProviderError, State, Values, diff_values, has_unknown
from providers.data_fusion.endpoints import Clients, sentences

TOKEN: Final = "dp-cdap:datafusion:SecureKey"  # noqa: S105 - a type token
_INPUTS: Final = ("endpoint", "namespace", "name", "value")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_]+")
_NAME: Final = re.compile(r"[a-z0-9_-]+")
_ID: Final = re.compile(r"(?P<endpoint>https?://.+)/v3/namespaces/(?P<namespace>[^/]+)/securekeys/(?P<name>[^/]+)")
_UNREADABLE: Final = (401, 403, 405)


class SecureKey:
    """Secure keys."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def check(self, news: Values, olds: Values) -> tuple[Values, Sequence[Failure]]:
        """Names, and that there is a value."""
        failures = [
            Failure(property=name, reason=f"unknown input '{name}'; known are {', '.join(_INPUTS)}")
            for name in sorted(set(news) - set(_INPUTS))
        ]
        rules = {
            "endpoint": (re.compile(r"https?://\S+[^/]"), "give the instance's API endpoint, https://HOST/api"),
            "namespace": (_NAMESPACE, "a namespace has letters, digits and _ only"),
            "name": (_NAME, "a secure key has lower-case letters, digits, _ and - only"),
            "value": (re.compile(r".+", re.DOTALL), "give its value, which is not empty"),
        }
        for name, (pattern, reason) in rules.items():
            value = news.get(name)
            if value is not UNKNOWN and not (isinstance(value, str) and pattern.fullmatch(value)):
                failures.append(Failure(property=name, reason=reason))
        return news, failures

    def diff(self, id: str, olds: State, news: Values) -> Diff:  # noqa: A002
        """What changed."""
        return diff_values(olds.inputs, news, replace=("endpoint", "namespace", "name"), delete_first=True)

    def create(self, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        """Write it. One of that name is taken over: keys outlive their namespace."""
        if preview:
            return "", self._outputs(inputs)
        return _id(inputs), self._write(inputs)

    def read(self, id: str, inputs: Values, outputs: Values) -> State | None:  # noqa: A002
        """Whether it is there with the value it is known to have. Another value is not taken over, only its digest."""
        match = _ID.fullmatch(id)
        if match is None:
            raise ProviderError(f"'{id}' is no id of a secure key: ENDPOINT/v3/namespaces/NAMESPACE/securekeys/NAME")
        names = {"endpoint": match["endpoint"], **{n: unquote(match[n]) for n in ("namespace", "name")}}
        told = inputs or names
        path = ("namespaces", names["namespace"], "securekeys", names["name"])
        with sentences(_what(names)):
            client = self._clients.of(str(told["endpoint"]))
            try:
                digest = digest_of(names, client.call("GET", path).body.decode("utf-8", "replace"))
            except NotFoundError:
                return None
            except ApiError as error:
                if error.code not in _UNREADABLE:
                    raise
                # Whoever may write keys need not be allowed to read them.
                client.call("GET", (*path, "metadata"))
                digest = str(outputs.get("digest", ""))
        known = digest == outputs.get("digest")
        now = {name: value for name, value in told.items() if name != "value" or known}
        return State(id=id, inputs=now, outputs={**now, "digest": digest})

    def update(self, id: str, olds: State, news: Values, *, preview: bool) -> Values:  # noqa: A002
        """Write it."""
        return self._outputs(news) if preview else self._write(news)

    def delete(self, id: str, outputs: Values) -> None:  # noqa: A002
        """Remove it."""
        with sentences(_what(outputs)):
            client = self._clients.of(str(outputs["endpoint"]))
            try:
                client.call("DELETE", ("namespaces", outputs["namespace"], "securekeys", outputs["name"]))
            except NotFoundError:
                return

    def _write(self, inputs: Values) -> Values:
        if has_unknown(inputs):
            raise ProviderError("a value of this secure key is still unknown")
        path = ("namespaces", inputs["namespace"], "securekeys", inputs["name"])
        with sentences(_what(inputs)):
            self._clients.of(str(inputs["endpoint"])).call(
                "PUT", path, body={"description": "", "data": inputs["value"]}
            )
        return self._outputs(inputs)

    def _outputs(self, inputs: Values) -> Values:
        known = not has_unknown([inputs[name] for name in ("namespace", "name", "value")])
        digest = UNKNOWN if not known else digest_of(inputs, str(inputs["value"]))
        return {**inputs, "digest": digest}


def digest_of(names: Values, value: str) -> str:
    """The digest of a key's value, salted with its names."""
    salt = f"{names['namespace']}/{names['name']}".encode()
    return hashlib.scrypt(value.encode(), salt=salt, n=2**14, r=8, p=1, dklen=24).hex()


def _id(inputs: Values) -> str:
    return f"{inputs['endpoint']}/v3/namespaces/{inputs['namespace']}/securekeys/{quote(inputs['name'], safe='')}"


def _what(names: Values) -> str:
    return f"secure key {names.get('namespace')}/{names.get('name')}"
