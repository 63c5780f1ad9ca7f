"""TLS for the public listener: a given certificate, or one made here and kept.

A self-signed certificate makes browsers warn once and then allow cameras, which plain http across a network does not. It names the
loopback, this machine and its addresses, and is made anew when it nears its end or an address is missing.
"""

import datetime
import ipaddress
import os
import socket
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from media.addresses import local_addresses
from server.config import Config

_DAYS: Final = 365
_RENEW_DAYS: Final = 30


def context_for(config: Config) -> ssl.SSLContext | None:
    """The server's TLS context, None without TLS; raises OSError or ssl.SSLError for an unusable certificate."""
    if not config.secure:
        return None
    if config.tls_cert:
        cert, key = Path(config.tls_cert), Path(config.tls_key)
    else:
        cert, key = self_signed(config.var_dir / "tls", addresses(config), datetime.datetime.now(datetime.UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(cert, key)
    return context


def addresses(config: Config) -> tuple[str, ...]:
    """Every address the certificate must name."""
    return tuple(sorted({"127.0.0.1", "::1", *local_addresses(), *config.media.announce}))


def self_signed(folder: Path, names: tuple[str, ...], now: datetime.datetime) -> tuple[Path, Path]:
    """Paths of certificate and key in the folder; makes them unless a good pair is there."""
    cert_path, key_path = folder / "self-signed.pem", folder / "self-signed.key"
    if cert_path.exists() and key_path.exists() and _still_good(cert_path, names, now):
        return cert_path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Jiangtai self-signed")])
    alternatives: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(socket.gethostname())]
    alternatives += [x509.IPAddress(ipaddress.ip_address(name)) for name in names]
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        form = serialization.PrivateFormat.PKCS8
        file.write(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    cert_path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    return cert_path, key_path


def _still_good(cert_path: Path, names: tuple[str, ...], now: datetime.datetime) -> bool:
    try:
        cert = x509.load_pem_x509_certificate(cert_path.read_bytes())
        san = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    named = {str(address) for address in san.get_values_for_type(x509.IPAddress)}
    return cert.not_valid_after_utc > now + datetime.timedelta(days=_RENEW_DAYS) and set(names) <= named
