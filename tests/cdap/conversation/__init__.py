"""The conversation that both CDAPs are held to, by parts; the order matters."""

from __future__ import annotations

from tests.cdap.calls import Call
from tests.cdap.conversation import (
    apps,
    artifacts,
    deletion,
    deployment,
    namespaces,
    paths,
    preferences,
    profiles,
    programs,
    schedules,
    securestore,
    studio,
)

CALLS: tuple[Call, ...] = (
    *namespaces.CALLS,
    *preferences.CALLS,
    *securestore.CALLS,
    *artifacts.CALLS,
    *profiles.CALLS,
    *apps.CALLS,
    *deployment.CALLS,
    *schedules.CALLS,
    *studio.CALLS,
    *programs.CALLS,
    *paths.CALLS,
    *deletion.CALLS,
)
