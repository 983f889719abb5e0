"""Finds secrets in training data, the registered ones and keys by their well-known form, and personal data.

What is found is never shown, only its kind and place. Names and postal addresses are not found (see kernel/redact).
"""

import re
from collections.abc import Iterator, Sequence

from llmos.kernel import redact
from llmos.kernel.secrets import Scanner
from llmos.training.rows import Row

# Forms that the issuers document, or that are written in every such file.
KEYS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_[0-9A-Za-z]{36,}\b|\bgithub_pat_\w{40,}"),
    "Slack token": re.compile(r"\bxox[abeprs]-[0-9A-Za-z-]{20,}"),
    "Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "API key": re.compile(r"\bsk-(?:[a-z]+-)*[0-9A-Za-z_-]{20,}"),
    "web token": re.compile(r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}"),
}


def secrets(rows: Sequence[Row], scanner: Scanner) -> Iterator[tuple[str, str]]:
    """The kind and place of each secret. A registered one is told by its name."""
    for row in rows:
        for name in sorted({hit.name for hit in scanner.find(row.whole)}):
            yield f"secret {name}", row.where
        for kind, pattern in KEYS.items():
            if pattern.search(row.whole):
                yield kind, row.where


def personal(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """The kind and place of personal data, once for each kind in a row."""
    for row in rows:
        for kind in sorted({hit.kind for hit in redact.find(row.whole)}):
            yield kind, row.where
