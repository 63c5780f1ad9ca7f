"""A firewall in front of one port, made with nftables: needs root and the package nftables (.ci/packages installs it)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def _nft(commands: str) -> None:
    subprocess.run(["/usr/sbin/nft", "-f", "-"], input=commands, text=True, check=True, capture_output=True)


@contextmanager
def udp_blocked(port: int) -> Iterator[None]:
    """Drop every datagram to or from this local port meanwhile."""
    table = f"jiangtai_test_{port}"
    _nft(f"""
    table inet {table} {{
        chain output {{
            type filter hook output priority 0;
            udp dport {port} drop
            udp sport {port} drop
        }}
    }}
    """)
    try:
        yield
    finally:
        _nft(f"delete table inet {table}")
