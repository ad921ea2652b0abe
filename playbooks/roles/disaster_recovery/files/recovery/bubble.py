"""The bubble: a machine over this host's own files, on a network that leads nowhere but here.

Its root is an overlay, so it has every program that stands by on this host, and what it writes is the drill's. Of what
this host keeps to itself it sees nothing. Only this host can connect to it, and it can only answer: a firewall on
either side says so, it has no route anywhere, and it cannot change the firewall on the outside.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

import leases
from host import run, succeeds
from leases import Drill, DrillError

# Other agencies' backups, passwords and drills, and who may log in to this host.
HIDDEN = (
    "/srv/recovery",
    "/etc/recovery",
    "/var/lib/recovery",
    "/var/log/journal",
    "/root",
    "/home",
    "/etc/ssh/authorized_keys.d",
)
LINK = "bubble0"
"""The bubble's end of the only link it has."""

UNIT = """[Unit]
Description=What was restored
After=basic.target systemd-user-sessions.service
[Service]
ExecStart=/recovery/start
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=recovery.target
"""
# Without the timers, the mail server and the cron daemon of multi-user.target: nothing here acts by itself.
TARGET = """[Unit]
Description=The bubble
Requires=basic.target recovery-start.service
Wants=systemd-user-sessions.service
After=basic.target
AllowIsolate=yes
"""
OUTSIDE = """table inet {link} {{
    chain input {{
        type filter hook input priority filter - 10; policy accept;
        iifname "{link}" ct state established,related accept
        iifname "{link}" drop
    }}
    chain forward {{
        type filter hook forward priority filter - 10; policy accept;
        iifname "{link}" drop
        oifname "{link}" drop
    }}
}}
"""
INSIDE = """table inet bubble {{
    chain output {{
        type filter hook output priority filter; policy drop;
        oifname "lo" accept
        ip daddr {host} ct state established,related accept
    }}
    chain input {{
        type filter hook input priority filter; policy drop;
        iifname "lo" accept
        ip saddr {host} accept
    }}
}}
"""


def make(drill: Drill) -> list[str]:
    """Make everything but the machine itself, and return what was made."""
    if Path("/sys/class/net", drill.link).exists():
        raise DrillError(f"{drill.link} exists already: drill {drill.number} was prepared before")
    return [*make_network(drill), *make_root(drill)]


def make_network(drill: Drill) -> list[str]:
    """Make a namespace with one link to this host."""
    host, own = drill.addresses
    # The firewall first, so that there is no moment without it.
    run("nft", "--file", "-", text=OUTSIDE.format(link=drill.link))
    run("ip", "netns", "add", drill.name)
    inside = ("ip", "netns", "exec", drill.name)
    run(*inside, "nft", "--file", "-", text=INSIDE.format(host=host))
    run("ip", "link", "add", drill.link, "type", "veth", "peer", "name", LINK, "netns", drill.name)
    run("ip", "address", "add", f"{host}/30", "dev", drill.link)
    run("ip", "link", "set", drill.link, "up")
    run("ip", "-n", drill.name, "address", "add", f"{own}/30", "dev", LINK)
    run("ip", "-n", drill.name, "link", "set", LINK, "up")
    run("ip", "-n", drill.name, "link", "set", "lo", "up")
    return [f"firewall {drill.link}", f"namespace {drill.name}", f"link {drill.link}"]


def make_root(drill: Drill) -> list[str]:
    """Mount the overlay and give it the identity of a machine that has never been started."""
    layer = drill.folder / "layer"
    for folder in (layer, drill.root):
        folder.mkdir()
    made = [f"mount {drill.root}"]
    # An overlay cannot be the upper layer of another: where this host's disk is one, the drill's writes stay in memory.
    if run("stat", "--file-system", "--format=%T", str(layer)).strip() == "overlayfs":
        run("mount", "-t", "tmpfs", "-o", "mode=0755", drill.name, str(layer))
        made.append(f"mount {layer}")
    upper, work = layer / "upper", layer / "work"
    for folder in (upper, work):
        folder.mkdir(mode=0o755)
    for path in HIDDEN:
        hide(upper, Path(path))
    run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", drill.name, str(drill.root))
    (drill.root / "home").mkdir(mode=0o755)
    (drill.root / "root").mkdir(mode=0o700)
    etc = drill.root / "etc"
    for secret in (etc / "ssh").glob("ssh_host_*"):
        secret.unlink()
    (etc / "machine-id").write_text("")
    (etc / "resolv.conf").unlink(missing_ok=True)
    (etc / "resolv.conf").write_text("# no name server is reachable from here\n")
    (etc / "systemd/system/timers.target").symlink_to("/dev/null")
    (etc / "systemd/system/recovery-start.service").write_text(UNIT)
    (etc / "systemd/system/recovery.target").write_text(TARGET)
    return made


def hide(upper: Path, path: Path) -> None:
    """Put into the upper layer what an overlay writes for something removed: nothing inside can take that away."""
    if not path.exists():
        return
    for parent in reversed(path.parents[:-1]):
        copy = upper / parent.relative_to("/")
        if not copy.exists():
            copy.mkdir()
            shutil.copystat(parent, copy)
    os.mknod(upper / path.relative_to("/"), stat.S_IFCHR, os.makedev(0, 0))


def name(drill: Drill, host: str) -> None:
    """Let the bubble be the host that was backed up."""
    etc = drill.root / "etc"
    (etc / "hostname").write_text(f"{host}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n{drill.addresses[1]} {host}\n")


def start(drill: Drill) -> None:
    """Boot the machine in a unit of its own; it goes on starting what was restored when this returns."""
    if not os.access(drill.folder / "start", os.X_OK):
        raise DrillError(f"drill {drill.number} has nothing to start; restore a component into it first")
    folder, host = str(drill.folder), (drill.root / "etc/hostname").read_text().strip()
    binds = [f"--bind={folder}/restored:/recovery/restored"]
    binds += [f"--bind-ro={folder}/{program}:/recovery/{program}" for program in ("start", "check")]
    asked = drill.folder / "capabilities"
    granted = [f"--capability={asked.read_text().strip()}"] if asked.exists() else []
    unit = ["--collect", "--property=KillMode=control-group", "--property=Delegate=yes", "--property=Type=notify"]
    run(
        "systemd-run", "--quiet", f"--unit={drill.name}", *unit, "--setenv=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no",
        f"--directory={drill.root}", f"--machine={drill.name}", f"--hostname={host}",
        f"--network-namespace-path=/run/netns/{drill.name}", "--resolv-conf=off", "--timezone=off",
        *granted, *binds, "systemd.unit=recovery.target",
    )  # fmt: skip


def ask(drill: Drill, *command: str) -> str:
    """Run a program inside, as a unit of the bubble's own, and return what it printed."""
    group = Path(f"/sys/fs/cgroup/system.slice/{drill.name}.service/payload/init.scope/cgroup.procs")
    if not group.exists():
        raise DrillError(f"the bubble of drill {drill.number} does not run; start it first")
    first = group.read_text().split()[0]
    enter = ["nsenter", f"--target={first}", "--mount", "--uts", "--ipc", "--net", "--pid"]
    return run(*enter, "systemd-run", "--quiet", "--wait", "--pipe", "--collect", *command)


def belongings(drill: Drill) -> list[str]:
    """Return everything of the drill's that is still there, in words."""
    found = []
    if succeeds("systemctl", "is-active", f"{drill.name}.service"):
        found.append(f"unit {drill.name}")
    if Path("/run/netns", drill.name).exists():
        found.append(f"namespace {drill.name}")
    if Path("/sys/class/net", drill.link).exists():
        found.append(f"link {drill.link}")
    if succeeds("nft", "list", "table", "inet", drill.link):
        found.append(f"firewall {drill.link}")
    found += [f"mount {mount}" for mount in mounts(drill)]
    return found + ([f"folder {drill.folder}"] if drill.folder.exists() else [])


def mounts(drill: Drill) -> list[str]:
    """Return what is mounted below its folder, innermost first."""
    targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((target for target in targets if target.startswith(f"{drill.folder}/")), reverse=True)


def remove(drill: Drill) -> list[str]:
    """Remove everything, whatever there is of it; the folder with the lease goes last. Return what was there."""
    found = belongings(drill)
    if f"unit {drill.name}" in found:
        end(drill)
    for mount in mounts(drill):
        if not succeeds("umount", mount):
            run("umount", "--lazy", mount)
    if f"namespace {drill.name}" in found:
        run("ip", "netns", "delete", drill.name)
    # The link goes with the namespace, but not at once.
    if Path("/sys/class/net", drill.link).exists():
        succeeds("ip", "link", "delete", drill.link)
    if f"firewall {drill.link}" in found:
        run("nft", "delete", "table", "inet", drill.link)
    if drill.folder.exists():
        shutil.rmtree(drill.folder)
    return found


def end(drill: Drill) -> None:
    """End the machine. One that is dead already is no longer a unit that could be stopped."""
    succeeds("systemctl", "kill", "--signal=KILL", f"{drill.name}.service")
    if not succeeds("systemctl", "stop", f"{drill.name}.service") and succeeds(
        "systemctl", "is-active", f"{drill.name}.service"
    ):
        raise DrillError(f"the machine of drill {drill.number} does not stop")


def orphans() -> list[Drill]:
    """Return drills without a folder of which something else is left."""
    said = "\n".join(
        (run("ip", "netns", "list"), run("ip", "-brief", "link"), run("nft", "list", "tables"),
         run("systemctl", "list-units", "--all", "--plain", "--no-legend", "drill-*.service"))
    )  # fmt: skip
    numbers = {int(number) for number in re.findall(r"\bdrill-?(\d+)\b", said)}
    return [Drill(number) for number in sorted(numbers) if not (leases.DRILLS / str(number)).exists()]
