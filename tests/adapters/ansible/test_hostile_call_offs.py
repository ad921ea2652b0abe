"""A call-off with hostile texts: each is refused or stays plain text in every file of every role."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.adapters.ansible.guarded import Guards
from orchestrator.adapters.ansible.runner import AnsibleRunner
from orchestrator.adapters.ansible.warm import WarmStart
from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.runs.assignment import passwords, secrets_variable
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.selling.catalog import Component, Verb
from orchestrator.domain.selling.schema import call_off_schema
from orchestrator.ports.outside import SiteAccess
from orchestrator.ports.runs import Assignment
from orchestrator.usecases.ordering.planning import Planning
from tests.adapters.ansible.hostile import hostile
from tests.conftest import ROOT
from tests.databases import SqliteDatabases
from tests.playbooks.conftest import ALPHA, secrets_of

pytestmark = [pytest.mark.attack, pytest.mark.slow]

CALL_OFF = """
framework: flex
agency:
  id: cabinet-office
  name: Cabinet Office
  class: central-government
  seats: 2500
  contacts: [{role: service-manager, name: Ada Whitehall, email: ada@cabinet-office.example}]
site: practice
term: {start: 2026-12-01, months: 48}
services:
  network:
    tier: standard
    parameters:
      dns_servers: [192.0.2.53]
      remote_workers: [{name: ada, public_key: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=}]
  identity:
    tier: standard
    parameters:
      people: [{name: ada, full_name: Ada Whitehall, email: ada@cabinet-office.example, groups: [finance]}]
      groups: [finance]
  service-desk: {tier: standard, parameters: {email: help@cabinet-office.example, agents: [ada]}}
  desktop: {tier: standard, quantity: 1, parameters: {users: [ada]}}
  thin-client: {tier: standard, quantity: 1, parameters: {users: [ada], image_url: https://images.example/thin}}
  disaster-recovery: {tier: standard}
  data-centre: {tier: standard, quantity: 1}
  flexible-working: {tier: standard, parameters: {users: [ada]}}
  laptop:
    tier: standard
    quantity: 1
    parameters:
      devices:
        - name: lap1
          number: 1
          wireguard_key: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=
          tls_key: MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE%s
      lost: [lap9]
  wide-area-network:
    tier: standard
    quantity: 1
    parameters: {branches: [{name: leeds, number: 1, gateway: branch1}]}
  security: {tier: standard}
recovery:
  time_zone: Europe/London
  windows: [{days: [sat], start: "22:00", end: "23:00"}]
  blackouts: [{start: 2026-12-24, end: 2026-12-27, why: Christmas}]
""" % ("a" * 85 + "A==")
FREE_TEXT = {
    "agency.name",
    "agency.contacts.0.role",
    "agency.contacts.0.name",
    "services.identity.parameters.people.0.full_name",
    "recovery.blackouts.0.why",
}
"""Fields that allow any printable line."""

FILES_WITH_NAME = {"desktop/xrdp.ini.j2", "thin_client/xrdp.ini.j2"}
"""Files with the agency's name. A title in them is the rest of its line, whatever it contains."""

OF_ONE = {
    "path": 0,
    "__wide_area_network_branch": {"name": "leeds", "network": "10.80.113.0/24", "router": "10.80.113.1",
                                   "tag": "branch7-1", "ends": ["10.80.112.2", "10.80.112.130"]},
    "__wide_area_network_via": {"self": "10.80.112.2", "links": "wan*", "ways": {"0.0.0.0/0": ["10.80.112.1"] * 2}},
}  # fmt: skip
"""What templates are given besides that are rendered for one of several."""

RENDER = """
- name: Render every template of the role for every name of the agency
  ansible.builtin.copy:
    content: >-
      {%% set found = [] %%}
      {%%- for name in render_names -%%}
      {%%- set own = {'%s_agency': render_agency | combine({'name': name}), 'ansible_managed': 'managed'} -%%}
      {%%- set files = {} -%%}
      {%%- for file in %s -%%}
      {%%- set _ = files.update({file: lookup('ansible.builtin.template', file, template_vars=own)}) -%%}
      {%%- endfor -%%}
      {%%- set _ = found.append(files) -%%}
      {%%- endfor -%%}
      {{ found | to_json }}
    dest: "{{ render_into }}"
    mode: "0600"
"""


@pytest.fixture(scope="module")
def source() -> CatalogFiles:
    return CatalogFiles(
        catalog_dir=ROOT / "catalog", inventories_dir=ROOT / "inventories", playbooks_dir=ROOT / "playbooks"
    )


def texts_in(document: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every text in a document."""
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, part in parts:
        if isinstance(part, str):
            yield (*at, key)
        yield from texts_in(part, (*at, key))


def call_off() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(CALL_OFF), default=str))
    return document


def changed(at: tuple[str | int, ...], text: str) -> dict[str, Any]:
    """The call-off with another text in one place."""
    document = part = call_off()
    for key in at[:-1]:
        part = part[key]  # type: ignore[index]
    part[at[-1]] = text  # type: ignore[index]
    return document


@pytest.fixture(scope="module")
def accepted(
    source: CatalogFiles, sqlite_databases: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, set[str]]:
    """For each place in the call-off, the hostile texts allowed there. Others are refused with their place."""
    file = tmp_path_factory.mktemp("call-offs") / "call-off.yml"
    store = SqlStore(connect(sqlite_databases.current(file.parent)))
    ordering = Planning(source, store, None)  # type: ignore[arg-type] - reading takes no clock
    found: dict[str, set[str]] = {}
    for at in texts_in(call_off()):
        place = ".".join(map(str, at))
        for text in hostile(file.parent / "proof"):
            file.write_text(yaml.safe_dump(changed(at, text)))
            try:
                ordering.read(file)
            except OrchestratorError as error:
                assert error.kind is (Kind.NOT_COVERED if place == "agency.class" else Kind.INVALID), (place, text)
                assert place in "\n".join(error.details), (place, text, error.details)
            else:
                found.setdefault(place, set()).add(text)
    return found


def test_only_the_known_free_text_fields_accept_a_hostile_text(
    accepted: Mapping[str, set[str]], tmp_path: Path
) -> None:
    assert accepted.keys() == FREE_TEXT
    for place, texts in accepted.items():
        assert all(text.isprintable() for text in texts), place
    assert sum("lookup" in text for text in accepted["agency.name"]) > 1, "these reach the roles"


def test_the_hostile_call_off_covers_every_text_field(source: CatalogFiles) -> None:
    """A new text field must be added above."""
    schema = call_off_schema(source.catalog(), source.bundles(), source.agreements(), source.sites())
    told = {".".join(str(key) for key in at if not isinstance(key, int)) for at in texts_in(call_off())}
    for place in text_fields(schema, schema["$defs"]):
        assert place in told | {"framework", "term.start", "recovery.blackouts.start", "recovery.blackouts.end"}, place


def text_fields(schema: Mapping[str, Any], kinds: Mapping[str, Any], at: str = "") -> Iterator[str]:
    schema = {**kinds[schema["$ref"].rpartition("/")[2]], **schema} if "$ref" in schema else schema
    if schema.get("type") == "string" and "enum" not in schema:
        yield at
    for name, part in schema.get("properties", {}).items():
        yield from text_fields(part, kinds, f"{at}.{name}" if at else name)
    if "items" in schema:
        yield from text_fields(schema["items"], kinds, at)


@pytest.fixture(scope="module")
def playbooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's, whose provisioning renders every template of its role and does nothing else."""
    copy = tmp_path_factory.mktemp("rendering") / "playbooks"
    shutil.copytree(ROOT / "playbooks", copy)
    (copy / "tasks/baseline.yml").write_text("---\n[]\n")  # leave this machine's firewall alone
    for role in (copy / "roles").iterdir():
        if role.name == "identity":  # what its module is told of people
            (role / "templates" / "people.json.j2").write_text("{{ __identity_full_people | to_json }}")
        names = sorted(path.name for path in (role / "templates").glob("*.j2"))
        (role / "tasks/provision.yml").write_text(RENDER % (role.name, json.dumps(names)))
    return copy


@pytest.mark.parametrize("component", sorted(call_off()["services"]))
def test_an_agencys_name_appears_in_few_files_and_only_at_the_end_of_a_line(
    accepted: Mapping[str, set[str]], source: CatalogFiles, playbooks: Path, tmp_path: Path, component: str
) -> None:
    names = ["Cabinet Office", *sorted(accepted["agency.name"])]
    found = source.catalog().components[component]
    plain, *others = rendered(found, source, playbooks, tmp_path, names)
    for name, files in zip(names[1:], others, strict=True):
        for file, text in files.items():
            titled = plain[file] != text
            assert not titled or f"{found.role}/{file}" in FILES_WITH_NAME
            assert text == plain[file].replace("Cabinet Office", name)
    assert not (tmp_path / "proof").exists()


def test_a_persons_name_reaches_the_directory_as_it_is(
    accepted: Mapping[str, set[str]], source: CatalogFiles, playbooks: Path, tmp_path: Path
) -> None:
    texts = sorted(accepted["services.identity.parameters.people.0.full_name"])
    assert sum("lookup" in text for text in texts) > 1
    people = [{"name": f"person{n}", "full_name": text} for n, text in enumerate(texts)]
    found = source.catalog().components["identity"]
    [files] = rendered(found, source, playbooks, tmp_path, ["Cabinet Office"], people=people)
    assert [one["full_name"] for one in json.loads(files.pop("people.json.j2"))] == texts
    assert [file for file, text in files.items() if any(hostile in text for hostile in texts)] == []
    assert not (tmp_path / "proof").exists()


def rendered(
    component: Component, source: CatalogFiles, playbooks: Path, folder: Path, names: list[str], **chosen: Any
) -> list[dict[str, str]]:
    """Every template of the component's role, by name, for each name of the agency: by a real step."""
    order = CallOff.model_validate(call_off())
    site = source.site("practice")
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    hosts = {function: [{"name": "here", "address": "192.0.2.7"}] for function in component.hosts}
    told: dict[str, Any] = {
        "agency": {**order.agency.model_dump(include={"id", "name", "seats"}), "number": 7, "domain": "a.example",
                   "email": order.agency.contacts[0].email},
        "tier": "standard", "quantity": 1, "admits": [], "ways": [],
        "certified": {"begins": "2026-11-01T00:00:00+00:00", "ends": "2027-11-01T00:00:00+00:00"},
        "functions": sorted(component.hosts), "hosts": hosts,
        "needs": {"network": {"gateway": hosts[next(iter(hosts))]}},
        "allocation": {"subnet": "10.64.7.0/24", "vpn_port": "51827", "session_port": "13007", "journal_port": "19607",
                       "directory_port": "63607", "access_port": "24437", "access_network": "10.65.7.0/24",
                       "device_port": "15007", "laptop_port": "54007", "branch_port": "55007",
                       "second_branch_port": "55261", "branch_network": "10.80.112.0/20"},
        "bubble": {"directory": "/nonexistent", "name": "drill-1", "snapshot": "x", "address": "192.0.2.8"},
        **component.resolve("standard", {**order.services[component.component].parameters, **chosen}),
    }  # fmt: skip
    variables = {f"{component.role}_{name}": value for name, value in told.items()}
    more = {**OF_ONE, "render_names": names, "render_into": str(folder / "rendered"), "render_agency": told["agency"]}
    warm, secrets = WarmStart(playbooks), secrets_of(ALPHA, component.component, source)
    runner = AnsibleRunner(playbooks=playbooks, guards=Guards(lease_seconds=600), access_of=_no_access, warm=warm)
    outcome = runner.run(
        Assignment(
            run=1,
            step=f"{component.component}.provision",
            role=component.role,
            verb=Verb.PROVISION,
            site=site.model_copy(update={"facts": {**site.facts, **here}, "hosts": {"here": _a_host(site)}}),
            variables={"here": {**variables, **more}},
            secrets=secrets,
            passwords=passwords(component, told, secrets),
            secrets_variable=secrets_variable(component),
            timeout=timedelta(minutes=5),
        ),
        on_events=lambda _: None,
        cancelled=lambda: False,
    )
    warm.close()
    assert outcome.state == "succeeded", outcome.error
    files: list[dict[str, str]] = json.loads((folder / "rendered").read_text())
    return files


def _a_host(site: Any) -> Any:
    return next(iter(site.hosts.values())).model_copy(update={"name": "here", "variables": {}})


def _no_access(_: str) -> SiteAccess:
    return SiteAccess(key=Path("/dev/null"), known_hosts=Path("/dev/null"))
