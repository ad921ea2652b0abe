"""The site's network on this machine: a bridge with a route to the outside.

The bridge's alias records which site it belongs to, and the setting of IP forwarding before the first practice site.
The kernel keeps the alias as long as the bridge, so no file can contradict it.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from orchestrator.adapters.practice.commands import run
from orchestrator.domain.errors import Kind, OrchestratorError

LAST_CHOICE = 10_000
"""The metric of our routes: the machine's own routes to the same networks take precedence."""

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_INTERFACES = Path("/sys/class/net")
_ALIAS = re.compile(r"practice site forwarding=(?P<forwarding>[01]) (?P<home>.*)")
_RULES = """
table ip {name}
delete table ip {name}
table ip {name} {{
    chain forward {{
        type filter hook forward priority filter
        # A way out may carry smaller packets than the bridge does.
        ip saddr {network} oifname != "{name}" tcp flags syn tcp option maxseg size set rt mtu
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat
        ip saddr {network} oifname != "{name}" masquerade
    }}
}}
"""


@dataclass(frozen=True)
class Bridge:
    """The bridge of the site whose state is in `home`."""

    name: str
    interface: IPv4Interface
    home: Path
    routes: Sequence[tuple[IPv4Network, IPv4Address]] = ()
    """Networks behind hosts of the site. Existing routes of the machine take precedence; ours end with the bridge."""

    def up(self) -> None:
        """Set up the bridge, the route to the outside and forwarding. Refuses if another site uses any of them."""
        links = _links()
        self._refuse_strangers(links)
        if self._owner(links) is None:
            former = next(iter(_practice_sites(links).values()), None)
            forwarding = former["forwarding"] if former else _FORWARDING.read_text().strip()
            alias = f"practice site forwarding={forwarding} {self.home}"
            # The MAC address is fixed; otherwise it would change as hosts come and go.
            hardware = "02:" + ":".join(f"{byte:02x}" for byte in (0x53, *self.interface.ip.packed))
            if not any(link["ifname"] == self.name for link in links):
                run("ip", "link", "add", "name", self.name, "address", hardware, "type", "bridge")
            run("ip", "link", "set", "dev", self.name, "alias", alias)
        run("ip", "address", "replace", str(self.interface), "dev", self.name)
        run("ip", "link", "set", "dev", self.name, "up")
        for network, host in self.routes:
            last_choice = ("metric", str(LAST_CHOICE))
            run("ip", "route", "replace", str(network), "via", str(host), "dev", self.name, *last_choice)
        run("nft", "-f", "-", text=_RULES.format(name=self.name, network=self.interface.network))
        _FORWARDING.write_text("1")

    def down(self) -> None:
        """Remove what `up` created. The machine's last practice site restores the setting of IP forwarding."""
        links = _links()
        sites = _practice_sites(links)
        if self._owner(links) != str(self.home):
            return
        run("nft", "-f", "-", text=f"table ip {self.name}\ndelete table ip {self.name}\n")
        if len(sites) == 1:
            _FORWARDING.write_text(sites[self.name]["forwarding"])
        run("ip", "link", "delete", "dev", self.name)

    def _owner(self, links: list[dict[str, Any]]) -> str | None:
        site = _practice_sites(links).get(self.name)
        return site["home"] if site else None

    def _refuse_strangers(self, links: list[dict[str, Any]]) -> None:
        sites = _practice_sites(links)
        for link in links:
            name = link["ifname"]
            networks = [
                IPv4Interface(f"{address['local']}/{address['prefixlen']}").network
                for address in link["addr_info"]
                if address["family"] == "inet"
            ]
            if name == self.name:
                ours = sites[name]["home"] == str(self.home) if name in sites else not networks
            else:
                ours = not any(network.overlaps(self.interface.network) for network in networks)
            if not ours:
                self._refuse(name, sites.get(name))

    def _refuse(self, name: str, site: re.Match[str] | None) -> None:
        what = f"bridge {name}" if name == self.name else f"network {self.interface.network}, which {name} is in"
        if site is None:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"This machine already uses the practice site's {what}",
                hint="Change practice_bridge or practice_address, and the hosts' addresses, in the inventory.",
            )
        raise OrchestratorError(
            Kind.CONFLICT,
            f"Another practice site, that of {site['home']}, already uses the {what}",
            hint=f"Take it down first: ORCHESTRATOR_HOME={site['home']} orchestrator practice down",
        )


def _links() -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = json.loads(run("ip", "-json", "address", "show"))
    return [link for link in links if link]


def _practice_sites(links: list[dict[str, Any]]) -> dict[str, re.Match[str]]:
    """Return the parsed alias of every practice site's bridge, by name. Hosts of other sites come and go meanwhile, and
    with them links."""
    sites = {}
    for link in links:
        with suppress(OSError):
            if alias := _ALIAS.fullmatch((_INTERFACES / link["ifname"] / "ifalias").read_text().strip()):
                sites[link["ifname"]] = alias
    return sites
