"""Settings of this machine's kernel that practice hosts need, all of which are numbers of which more is enough."""

from pathlib import Path

_LEAST = {
    Path("/proc/sys/net/ipv4/ip_forward"): 1,
    # All practice hosts share one allowance, and every systemd takes a dozen. Without, programs fail in odd places.
    Path("/proc/sys/fs/inotify/max_user_instances"): 4096,
}


def settings() -> str:
    """Return the settings as they are, in a form for `restore`."""
    return ",".join(path.read_text().strip() for path in _LEAST)


def suffice() -> None:
    """Raise what is too low."""
    for path, least in _LEAST.items():
        if int(path.read_text()) < least:
            path.write_text(str(least))


def restore(former: str) -> None:
    """Put the settings back to what `settings` returned."""
    for path, value in zip(_LEAST, former.split(","), strict=True):
        path.write_text(value)
