"""The site's login key and its hosts' keys. They are generated here, so that no host key is trusted on first use."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.adapters.practice.files import write


def key_pair(path: Path) -> str:
    """Return the public key, in OpenSSH's format, of the private key in `path`, which is created (0600) if missing."""
    if not path.exists():
        private = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        write(path, private.decode(), mode=0o600)
    public_key = serialization.load_ssh_private_key(path.read_bytes(), password=None).public_key()
    public = public_key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()


def host_key(known_hosts: Path, address: str) -> str | None:
    """Return the key that the file pins for this address."""
    for line in known_hosts.read_text().splitlines() if known_hosts.exists() else ():
        name, _, key = line.partition(" ")
        if name == address:
            return key
    return None
