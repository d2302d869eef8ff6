"""Google's layer over CDAP: what an instance of the world was made as, and where each is served."""

from __future__ import annotations

from localcloud import store
from localcloud.cdap import catalog
from localcloud.cdap.instance import Settings
from localcloud.services.datafusion import DEFAULT_VERSION
from localcloud.world import World

TYPE = "gcp:datafusion/instance:Instance"
API = "datafusion.googleapis.com"


def settings_of(world: World, instance: str, time_scale: float = 1.0) -> Settings:
    """The settings of a Data Fusion instance of the world; the defaults where there is none of that id."""
    row = store.find(world.connect(), TYPE, instance)
    if row is None:
        return Settings(time_scale=time_scale)
    return Settings(
        version=str(row.outputs.get("version") or DEFAULT_VERSION),
        edition=str(row.outputs.get("type") or "BASIC"),
        offer=catalog.DATA_FUSION,
        time_scale=time_scale,
    )


def shelf_name(world: World, instance: str) -> str:
    """What an instance's entries are kept under: one made again under the same id begins empty."""
    row = store.find(world.connect(), TYPE, instance)
    return instance if row is None else f"{instance}@{row.created:.6f}"


def hosts(world: World) -> dict[str, str]:
    """The host of every instance's API endpoint, with its id."""
    found: dict[str, str] = {}
    for row in store.everything(world.connect()):
        endpoint = str(row.outputs.get("apiEndpoint") or "")
        if row.token == TYPE and endpoint:
            found[endpoint.removeprefix("https://").partition("/")[0]] = row.id
    return found


def routes(world: World, url: str) -> dict[str, str]:
    """Prefixes of Google's addresses, each with what stands for it at `url`, the base of `localcloud serve`."""
    base = f"{url.rstrip('/')}/datafusion"
    return {f"https://{API}": base, **{f"https://{host}": f"{base}/{host}" for host in hosts(world)}}
