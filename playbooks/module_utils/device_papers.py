"""The papers of an agency's laptops: certificates, the register of them, and the list of those that were revoked.

All of it is computed from one secret, from what is ordered, and from the register as it is. The register is the only
thing that no call-off says: which certificates there are, and which of them were revoked, and when.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.agency_authority import (
    DETERMINISTIC,
    authority,
    certificate,
    derive,
    host_certificate,
    name,
    private_text,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519

PEM = serialization.Encoding.PEM
VERIFY, CANARY, REVOKED = "0-verify", "0-canary", "0-revoked"
"""Specimens: laptops that nobody has, with computed keys, and names that no laptop can have. The last is revoked."""
POINT = 65
"""Bytes of a point of P-256, with which a public key ends."""
STRANGER = b"an authority that nobody trusts."
Entry = dict[str, Any]


class PapersError(Exception):
    """The papers cannot be made; the message says why."""


def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """Return a device's public key. Raises ValueError if it is not a point of P-256."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), base64.b64decode(text)[-POINT:])


def text_of(key: ec.EllipticCurvePublicKey) -> str:
    """Return a public key as call-offs have it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode()


def wireguard_public(private: str) -> str:
    """Return the public key of a WireGuard key."""
    key = x25519.X25519PrivateKey.from_private_bytes(base64.b64decode(private)).public_key()
    return base64.b64encode(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)).decode()


def read_register(text: str) -> dict[str, Entry]:
    """Return the entries of a register by serial number; none if there is no register yet."""
    if not text:
        return {}
    try:
        entries = json.loads(text)["certificates"]
        return {one["serial"]: {key: one[key] for key in (*ENTRY, "revoked")} for one in entries}
    except (ValueError, KeyError, TypeError) as error:
        raise PapersError("the register of laptops is damaged: restore it from a backup, or remove it") from error


ENTRY = ("serial", "device", "tls_key", "wireguard_key", "ends")


def merged(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return what is in either of two registers. What is revoked in one of them is revoked."""
    found = {**other, **one}
    for serial in one.keys() & other.keys():
        known = [entry["revoked"] for entry in (one[serial], other[serial]) if entry["revoked"]]
        found[serial] = {**found[serial], "revoked": min(known, default=None)}
    return found


def problems(devices: Iterable[Mapping[str, Any]], register: Mapping[str, Entry]) -> list[str]:
    """Return what is wrong with the keys of devices: they are none, or belonged to a device that was revoked."""
    wrong, revoked = [], [entry for entry in register.values() if entry["revoked"]]
    for device in devices:
        try:
            public_key(device["tls_key"])
        except ValueError:
            wrong.append(f"the tls_key of {device['name']} is not a public key of P-256")
        for entry in revoked:
            if any(entry[kind] == device[kind] for kind in ("tls_key", "wireguard_key")):
                was = f"keys of {entry['device']} that were revoked on {entry['revoked'][:10]}"
                wrong.append(f"{device['name']} has {was}: it needs new ones")
                break
    return wrong


@dataclass(frozen=True)
class Papers:
    """The agency's authority, and what it certifies in a period."""

    secret: bytes
    agency: str
    domain: str
    valid: Mapping[str, str]

    @property
    def issuer(self) -> x509.Certificate:
        """The authority. It is for the agency's id, as another name would be another authority."""
        return authority(derive(self.secret, "authority"), self.agency, self.domain)

    def server(self, host: str, address: str) -> dict[str, str]:
        """Return certificate and key of the register's own server."""
        given = {"agency": self.agency, "domain": self.domain, "host": host, "address": address, "valid": self.valid}
        return host_certificate(self.secret, self.issuer, given)

    def certificate(self, device: str, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """Return the certificate of a device for its own key."""
        full_name = f"{device}.{self.domain}"
        given = {"purpose": "client", "names": [x509.DNSName(full_name)], "valid": self.valid}
        return certificate(self.secret, self.issuer, name(self.agency, full_name), key, given)

    def specimen(self, device: str) -> dict[str, str]:
        """Return certificate and key of a device that nobody has."""
        own = derive(self.secret, f"device {device}")
        made = self.certificate(device, own.public_key())
        return {"certificate": made.public_bytes(PEM).decode(), "private_key": private_text(own)}

    def settle(self, devices: list[Entry], register: Mapping[str, Entry], now: dt.datetime) -> dict[str, Entry]:
        """Return the register with the certificates of these devices, in which those of all others are revoked."""
        if wrong := problems(devices, register):
            raise PapersError("; ".join(wrong))
        keys, found = {one["name"]: one for one in devices}, dict(register)
        for one in devices:
            serial = serial_of(self.certificate(one["name"], public_key(one["tls_key"])))
            facts = {"device": one["name"], "tls_key": one["tls_key"], "ends": self.valid["ends"]}
            found.setdefault(serial, {"serial": serial, **facts, "revoked": None})
        for serial, entry in found.items():
            current = keys.get(entry["device"])
            if current and current["tls_key"] == entry["tls_key"] and not entry["revoked"]:
                found[serial] = {**entry, "wireguard_key": current["wireguard_key"]}
            elif not entry["revoked"]:
                found[serial] = {**entry, "revoked": now.isoformat(timespec="seconds")}
        return found

    def revocations(self, register: Mapping[str, Entry]) -> str:
        """Return the list of revoked certificates, as PEM text, in which a specimen is always. It changes only when one
        is revoked, or with the period."""
        begins, ends = (dt.datetime.fromisoformat(self.valid[edge]) for edge in ("begins", "ends"))
        signer = derive(self.secret, "authority")
        specimen = self.certificate(REVOKED, derive(self.secret, f"device {REVOKED}").public_key())
        revoked = {specimen.serial_number: begins}
        for entry in register.values():
            if entry["revoked"] and dt.datetime.fromisoformat(entry["ends"]) > begins:
                revoked[int(entry["serial"], 16)] = dt.datetime.fromisoformat(entry["revoked"])
        made = x509.CertificateRevocationListBuilder(
            issuer_name=self.issuer.subject, last_update=max(revoked.values()), next_update=ends
        )
        for serial, at in sorted(revoked.items()):
            one = x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=at).build()
            made = made.add_revoked_certificate(one)
        made = made.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        ).add_extension(x509.CRLNumber(len(revoked)), critical=False)
        return made.sign(signer, hashes.SHA256(), **DETERMINISTIC).public_bytes(PEM).decode()

    def answers(
        self, devices: list[Entry], register: Mapping[str, Entry], profile: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return what the register has to know of each device and of two specimens: by which key and which serials it
        knows the device, and what it answers. `profile` is what all of them are told."""
        keys = {one["name"]: (public_key(one["tls_key"]), one["address"]) for one in devices}
        keys |= {one: (derive(self.secret, f"device {one}").public_key(), None) for one in (VERIFY, CANARY)}
        found = {}
        for device, (key, address) in keys.items():
            made = self.certificate(device, key)
            known = [one["serial"] for one in register.values() if one["device"] == device and not one["revoked"]]
            answer = {"device": device, "certificate": made.public_bytes(PEM).decode(), **profile, "address": address}
            serials = sorted({serial_of(made), *known})
            found[device] = {"tls_key": text_of(key), "serials": serials, "answer": answer}
        return found


def serial_of(made: x509.Certificate) -> str:
    """Return a certificate's serial number as nginx says it."""
    text = f"{made.serial_number:X}"
    return text.zfill(len(text) + len(text) % 2)


def register_text(register: Mapping[str, Entry]) -> str:
    """Return a register as its file has it."""
    ordered = sorted(register.values(), key=lambda one: (one["device"], one["ends"], one["serial"]))
    entries = [{key: one[key] for key in (*ENTRY, "revoked")} for one in ordered]
    return json.dumps({"certificates": entries}, indent=1) + "\n"
