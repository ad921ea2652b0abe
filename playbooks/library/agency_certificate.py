#!/usr/bin/python
"""Ansible module: certificates of an agency's own authority, computed from one secret."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agency_certificate
short_description: Certificates of an agency's own authority, computed from one secret
description:
  - Computes the agency's certificate authority and, with O(valid), a host certificate signed by it. The same O(key)
    always gives the same bytes, so nothing has to be stored. Another key gives another authority.
  - The authority is valid for names below O(domain) and for addresses, and for no other name.
  - Runs on the controller, because only the controller knows the key.
options:
  key:
    description: 32 random bytes, base64.
    type: str
    required: true
  agency:
    description: Name of the agency.
    type: str
    required: true
  domain:
    description: Domain of the agency.
    type: str
    required: true
  host:
    description: Name of the host below O(domain).
    type: str
    required: true
  address:
    description: Address of the host.
    type: str
    required: true
  valid:
    description: The period in which the host certificate is valid. When omitted, there is no host certificate.
    type: dict
    suboptions:
      begins:
        description: An instant, ISO 8601.
        type: str
        required: true
      ends:
        description: An instant, ISO 8601.
        type: str
        required: true
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Compute the certificates of this desktop
  agency_certificate:
    key: "{{ key }}"
    agency: Cabinet Office
    domain: cabinet-office.example
    host: pc1
    address: 10.0.0.7
    valid: {begins: "2026-05-01T00:00:00+00:00", ends: "2027-05-01T00:00:00+00:00"}
  delegate_to: localhost
  become: false
  no_log: true
"""

RETURN = r"""
authority:
  description: Certificate of the authority, PEM.
  returned: success
  type: str
certificate:
  description: Certificate of the host, PEM.
  returned: with O(valid)
  type: str
private_key:
  description: Key of the host, PEM. A secret.
  returned: with O(valid)
  type: str
fingerprint:
  description: SHA-256 of the host's certificate, in hexadecimal.
  returned: with O(valid)
  type: str
"""

import base64
import datetime as dt
import hashlib
import ipaddress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Of authorities. Fixed, because "today" would make every run a change. A new secret replaces them.
VALID = (dt.datetime(2025, 1, 1, tzinfo=dt.UTC), dt.datetime(2045, 1, 1, tzinfo=dt.UTC))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the group P-256


def derive(key: bytes, purpose: str) -> ec.EllipticCurvePrivateKey:
    """Return the private key derived from this secret for a purpose."""
    number = int.from_bytes(HKDF(hashes.SHA256(), 48, None, purpose.encode()).derive(key))
    return ec.derive_private_key(number % (ORDER - 1) + 1, ec.SECP256R1())


def builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: tuple[dt.datetime, dt.datetime]
) -> x509.CertificateBuilder:
    """Return the common part of all our certificates. The serial number is a digest of what is certified."""
    described = f"{issuer.rfc4514_string()}/{subject.rfc4514_string()}/{key.public_numbers().x}/{valid[0].isoformat()}"
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=int.from_bytes(hashlib.sha256(described.encode()).digest()[:16]),
        not_valid_before=valid[0],
        not_valid_after=valid[1],
    )


def name(organisation: str, common_name: str) -> x509.Name:
    """Return a distinguished name; X.509 allows 64 characters in each part."""
    attributes = ((NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value[:64]) for oid, value in attributes])


def authority(key: ec.EllipticCurvePrivateKey, agency: str, domain: str) -> x509.Certificate:
    """Return the agency's authority, limited to its own domain."""
    subject = name(agency, f"Authority of {domain}")
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        builder(subject, subject, key.public_key(), VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints([x509.DNSName(domain)], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )


def host_certificate(secret: bytes, issuer: x509.Certificate, given: dict[str, Any]) -> dict[str, str]:
    """Return the host's certificate, its key and its fingerprint."""
    full_name, signer = f"{given['host']}.{given['domain']}", derive(secret, "authority")
    own = derive(secret, f"host {full_name}")
    names = x509.SubjectAlternativeName(
        [x509.DNSName(full_name), x509.IPAddress(ipaddress.ip_address(given["address"]))]
    )
    begins, ends = (dt.datetime.fromisoformat(given["valid"][edge]) for edge in ("begins", "ends"))
    certificate = (
        builder(issuer.subject, name(given["agency"], full_name), own.public_key(), (begins, ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256(), ecdsa_deterministic=True)
    )
    key_text = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "private_key": key_text.decode(),
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def main() -> None:
    """Compute the certificates and return them."""
    edges = {edge: {"type": "str", "required": True} for edge in ("begins", "ends")}
    module = AnsibleModule(
        argument_spec={
            "key": {"type": "str", "required": True, "no_log": True},
            "agency": {"type": "str", "required": True},
            "domain": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "valid": {"type": "dict", "options": edges},
        },
        supports_check_mode=True,
    )
    given = module.params
    secret = base64.b64decode(given["key"])
    issuer = authority(derive(secret, "authority"), given["agency"], given["domain"])
    host = host_certificate(secret, issuer, given) if given["valid"] else {}
    module.exit_json(changed=False, authority=issuer.public_bytes(serialization.Encoding.PEM).decode(), **host)


if __name__ == "__main__":
    main()
