"""Walking: what answers, from where, to whom; and what the catalog declares, read a second time and by itself."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator.domain.estate.site import Site
from tests.conftest import ROOT
from tests.playbooks.conftest import Steps

CATALOG: Mapping[str, Mapping[str, Any]] = {
    file.stem: yaml.safe_load(file.read_text()) for file in (ROOT / "catalog" / "components").glob("*.yml")
}
Target = tuple[str, str, int]
"""Address, protocol, port."""

WALK = """
import json, socket, struct, sys
from concurrent.futures import ThreadPoolExecutor

ASKED = {
    53: struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + b"\\7gateway\\0" + struct.pack(">HH", 1, 1),
    69: struct.pack(">H", 1) + b"boot.ipxe\\0octet\\0",
    123: b"\\x23" + bytes(47),
}

def reached(target):
    address, protocol, port = target
    try:
        if protocol == "tcp":
            socket.create_connection((address, port), timeout=SECONDS).close()
            return True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(SECONDS)
            asking.sendto(ASKED.get(port, b"?"), (address, port))
            asking.recvfrom(2048)
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False

SECONDS = 3.0
targets = json.loads(TARGETS)
with ThreadPoolExecutor(128) as pool:
    print(json.dumps([target for target, found in zip(targets, pool.map(reached, targets)) if found]))
"""

LISTENING = "ss --tcp --udp --listening --numeric --no-header | awk '{print $1, $5}'"
DIALLED = ("vpn_port", "laptop_port", "branch_port", "second_branch_port", "access_port")
"""Ports of UDP that answer to nobody without a key."""
STRAY = 8081
"""A port that a program which nobody declared has on every host, for as long as we walk."""


@dataclass(frozen=True)
class Source:
    """A place that somebody asks from: a host of the site, with what has to be put before a command to be there."""

    name: str
    host: str = ""
    enter: str = ""


def walk(steps: Steps, source: Source, targets: Iterable[Target]) -> set[Target]:
    """Which of these answer there. A source without a host is this machine."""
    program = f"TARGETS = {json.dumps(json.dumps(sorted(targets)))}\n{WALK}"
    if source.host:
        said = steps.on(source.host, f"{source.enter} python3 - <<'PROGRAM'\n{program}\nPROGRAM")
    else:
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return {(address, protocol, port) for address, protocol, port in json.loads(said)}


def listening(steps: Steps, host: str) -> set[tuple[str, int]]:
    """Protocol and port of everything that listens on a host."""
    lines = (line.split() for line in steps.on(host, LISTENING).splitlines())
    return {(protocol, int(local.rpartition(":")[2])) for protocol, local in lines if not local.endswith("*")}


def device(steps: Steps, agency: str, number: int, subnet: str) -> Source:
    """A device with a fixed address on an agency's network."""
    name, prefix = f"walker{number}", subnet.rpartition(".")[0]
    steps.on(
        "gw1",
        f"ip netns add {name}; ip link add {name} type veth peer name eth0 netns {name}; "
        f"ip link set {name} master agency{number} up; ip -n {name} link set lo up; ip -n {name} link set eth0 up; "
        f"ip -n {name} address add {prefix}.201/24 dev eth0; ip -n {name} route add default via {prefix}.1",
    )
    return Source(f"device of {agency}", "gw1", f"ip netns exec {name}")


def differences(steps: Steps, views: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is reached and not declared, and the other way round, for agencies as `agency show --json` has them.

    From every host, this machine, and a device and a session of each agency, everything that listens on a host that
    serves an agency is asked for: a host that serves nobody is not protected yet. Remote access is not: it answers to
    nobody without a key, as the DHCP server to nobody without an address.
    """
    site, held = steps.site, {agency: view["allocations"] for agency, view in views.items()}
    serving = sorted({host for view in views.values() for service in view["services"] for host in service["hosts"]})
    try:
        for host in serving:
            stray = f"systemd-run --quiet --unit=stray python3 -m http.server {STRAY}"
            steps.on(host, f"{stray}; until ss -ltn | grep -q :{STRAY}; do sleep 0.1; done")
        ports = {port for host in serving for port in listening(steps, host)}
        ports |= {("tcp", int(blocks["session_port"])) for blocks in held.values() if "session_port" in blocks}
        dialled = {int(blocks[name]) for blocks in held.values() for name in DIALLED if name in blocks}
        ports -= {("udp", 67), *(("udp", port) for port in dialled)}
        inside = {_inside(view) for view in views.values()}
        allowed, wrong = declared(views, site), []
        for source in _sources(steps, held):
            addresses = {site.hosts[name].address for name in serving if name != source.name}
            addresses |= inside if source.name != "gw1" else set()
            asked = {(address, *port) for address in addresses for port in ports}
            found = walk(steps, source, asked)
            right = {target for name, target in allowed if name == source.name} & asked
            wrong += [f"{source.name} reaches {target}" for target in found - right]
            wrong += [f"{source.name} does not reach {target}" for target in right - found]
        return wrong
    finally:
        for host in serving:
            steps.on(host, "systemctl stop stray")
        steps.on("gw1", "for name in $(ip netns list | grep -o '^walker[0-9]*'); do ip netns delete $name; done")


def _sources(steps: Steps, held: Mapping[str, Mapping[str, str]]) -> Iterator[Source]:
    yield Source("controller")
    yield from (Source(host, host) for host in steps.site.hosts)
    for agency, blocks in held.items():
        yield device(steps, agency, int(blocks["number"]), blocks["subnet"])
        if "session_port" in blocks:
            yield Source(f"session of {agency}", "thin1", f"ip netns exec sessions{blocks['number']}")


def declared(views: Mapping[str, Mapping[str, Any]], site: Site) -> set[tuple[str, Target]]:
    """(name of a source, what it may reach) by the catalog's files, for agencies as `agency show --json` has them.

    Of what anyone may ask, only an access server answers to those without a key.
    """
    allowed: set[tuple[str, Target]] = {("controller", (host.address, "tcp", 22)) for host in site.hosts.values()}
    for agency, view in views.items():
        # A gateway has an address on each agency's network too, and is managed by whichever.
        allowed.add(("controller", (_inside(view), "tcp", 22)))
        placed = {s["component"]: _placed(s, site) for s in view["services"]}
        known = {**view["allocations"], "repository_port": 9000 + int(view["allocations"]["number"])}
        for name, functions in placed.items():
            for reach in CATALOG[name].get("reachability", ()):
                sources = _admitted(reach, agency, name, placed, site)
                inside = _inside(view)
                for host in functions[reach["function"]]:
                    at = inside if reach.get("at") == "network" else site.hosts[host].address
                    for port in reach["ports"]:
                        protocol, _, number = port.format(**known).partition("/")
                        allowed |= {(source, (at, protocol, int(number))) for source in sources}
    return allowed


def _inside(view: Mapping[str, Any]) -> str:
    """The address that the gateway has on an agency's network."""
    return str(view["allocations"]["subnet"]).rpartition(".")[0] + ".1"


def _placed(service: Mapping[str, Any], site: Site) -> dict[str, list[str]]:
    """function -> the hosts of a service that have it."""
    groups = CATALOG[service["component"]].get("hosts", {})
    return {f: [h for h in service["hosts"] if group in site.hosts[h].groups] for f, group in groups.items()}


def _admitted(
    reach: Mapping[str, Any], agency: str, name: str, placed: Mapping[str, Mapping[str, list[str]]], site: Site
) -> set[str]:
    """The names of the sources that a component admits to some of its ports."""
    sources = {source for audience in reach["admits"] for source in _of(audience, agency, name, placed)}
    if "devices" in reach["admits"] and CATALOG[name]["tenancy"] == "shared":
        sources |= {*placed["network"]["gateway"]}  # by whose address they are seen
    if "devices" in reach["admits"] and reach.get("at") != "network":
        sources |= {*_dialled(placed)}
    return sources | {"controller", *site.hosts} if "anyone" in reach["admits"] else sources


def _dialled(placed: Mapping[str, Mapping[str, list[str]]]) -> Iterator[str]:
    """The hosts by whose addresses those are seen who dial in to them."""
    for name, functions in placed.items():
        for function in CATALOG[name].get("dial_in", ()):
            yield from functions[function]


def _of(audience: str, agency: str, component: str, placed: Mapping[str, Mapping[str, list[str]]]) -> Iterator[str]:
    """Names of the sources that are an agency's audience."""
    if audience == "provider":
        yield "controller"
    if audience == "devices":
        yield f"device of {agency}"
    if audience == "workplaces" and "thin-client" in placed:
        yield f"session of {agency}"
        yield from placed["thin-client"]["sessions"]  # whose address its sessions go by
    belongs = {
        "workplaces": {"desktop"},
        "backups": {name for name, facts in CATALOG.items() if facts.get("recovery", {}).get("data")},
        "recovery": {"disaster-recovery"},
        "own": {component},
    }
    for name in belongs.get(audience, set()) & placed.keys():
        for hosts in placed[name].values():
            yield from hosts
