"""Settings as a person writes them."""

import pytest

from attention_filter.settings import Settings


@pytest.mark.parametrize("written", ["nas, 127.0.0.1:8080", "nas 127.0.0.1:8080", '["nas", "127.0.0.1:8080"]'])
def test_private_hosts_are_written_as_a_plain_list_or_as_json(monkeypatch, written):
    monkeypatch.setenv("ATTENTION_PRIVATE_HOSTS", written)
    assert Settings().private_hosts == ("nas", "127.0.0.1:8080")


def test_no_private_host_is_named_unless_one_is(monkeypatch):
    monkeypatch.setenv("ATTENTION_PRIVATE_HOSTS", "")
    assert Settings().private_hosts == ()
    assert Settings(private_hosts=("nas",)).private_hosts == ("nas",)


@pytest.mark.parametrize("name", ["hosts", "trusted_proxies"])
def test_names_and_proxies_of_the_page_are_written_the_same_way(monkeypatch, name):
    monkeypatch.setenv(f"ATTENTION_{name.upper()}", "10.0.0.0/8, 192.168.1.7")
    assert getattr(Settings(), name) == ("10.0.0.0/8", "192.168.1.7")
