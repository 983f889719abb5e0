"""The one certificate that the browser is shown by its proxy: made anew for each process, known by its key's hash.

Its key never leaves this process but for a private temporary file that the TLS library reads and that is gone at once.
Nothing else trusts it: the browser is told the hash on its command line, and only for its own private profile.
"""

import base64
import hashlib
import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta


class Certificate:
    """A fresh key and its self-signed certificate. ``pin`` is the hash by which the browser knows it."""

    def __init__(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "llmos egress")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .sign(key, hashes.SHA256())
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.pin = base64.b64encode(hashlib.sha256(public).digest()).decode()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        handle, path = tempfile.mkstemp(prefix="llmos-key-")  # 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secret + made.public_bytes(serialization.Encoding.PEM))
            self.context.load_cert_chain(path)
        finally:
            os.unlink(path)
