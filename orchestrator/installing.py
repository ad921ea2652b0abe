"""What has to be there before anything can be built: keys, databases, the practice site's driver."""

from typing import TYPE_CHECKING

from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.adapters.practice.site import PracticeSite


def initialise(settings: Settings) -> list[str]:
    """Create what is missing: state directory, encryption key, database. What was done, in sentences."""
    from orchestrator.adapters.database.connection import connect
    from orchestrator.adapters.database.migrating import upgrade
    from orchestrator.adapters.engine import queueing
    from orchestrator.adapters.keys.evidence_signing import make_signing_key
    from orchestrator.adapters.keys.secret_box import make_key

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    made_key, made_signing_key = make_key(settings.key_file), make_signing_key(settings.signing_key_file)
    database = connect(settings.database_url)
    before, after = upgrade(database)
    queueing.migrate(queueing.url_for(database))
    database.dispose()
    key = "created, mode 0600; back it up apart from the database" if made_key else "kept"
    state = "created" if before is None else "kept" if before == after else f"upgraded from {before}"
    signing = "created, mode 0600; back it up" if made_signing_key else "kept"
    return [
        f"encryption key {settings.key_file}: {key}",
        f"key that signs evidence {settings.signing_key_file}: {signing}",
        f"database: {state}, schema {after}",
    ]


def practice_site(settings: Settings) -> "PracticeSite":
    """The driver of the practice site."""
    from orchestrator.adapters.practice.site import PracticeSite

    return PracticeSite(
        inventory=settings.inventories / "practice", home=settings.home, cache=settings.cache.expanduser()
    )
