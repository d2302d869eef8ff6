"""Azure's public regions, by the names its API takes.

Source: https://learn.microsoft.com/azure/reliability/regions-list, from memory of 2026 and not read again; a region
that opens later is added here. Deliberately absent: the regions of sovereign clouds, which other endpoints serve.
"""

from __future__ import annotations

from typing import Final

_NAMES = """
australiacentral australiacentral2 australiaeast australiasoutheast austriaeast belgiumcentral brazilsouth
brazilsoutheast canadacentral canadaeast centralindia centralus chilecentral eastasia eastus eastus2
francecentral francesouth germanynorth germanywestcentral indonesiacentral israelcentral italynorth japaneast
japanwest jioindiacentral jioindiawest koreacentral koreasouth malaysiawest mexicocentral newzealandnorth
northcentralus northeurope norwayeast norwaywest polandcentral qatarcentral southafricanorth southafricawest
southcentralus southeastasia southindia spaincentral swedencentral swedensouth switzerlandnorth
switzerlandwest uaecentral uaenorth uksouth ukwest westcentralus westeurope westindia westus westus2 westus3
"""

LOCATIONS: Final[frozenset[str]] = frozenset(_NAMES.split())
