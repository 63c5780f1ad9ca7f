"""Addresses offered to clients."""

import socket

from media.addresses import MOST, local_addresses


def test_loopback_is_the_last_resort_and_all_can_be_bound() -> None:
    addresses = local_addresses()
    assert addresses[-1] == "127.0.0.1"
    assert len(set(addresses)) == len(addresses) <= MOST
    for address in addresses:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
