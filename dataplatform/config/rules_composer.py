"""What a Composer environment may be set to, by generation; and what holds for two of them in one stack.

Source: the checks of the google provider (google_composer_environment, terraform-provider-google-beta 93c65b2d60) and
Google's documentation of Composer; the figures are in `composer_facts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplatform.config.composer_facts import END_OF_LIFE, OFFERED, VERSIONS_READ, WITHDRAWN
from dataplatform.config.document import Path
from dataplatform.config.gcp.composer import Composer
from dataplatform.config.platform import Gcp
from dataplatform.config.rules_composer_settings import settings_rules
from dataplatform.config.rules_composer_sizes import size_rules
from dataplatform.config.rules_composer_software import software_rules
from dataplatform.config.text import shown

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_MAIN: Final[Path] = ("gcp", "composer")
_PREVIOUS: Final[Path] = ("gcp", "previous_composer")


def composer_rules(gcp: Gcp, findings: Findings) -> None:
    """The rules of Composer."""
    for at, composer in ((_MAIN, gcp.composer), (_PREVIOUS, gcp.previous_composer)):
        if composer is None:
            continue
        _generation(composer, at, findings)
        size_rules(composer, at, findings)
        software_rules(gcp, composer, at, findings)
        settings_rules(gcp, composer, at, findings)
    if gcp.composer is not None and not gcp.composer.keep_version:
        _offered(gcp.composer, findings)
    _together(gcp, findings)


def _generation(composer: Composer, at: Path, findings: Findings) -> None:
    image: Path = (*at, "image_version")
    if composer.generation == 2 and composer.airflow[0] == 3:
        findings.tell("DP212", image, "Composer 2 has no Airflow 3", "write composer-3-airflow-3, or airflow-2 here")
    if composer.generation == 2 and composer.private and composer.network is None:
        findings.tell(
            "DP212",
            (*at, "private"),
            "a private environment of Composer 2 needs a network",
            "add network: {network: …, subnetwork: …}, or use Composer 3",
            needs=((*at, "network"), image),
        )


def _offered(composer: Composer, findings: Findings) -> None:
    """A version that new environments cannot have; what is newer than the list is not judged."""
    at: Path = (*_MAIN, "image_version")
    version, offered = composer.image_version, OFFERED[composer.generation]
    newest = {minor: patches[-1] for minor, patches in offered.items()}
    prefix = f"composer-{composer.generation}-airflow-"
    known = [f"{prefix}{major}.{minor}.{patch}" for (major, minor), patch in newest.items()]
    remedy = f"write one of {', '.join(known)}; an environment that is there stays on it with keep_version: true"
    if version in WITHDRAWN:
        findings.tell("DP241", at, f"the build {shown(version)} was withdrawn", remedy)
        return
    for beginning, day in END_OF_LIFE.items():
        if version.startswith(beginning):
            message = f"{shown(version)} cannot be used since {day}"
            findings.tell("DP241", at, message, f"write one of {', '.join(known)}")
            return
    airflow = composer.airflow
    if len(airflow) < 2 or (composer.generation == 2 and airflow[0] == 3):
        return
    minor = (airflow[0], airflow[1])
    # A minor that is not in the list, and not after it, was offered once, or never came to Composer.
    gone = len(airflow) == 3 and airflow[2] < offered[minor][0] if minor in offered else minor < max(offered)
    if gone:
        number = ".".join(map(str, airflow))
        message = f"Composer {composer.generation} offers no Airflow {number} (as of {VERSIONS_READ})"
        findings.tell("DP241", at, message, remedy)


def _together(gcp: Gcp, findings: Findings) -> None:
    previous, composer = gcp.previous_composer, gcp.composer
    if gcp.airflow_bucket is not None and composer is not None:
        findings.tell(
            "DP242",
            ("gcp", "airflow_bucket"),
            "the stack has an environment of its own, with a bucket of its own",
            "take airflow_bucket out, or composer",
            needs=(_MAIN,),
            key=True,
        )
    if previous is None:
        return
    if composer is None:
        message = "an environment is previous to another, and the stack has no composer"
        findings.tell("DP242", _PREVIOUS, message, "call it composer", needs=(_MAIN,), key=True)
        return
    if previous.name == composer.name:
        findings.tell(
            "DP242",
            (*_PREVIOUS, "name"),
            f"both environments are called {shown(composer.name)}",
            "leave the previous one its name, and give composer another",
            needs=((*_MAIN, "name"),),
        )
    if previous.dags and composer.dags:
        findings.tell(
            "DP242",
            (*_PREVIOUS, "dags"),
            "both environments would run every DAG",
            "write dags: false in the one that is not to run them",
            needs=((*_MAIN, "dags"),),
        )
