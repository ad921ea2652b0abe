"""Kinds of text from outside, each as narrow as its use allows.

Text from call-offs ends up in files, commands and account names, so no kind allows anything that could be more than
text there: control characters, line breaks or invisible characters. One definition serves our own models and the JSON
Schema for editors. A component's file refers to a kind as `{$ref: "#/$defs/account-name"}`.

Patterns follow ECMA-262, as in JSON Schema. Each matches the whole text, and means the same in Python and Rust.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field


@dataclass(frozen=True)
class TextType:
    """`expected` describes a valid text; `reserved` is refused although it matches the pattern."""

    pattern: str
    longest: int
    expected: str
    shortest: int = 1
    reserved: tuple[str, ...] = ()

    def up_to(self, longest: int) -> "TextType":
        return replace(self, longest=longest)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema. `x-expected` is the text of a refusal."""
        schema = {
            "type": "string",
            "minLength": self.shortest,
            "maxLength": self.longest,
            "pattern": self.pattern,
            "x-expected": f"must be {self.expected}, at most {self.longest} characters",
        }
        return schema | ({"not": {"enum": list(self.reserved)}} if self.reserved else {})

    @property
    def field(self) -> Any:
        """The same as a field for a model."""
        return Field(pattern=self.pattern, min_length=self.shortest, max_length=self.longest)


_UNSEEN = (
    r"\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    r"\u205f-\u2064\u2066-\u206f\u3000\ufeff\ufff9-\ufffb"
)
"""Control and format characters, separators and spaces other than U+0020, by Unicode's general categories."""

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"

LINE = TextType(rf"^[^{_UNSEEN}]+$", 120, "one line of printable text")

AGENCY_ID = TextType(
    "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    20,
    "lower-case letters and digits in words joined by '-', beginning with a letter, such as cabinet-office",
    shortest=2,
)
"""Twenty characters, so that login names and host names made from it fit their limits."""

EMAIL_ADDRESS = TextType(rf"^[A-Za-z0-9][A-Za-z0-9._+'-]*@{_HOST}$", 200, "an e-mail address such as a@b.example")

ACCOUNT_NAME = TextType(
    "^[a-z][a-z0-9]*$",
    20,
    "lower-case letters and digits, beginning with a letter, and no name that the system itself uses",
    reserved=(
        "adm", "admin", "audio", "backup", "bin", "cdrom", "chrony", "crontab", "daemon", "dialout", "dip", "disk",
        "dnsmasq", "fax", "floppy", "ftp", "games", "gnats", "input", "irc", "kmem", "kvm", "list", "lp", "mail",
        "man", "messagebus", "news", "nobody", "nogroup", "ntp", "openldap", "operator", "plugdev", "polkitd",
        "postfix", "postgres", "provision", "proxy", "pulse", "render", "root", "sasl", "sgx", "shadow", "src", "ssh",
        "sshd", "staff", "statd", "sudo", "sync", "sys", "syslog", "tape", "tcpdump", "tftp", "tss", "tty", "users",
        "utmp", "uucp", "uuidd", "video", "voice", "wheel", "xrdp",
    ),
)  # fmt: skip
"""Login names. Reserved are accounts and groups of Debian and Ubuntu (base-passwd, systemd, the packages that roles
install), names that are privileged elsewhere, and our own login."""

GROUP_NAME = TextType(
    "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    31,
    "lower-case letters and digits in words joined by '-', and no name that the system itself uses",
    reserved=ACCOUNT_NAME.reserved,
)
"""Groups of people: on hosts, the name of a group may carry rights."""

DEVICE_NAME = TextType("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", 31, "lower-case letters and digits in words joined by '-'")

WIREGUARD_KEY = TextType(
    "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", 44, "a WireGuard key, 32 bytes in base64, as wg pubkey prints"
)

TLS_KEY = TextType(
    "^MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9+/]{85}[AQgw]==$",
    124,
    "a public key of the group P-256, as openssl pkey -pubout prints it, in one line without the first and the last",
    shortest=124,
)

WEB_ADDRESS = TextType(
    rf"^(https?://{_HOST}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~%+-]+)*/?)?$",
    300,
    "an address such as https://images.example/thin, of letters, digits and . _ ~ % + - in its path, or nothing",
    shortest=0,
)

DEFINITIONS: Mapping[str, Any] = {
    "line": LINE.schema,
    "email-address": EMAIL_ADDRESS.schema,
    "account-name": ACCOUNT_NAME.schema,
    "group-name": GROUP_NAME.schema,
    "device-name": DEVICE_NAME.schema,
    "wireguard-key": WIREGUARD_KEY.schema,
    "tls-key": TLS_KEY.schema,
    "web-address": WEB_ADDRESS.schema,
}
"""The `$defs` of a call-off's schema."""
