"""A certificate that the show makes itself, for HTTPS.

A browser asks once whether to trust it and then remembers it, so it is kept between shows.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from stream_dream.errors import SettingsError, StreamDreamError

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

_VALID = datetime.timedelta(days=820)
"""Apple's browsers accept certificates of at most 825 days."""

_RENEWED = datetime.timedelta(days=30)
_NAME = "https.pem"


def https_context(folder: Path, names: Collection[str]) -> ssl.SSLContext:
    """Return the context of a server that is called by some names.

    Key and certificate are kept in the folder, as ``https.pem``, readable by their owner alone.
    They are replaced a month before they expire, or when a name is missing; the names that they
    had stay valid, as a laptop comes back to its networks.

    Args:
        folder: Where they are kept; created if needed.
        names: Host names and IP addresses.

    Raises:
        SettingsError: ``cryptography`` is missing, or the folder cannot be used.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise SettingsError(
            "--https needs the extra live: pip install 'stream-dream[live]'"
        ) from None
    from stream_dream.media.write.atomic import write_bytes

    path = folder / _NAME
    try:
        known = _valid_names(path)
        if not known.issuperset(names):
            folder.mkdir(parents=True, exist_ok=True)
            write_bytes(path, _made(sorted(known.union(names))), overwrite=True, private=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
    except (OSError, StreamDreamError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"--https keeps its certificate in {folder}, which fails: {reason}; set "
            "STREAM_DREAM_CACHE to a folder that can be written"
        ) from error
    return context


def _valid_names(path: Path) -> set[str]:
    """Return the names of the certificate in a file; none if it is missing, old or damaged."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        data = path.read_bytes()
        found = x509.load_pem_x509_certificate(data)
        key = load_pem_private_key(data, None)
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (FileNotFoundError, ValueError, TypeError, x509.ExtensionNotFound):
        return set()
    expires = found.not_valid_after_utc - _RENEWED
    is_whole = key.public_key() == found.public_key()
    if not is_whole or expires < datetime.datetime.now(datetime.UTC):
        return set()
    hosts = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return {*hosts, *map(str, addresses)}


def _made(names: list[str]) -> bytes:
    """Return a new key and its certificate for some names, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stream_dream show")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks of phones may be behind
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _general(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
