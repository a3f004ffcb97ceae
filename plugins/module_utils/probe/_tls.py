# Copyright (c) The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verified TLS handshake over a connection, and what it says of the peer.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import os
import ssl
import time
from typing import Any, Dict, Optional, Sequence

from . import _truststore as truststore
from ._connect import Finding, Late, Line, Local, by_errno, milliseconds, reason_of, words_of


def context_of(cafile: Optional[str], authorities: Sequence[bytes] = ()) -> ssl.SSLContext:
    """A context that verifies as curl and Java do, with a file, with given authorities (DER) or with the machine's."""
    try:
        if authorities:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=b"".join(authorities))
            # To Java whatever is in its store is an end of the chain, not only what signs itself.
            context.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
        else:
            context = ssl.create_default_context(cafile=cafile)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise Local(f"TLS cannot be set up with {cafile or 'the trust store'}", reason_of(error))
    # Python 3.13 is stricter with authorities than curl and Java are; a probe must judge as they do.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


def _has_authorities(context: ssl.SSLContext) -> bool:
    """Whether there is any authority to trust; those in a directory are read only when they are needed."""
    if context.cert_store_stats()["x509"]:
        return True
    capath = ssl.get_default_verify_paths().capath
    try:
        return bool(capath and os.listdir(capath))
    except OSError:
        return False


class Trust:
    """A trust store, and the certificate that a peer presents, also when it is then refused.

    There are three ways to it. A second handshake without verification may meet another server behind the
    same address, doubles the traffic, and completes a session with a peer that was just refused. One
    handshake without verification makes this file judge chains and names itself, with a standard library
    that has no means for it. So the one handshake is OpenSSL's own, fully verified, and the certificate is
    only overheard: by get_unverified_chain (3.13 and up), else from the handshake message (3.8 and up, a
    private hook, used if it is there). Neither has a say in the verdict. On older Python the issuer of a
    refused certificate stays unknown.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._message: Optional[bytes] = None
        self._tls13 = False
        if not hasattr(ssl.SSLObject, "get_unverified_chain") and hasattr(context, "_msg_callback"):
            context._msg_callback = self._hear

    def _hear(self, _conn: Any, direction: str, version: int, content: int, kind: Any, data: bytes) -> None:
        if direction == "read" and content == 22 and kind == 11:  # handshake, certificate
            self._message, self._tls13 = data, version >= 0x0304

    def certificate(self, tls: ssl.SSLObject) -> truststore.Certificate:
        try:
            leaf = tls.getpeercert(True)  # the handshake is complete
        except ValueError:
            leaf = None
        try:
            get_chain = getattr(tls, "get_unverified_chain", None)
            if not leaf and get_chain:
                leaf = next(iter(get_chain() or ()), None)
            if not leaf and self._message:
                # type, length; 1.3 only: request context; length of the list; length of the first entry
                at = 4 + (1 + self._message[4] if self._tls13 else 0) + 3
                size = int.from_bytes(self._message[at : at + 3], "big")
                leaf = self._message[at + 3 : at + 3 + size]
            if leaf:
                return truststore.certificate(leaf)
        except (IndexError, ValueError, ssl.SSLError):
            pass  # what cannot be read is left unknown; the verdict does not rest on it
        return truststore.UNKNOWN


class Secure:
    """TLS over a line. In memory rather than on the socket: so it is seen whether the peer said anything."""

    def __init__(self, line: Line, trust: Trust, name: str) -> None:
        self.line = line
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.heard = b""  # how the peer began
        plain, _mark, _zone = name.rstrip(".").partition("%")
        self.tls = trust.context.wrap_bio(self.incoming, self.outgoing, server_hostname=plain)

    def shake_hands(self) -> bool:
        """False where the peer closes instead. Raises ssl.SSLError, Late and OSError."""
        while True:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            self.line.send(self.outgoing.read())
            if done:
                return True
            if not self._fetch():
                return False

    def _fetch(self) -> bool:
        data = self.line.receive()
        self.heard = (self.heard + data)[:5]
        self.incoming.write(data)
        return bool(data)

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.line.send(self.outgoing.read())

    def receive(self) -> bytes:
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                if not self._fetch():
                    return b""  # without a goodbye, as many servers end
            except ssl.SSLZeroReturnError:
                return b""

    def say_goodbye(self) -> None:
        """Send the alert of a refusal or the close of a success, so that the peer's log shows why."""
        try:
            if not self.outgoing.pending:
                self.tls.unwrap()
        except (OSError, ValueError):
            pass
        self.line.send_at_once(self.outgoing.read())

    def anchor(self) -> Optional[bytes]:
        """The authority (DER) at which the verified chain ends, None where this Python cannot tell (below 3.10)."""
        try:
            if hasattr(self.tls, "get_verified_chain"):  # 3.13
                chain = self.tls.get_verified_chain()
                return chain[-1] if chain else None
            inner: Any = getattr(self.tls, "_sslobj", None)
            if hasattr(inner, "get_verified_chain"):
                chain = inner.get_verified_chain()
                return ssl.PEM_cert_to_DER_cert(chain[-1].public_bytes()) if chain else None
        except (ssl.SSLError, ValueError, TypeError, AttributeError):
            pass
        return None


def handshake(entry: Dict[str, Any], line: Line, trust: Trust, name: str, place: str, timeout: float) -> Secure:
    """A verified TLS handshake: not one byte of application data is sent. Raises Finding and OSError.

    ``place`` is the peer in messages, ``timeout`` the seconds that the whole probe has.
    """
    try:
        secure = Secure(line, trust, name)
    except ValueError as error:
        raise Local(f"{name} cannot be asked for in TLS", reason_of(error))
    started = time.monotonic()
    try:
        if not secure.shake_hands():
            raise Finding(
                "reset",
                f"{place} closed the connection during the TLS handshake",
                "for a firewall or proxy that filters by server name (SNI)",
            )
    except BaseException as error:
        secure.say_goodbye()
        if isinstance(error, Late):
            raise _silence(place, secure.heard, time.monotonic() - started, timeout)
        if isinstance(error, (ssl.SSLError, ssl.CertificateError)):
            raise _tls_failure(
                entry, error, trust.certificate(secure.tls), secure.tls.version(), trust.context, place, secure.heard
            )
        outcome = by_errno(error.errno or 0) if isinstance(error, OSError) else "unknown"
        if outcome == "unknown":
            raise
        raise Finding(
            outcome,
            f"The connection to {place} broke during the TLS handshake ({reason_of(error)})",
            "for a firewall or proxy that filters by server name (SNI) or cuts TLS",
        )
    finally:
        entry["phases_ms"]["tls"] = milliseconds(started)
    certificate = trust.certificate(secure.tls)
    entry["tls"] = {
        "version": secure.tls.version(),
        "issuer": certificate.issuer,
        "not_after": certificate.not_after,
        "trusted": True,
        "authority": "unknown",
        "anchor": None,
    }
    return secure


def _silence(place: str, heard: bytes, waited: float, timeout: float) -> Finding:
    # A peer that had no time left after a slow DNS or TCP phase is not to be called silent.
    if not heard and waited >= min(1.0, timeout / 2):
        return Finding(
            "peer_silent",
            f"{place} accepts the connection but says nothing, no byte of a TLS handshake within {timeout:g} s",
            "for a firewall or proxy that takes connections and then drops TLS",
        )
    return Finding(
        "timeout",
        f"The TLS handshake with {place} was not finished within {timeout:g} s",
        "for packet loss, a too small MTU on the path, and an inspecting firewall",
    )


def _tls_failure(
    entry: Dict[str, Any],
    error: Exception,
    certificate: truststore.Certificate,
    version: Optional[str],
    context: ssl.SSLContext,
    place: str,
    heard: bytes,
) -> Finding:
    reason = getattr(error, "reason", None) or ""
    # Python 3.6 raises a plain ValueError for a wrong name, and of all other faults of a certificate it says
    # only that verification failed.
    wrong_name = isinstance(error, ssl.CertificateError) and not isinstance(error, ssl.SSLError)
    if wrong_name or reason == "CERTIFICATE_VERIFY_FAILED":
        code = getattr(error, "verify_code", None)
        detail = getattr(error, "verify_message", "") or "this Python cannot tell untrusted from expired"
        tls: Dict[str, Any] = {
            "version": version,
            "issuer": certificate.issuer,
            "not_after": certificate.not_after,
            "trusted": False,
            "authority": "unknown",
            "anchor": None,
        }
        entry["tls"] = tls
        issuer = certificate.issuer or "an issuer this Python cannot tell"
        until = f" (valid until {certificate.not_after})" if certificate.not_after else ""
        if wrong_name or code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            return Finding(
                "tls_name_mismatch",
                f"{place} presents a certificate for another name, issued by {issuer}",
                "who really answers there (DNS, a proxy, a block page)",
            )
        if code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
            return Finding(
                "tls_expired",
                f"{place} presents a certificate issued by {issuer} that has expired{until}",
                "this machine's clock, then who answers there",
            )
        if code == 9:  # X509_V_ERR_CERT_NOT_YET_VALID
            return Finding(
                "tls_expired",
                f"{place} presents a certificate that is not valid yet, issued by {issuer}",
                "this machine's clock, then who answers there",
            )
        if not _has_authorities(context):
            tls["trusted"] = None
            return Local(
                f"The certificate of {place}, issued by {issuer}, could not be judged",
                "no certificate authorities are installed (package ca-certificates)",
            )
        return Finding(
            "tls_untrusted",
            f"{place} presents a certificate that this machine does not trust ({detail}), issued by {issuer}",
            "for TLS inspection, and whether its authority belongs in this machine's trust store",
        )
    if isinstance(error, ssl.SSLEOFError):
        return Finding(
            "reset",
            f"{place} closed the connection during the TLS handshake",
            "for a firewall or proxy that filters by server name (SNI)",
        )
    if heard[:5] == b"HTTP/":
        seen = "answered in plain HTTP, not TLS"
    elif heard and heard[0] not in (20, 21, 22, 23):  # the record types of TLS
        seen = "answered with something that is not TLS"
    elif heard[:1] == b"\x15" or "ALERT" in reason or reason.startswith(("TLSV1_", "TLSV13_")):
        seen = f"refused the TLS handshake with an alert ({words_of(reason) or reason_of(error)})"
    else:
        seen = f"could not agree on TLS with this machine ({words_of(reason) or reason_of(error)})"
    return Finding(
        "tls_alert", f"{place} {seen}", "for a firewall or proxy that filters by server name (SNI) or by TLS version"
    )
