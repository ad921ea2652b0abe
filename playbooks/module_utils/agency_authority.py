"""An agency's own certificate authority, and certificates of it, computed from one secret."""

from __future__ import annotations

import datetime as dt
import hashlib
import inspect
import ipaddress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Of authorities. Fixed, because "today" would make every run a change. A new secret replaces them.
VALID = (dt.datetime(2025, 1, 1, tzinfo=dt.UTC), dt.datetime(2045, 1, 1, tzinfo=dt.UTC))
PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
# Debian 12's library signs with a random number: what it computes is as valid, and other bytes each time.
DETERMINISTIC: dict[str, Any] = (
    {"ecdsa_deterministic": True}
    if "ecdsa_deterministic" in inspect.signature(x509.CertificateBuilder.sign).parameters
    else {}
)
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
        .sign(key, hashes.SHA256(), **DETERMINISTIC)
    )


def certificate(
    secret: bytes, issuer: x509.Certificate, subject: x509.Name, key: ec.EllipticCurvePublicKey, given: dict[str, Any]
) -> x509.Certificate:
    """Return a certificate of the authority. Given are `purpose`, `names`, and `valid`, a dictionary of two instants,
    `begins` and `ends`."""
    signer = derive(secret, "authority")
    begins, ends = (dt.datetime.fromisoformat(given["valid"][edge]) for edge in ("begins", "ends"))
    return (
        builder(issuer.subject, subject, key, (begins, ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([PURPOSES[given["purpose"]]]), critical=False)
        .add_extension(x509.SubjectAlternativeName(given["names"]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256(), **DETERMINISTIC)
    )


def private_text(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a private key as PEM text."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def host_certificate(
    secret: bytes, issuer: x509.Certificate, given: dict[str, Any], *, purpose: str = "server"
) -> dict[str, str]:
    """Return the host's certificate for a purpose, its key and its fingerprint. Given are `agency`, `domain`, `host`,
    `address` and `valid`, a dictionary of two instants, `begins` and `ends`."""
    full_name = f"{given['host']}.{given['domain']}"
    own = derive(secret, f"host {full_name}")
    names = [x509.DNSName(full_name), x509.IPAddress(ipaddress.ip_address(given["address"]))]
    told = {"purpose": purpose, "names": names, "valid": given["valid"]}
    made = certificate(secret, issuer, name(given["agency"], full_name), own.public_key(), told)
    return {
        "certificate": made.public_bytes(serialization.Encoding.PEM).decode(),
        "private_key": private_text(own),
        "fingerprint": made.fingerprint(hashes.SHA256()).hex(),
    }
