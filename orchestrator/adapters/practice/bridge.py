"""The site's network on this machine: one bridge, and a way out for those on it.

The bridge's alias says whose it is and what IP forwarding was before the first practice site. The kernel keeps it
exactly as long as the bridge, so no file can disagree with it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from orchestrator.adapters.practice.commands import run
from orchestrator.domain.errors import Kind, OrchestratorError

LAST_CHOICE = 10_000
"""Metric of our routes: the machine's own ways to the same networks go before."""

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
    """A bridge of the site whose state is in `home`."""

    name: str
    interface: IPv4Interface
    home: Path
    routes: Sequence[tuple[IPv4Network, IPv4Address]] = ()
    """Networks behind hosts of the site. A way that the machine has already goes before; they end with the bridge."""

    def up(self) -> None:
        """Make the bridge, the way out and forwarding what they should be; share none of it with a stranger."""
        links = _links()
        self._refuse_strangers(links)
        if self._owner(links) is None:
            former = next(iter(_practice_sites(links).values()), None)
            forwarding = former["forwarding"] if former else _FORWARDING.read_text().strip()
            alias = f"practice site forwarding={forwarding} {self.home}"
            # The address is named, or it would change with the hosts that come and go.
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
        """Remove what `up` made. Forwarding goes back with the last practice site of the machine."""
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
    """Return the alias, taken apart, of every practice site's bridge by its name."""
    sites = {}
    for link in links:
        alias = _ALIAS.fullmatch((_INTERFACES / link["ifname"] / "ifalias").read_text().strip())
        if alias:
            sites[link["ifname"]] = alias
    return sites
