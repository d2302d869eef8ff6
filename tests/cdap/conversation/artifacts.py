"""Artifacts: those of the system, and one that is uploaded."""

import io
import struct
import zipfile

from tests.cdap.calls import delete, get, post, put

_ALL = "/v3/namespaces/ns1/artifacts"
_TINY = f"{_ALL}/tiny"
_PIPELINE = f"{_ALL}/cdap-data-pipeline/versions/6.11.0"
_EXTENDS = "system:cdap-data-pipeline[6.0.0,7.0.0)"
_PLUGINS = '[{"type": "jdbc", "name": "tinyjdbc", "description": "d", "className": "tiny.Tiny"}]'


def _class() -> bytes:
    """The class file of `package tiny; public class Tiny {}`, without its constructor."""
    names = b"".join(b"\x01" + struct.pack(">H", len(name)) + name for name in (b"tiny/Tiny", b"java/lang/Object"))
    pool = struct.pack(">H", 5) + names + b"\x07\x00\x01" + b"\x07\x00\x02"
    return b"\xca\xfe\xba\xbe" + struct.pack(">HH", 0, 52) + pool + struct.pack(">HHH", 0x21, 3, 4) + bytes(8)


def _jar() -> bytes:
    """A jar with a manifest and one class."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nBundle-Version: 1.2.3\r\n\r\n")
        jar.writestr("tiny/Tiny.class", _class())
    return file.getvalue()


_JAR = _jar()


def _headers(version: str = "1.0.0", extends: str = _EXTENDS, plugins: str = _PLUGINS) -> dict[str, str]:
    return {"Artifact-Version": version, "Artifact-Extends": extends, "Artifact-Plugins": plugins}


CALLS = (
    get(_ALL),
    get(f"{_ALL}?scope=SYSTEM"),
    get(f"{_ALL}?scope=USER"),
    get(f"{_ALL}?scope=BAD"),
    get("/v3/namespaces/nope/artifacts"),
    get(f"{_ALL}/cdap-data-pipeline"),
    get(f"{_ALL}/cdap-data-pipeline?scope=SYSTEM"),
    get(f"{_PIPELINE}?scope=SYSTEM", deviations=("plugin-texts",)),
    get(f"{_ALL}/core-plugins/versions/2.13.0?scope=SYSTEM", deviations=("plugin-texts",)),
    get(f"{_ALL}/none"),
    get(f"{_ALL}/core-plugins/versions/9.9.9?scope=SYSTEM"),
    # Its version is in its manifest.
    post(_TINY, _JAR),
    post(_TINY, _JAR, headers=_headers()),
    post(_TINY, _JAR, headers=_headers()),
    # A SNAPSHOT may be replaced.
    post(_TINY, _JAR, headers=_headers("1.1.0-SNAPSHOT")),
    post(_TINY, _JAR, headers=_headers("1.1.0-SNAPSHOT")),
    post(_TINY, _JAR, headers=_headers("1.2.0", "system:none[1.0.0,2.0.0)")),
    post(_TINY, _JAR, headers=_headers("1.2.1", "system:cdap-data-pipeline[1.0.0,2.0.0)")),
    post(_TINY, _JAR, headers=_headers("abc")),
    post(_TINY, _JAR, headers=_headers("1.3.0", "garbage")),
    post(_TINY, _JAR, headers=_headers("1.3.1", "system:cdap-data-pipeline[6.0.0)")),
    post(_TINY, _JAR, headers=_headers("1.3.2", "system:cdap-data-pipeline[7.0.0,6.0.0)")),
    post(_TINY, _JAR, headers=_headers("1.4.0", plugins="nojson")),
    post(_TINY, _JAR, headers=_headers("1.4.1", plugins=_PLUGINS.replace("tiny.Tiny", "tiny.None"))),
    post(_TINY, b"not a jar", headers={"Artifact-Version": "1.5.0"}),
    post(f"{_ALL}/bad%20name", _JAR, headers={"Artifact-Version": "1.0.0", "Artifact-Extends": _EXTENDS}),
    post("/v3/namespaces/nope/artifacts/tiny", _JAR, headers=_headers()),
    get(_ALL),
    get(_TINY),
    get(f"{_TINY}/versions/1.0.0"),
    get(f"{_TINY}/versions/1.1.0-SNAPSHOT"),
    get(f"{_TINY}/versions/1.0.0/properties"),
    put(f"{_TINY}/versions/1.0.0/properties", {"k": "v", "k2": "v2"}),
    get(f"{_TINY}/versions/1.0.0/properties"),
    put(f"{_TINY}/versions/1.0.0/properties", {"k3": "v"}),
    put(f"{_TINY}/versions/1.0.0/properties/k4", "raw"),
    get(f"{_TINY}/versions/1.0.0/properties"),
    get(f"{_TINY}/versions/1.0.0/properties/k4"),
    put(f"{_TINY}/versions/9.0.0/properties", {"k": "v"}),
    put(f"{_TINY}/versions/1.0.0/properties", "{bad"),
    delete(f"{_TINY}/versions/1.0.0/properties/k4"),
    get(f"{_TINY}/versions/1.0.0/properties"),
    get(f"{_TINY}/versions/1.0.0"),
    get(f"{_PIPELINE}/extensions?scope=SYSTEM", deviations=("order",)),
    get(f"{_PIPELINE}/extensions/jdbc?scope=SYSTEM"),
    get(f"{_PIPELINE}/extensions/batchsource?scope=SYSTEM", deviations=("plugin-texts",)),
    get(f"{_PIPELINE}/extensions/batchsource/plugins/KVTable?scope=SYSTEM", deviations=("plugin-texts",)),
    get(f"{_PIPELINE}/extensions/batchsource/plugins/None?scope=SYSTEM"),
    get(f"{_PIPELINE}/extensions/none?scope=SYSTEM"),
    delete(f"{_TINY}/versions/1.1.0-SNAPSHOT"),
    delete(f"{_TINY}/versions/1.1.0-SNAPSHOT"),
    get(f"{_TINY}/versions/1.1.0-SNAPSHOT"),
    # A system artifact, through a namespace of its users.
    delete(f"{_ALL}/core-plugins/versions/2.13.0"),
)
