"""The content of a step's private folder, by host."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from orchestrator.adapters.ansible.workspace import workspace
from orchestrator.domain.estate.site import Host, Site
from orchestrator.domain.runs.assignment import writer_of
from orchestrator.domain.selling.catalog import Verb
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment

KEPT = {"writer_password": "one secret", "repository_password": "another secret"}
HOSTS = {name: Host(name=name, address="192.0.2.1", groups=("g",)) for name in ("a1", "a2", "keeper1")}
WRITERS = {name: writer_of("desktop", name, KEPT) for name in ("a1", "a2")}


def test_each_host_gets_only_its_own_credentials_for_backups() -> None:
    assignment = Assignment(
        run=1,
        step="desktop.backup",
        role="desktop",
        verb=Verb.BACKUP,
        site=Site(name="s", domain="d", pools={}, hosts=HOSTS),
        variables={name: {"desktop_tier": "standard"} for name in WRITERS},
        secrets={"recovery_authority_key": "a key for all"},
        secrets_variable="desktop_secrets",
        writers=WRITERS,
        keeper="keeper1",
        timeout=timedelta(minutes=1),
    )
    with workspace(assignment, SiteAccess(key=Path("/key"), known_hosts=Path("/known"))) as place:
        files = {file: file.read_text() for file in place.inventory.rglob("*") if file.is_file()}
        told = {name: opened(place.inventory / "host_vars" / name / "writer.yml", place.password) for name in WRITERS}
        shared = opened(place.inventory / "group_vars" / "all.yml", place.password)
        hosts: Mapping[str, Any] = yaml.safe_load((place.inventory / "hosts.json").read_text())["all"]
    assert told == {name: {"step_writer": writer} for name, writer in WRITERS.items()}
    assert shared == {"desktop_secrets": {"recovery_authority_key": "a key for all"}}
    words = {word for writer in WRITERS.values() for name, word in writer.items() if name != "name"}
    assert [file for file, text in files.items() if any(word in text for word in words)] == []
    assert hosts["hosts"].keys() == WRITERS.keys()
    assert hosts["children"]["keeper"]["hosts"].keys() == {"keeper1"}
    assert assignment.hidden == words | {"a key for all"}


def opened(file: Path, password: bytes) -> Any:
    vault = VaultLib([("default", VaultSecret(password))])
    return yaml.safe_load(vault.decrypt(file.read_text()).decode().removeprefix("!unsafe\n"))
