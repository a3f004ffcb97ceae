"""The laboratory's authorities and its servers' certificates, good and bad, made anew each time."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.probe_lab.cases import DOMAIN

PEM = serialization.Encoding.PEM


class Authority:
    """A certificate authority; one with an ``issuer`` is an intermediate one."""

    def __init__(self, name: str, issuer: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        self.certificate = signer.sign(self.name, self.key, (-400, 4000), authority=True)
        self.chain = [] if issuer is None else [self.certificate, *issuer.chain]

    def sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        days: tuple[int, int],
        names: tuple[str, ...] = (),
        authority: bool = False,
    ) -> x509.Certificate:
        """A certificate that is valid from and to so many days from now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        usage = dict.fromkeys(
            (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "key_cert_sign",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        usage.update({"key_cert_sign": True, "crl_sign": True} if authority else {"digital_signature": True})
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False
            ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        return builder.sign(self.key, hashes.SHA256())

    def server(
        self, path: Path, names: tuple[str, ...], days: tuple[int, int] = (-30, 300), chain: bool = True
    ) -> None:
        """Write a server's key and certificate chain."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")]), key, days, names)
        text = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for one in [certificate, *(self.chain if chain else [])]:
            text += one.public_bytes(PEM)
        path.write_bytes(text)

    def write(self, path: Path) -> None:
        """Write the authority's own certificate."""
        path.write_bytes(self.certificate.public_bytes(PEM))


def make(folder: Path) -> None:
    """All certificates: servers' as NAME.pem, authorities' as ca-NAME.crt."""
    public, second = Authority("Lab Public Root"), Authority("Lab Second Public Root")
    company, java_only = Authority("Lab Company Inspection"), Authority("Lab Authority of the JVM")
    intermediate = Authority("Lab Public Intermediate", public)
    for name, authority in {"public": public, "second": second, "company": company, "java-only": java_only}.items():
        authority.write(folder / f"ca-{name}.crt")
    every = (f"*.{DOMAIN}",)
    intermediate.server(folder / "good.pem", every)
    intermediate.server(folder / "incomplete.pem", every, chain=False)
    public.server(folder / "expired.pem", every, (-300, -3))
    public.server(folder / "not-yet.pem", every, (3, 300))
    public.server(folder / "other-name.pem", ("www.example.org",))
    Authority("Nobody Knows Me").server(folder / "stranger.pem", every)
    company.server(folder / "inspected.pem", every)
    second.server(folder / "second-root.pem", every)
    java_only.server(folder / "java-only.pem", every)
