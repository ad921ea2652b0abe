"""What is left of an agency on hosts that it has left."""

from collections.abc import Iterable

from tests.playbooks.conftest import Steps

LEFT = """
find /etc /home /opt /root /run /srv /usr/local /var -xdev -name '*{id}*' | grep -v /run/systemd/units
grep -rIl {id} /etc --exclude='*-' | grep -v -e '^/etc/passwd$' -e '^/etc/group$' -e shadow
getent passwd | grep {id}; getent group | grep {id}
{ nft list tables; ip -brief link | sed 's/[@ ].*//'; ip netns list; } 2>/dev/null | grep -wE '[a-z]+{number}(-[12])?'
systemctl list-units --all | grep {id}
true
"""


def left(steps: Steps, agency: str, number: str, hosts: Iterable[str]) -> dict[str, list[str]]:
    """Host -> what is there of the agency, which had this number, for those that have anything."""
    looked = LEFT.replace("{id}", agency).replace("{number}", number)
    found = {host: steps.on(host, looked).splitlines() for host in hosts}
    return {host: lines for host, lines in found.items() if lines}
