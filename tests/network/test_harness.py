"""The network that the tests run on leaves nothing behind."""

import os
import signal
import time
from pathlib import Path

import pytest

from demo.network import SyftBoxNetwork, is_listening
from tests.network.conftest import syftbox_03


@pytest.mark.network
def test_sigterm_ends_all_processes_of_the_network(tmp_path: Path) -> None:
    network = syftbox_03().start(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        be_terminated_within(network)
    assert not is_listening(network.server_port)
    assert signal.getsignal(signal.SIGTERM) == before


def be_terminated_within(network: SyftBoxNetwork) -> None:
    with network:
        assert is_listening(network.server_port)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
