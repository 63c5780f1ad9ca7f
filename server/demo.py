"""The demo class: opened at start with `--demo`, entered by one reusable link per role.

Each start opens the class of the last one if it is still running, so that links and people survive a restart.
"""

from typing import Final

from aiohttp import web

from server import auth, classes, keys
from server.keys import Demo
from signaling.classroom.roles import Role
from signaling.classroom.settings import Profile

_LIFE_S: Final = auth.MAX_LIFE_S[auth.Kind.INVITE]
TITLE: Final = "示范课 · Demo class"


async def start(app: web.Application) -> Demo:
    """Open the demo class, or find the one a previous start opened."""
    running = [found for found in await classes.list_classes(app, ended=False, after=None, limit=100) if found.session.startswith("demo-")]
    if running:
        return Demo(session=running[0].session, title=running[0].title)
    created = await classes.create(app, classes.new_id("demo-"), title=TITLE, profile=Profile.SMALL, starts_at=None)
    return Demo(session=created.session, title=created.title)


def links(app: web.Application, demo: Demo, now: float) -> dict[str, str]:
    """Path of the link for each role and the operator; each good for a day."""
    ring, audience = app[keys.RING], app[keys.CONFIG].tokens.audience
    found = {}
    for role in Role:
        invite = auth.issue(auth.Kind.INVITE, ring, audience=audience, now=now, life_s=_LIFE_S, room=demo.session, role=role)
        found[str(role)] = f"/join#invite={invite}"
    login = auth.issue(auth.Kind.OPERATOR, ring, audience=audience, now=now, life_s=_LIFE_S, sub="operator")
    return {**found, "operator": f"/operator#login={login}"}
