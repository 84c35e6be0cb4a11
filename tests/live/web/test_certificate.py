"""The certificate of HTTPS: what it is valid for, and how long it is kept."""

from __future__ import annotations

import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from stream_dream.errors import SettingsError
from stream_dream.live.web import certificate
from stream_dream.live.web.certificate import https_context

NAMES = ("localhost", "stage.local", "192.168.1.5", "2001:db8::1")


def made(folder: Path, *names: str) -> x509.Certificate:
    https_context(folder, names)
    return x509.load_pem_x509_certificate((folder / "https.pem").read_bytes())


def names_of(found: x509.Certificate) -> set[str]:
    extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = extension.get_values_for_type(x509.IPAddress)
    return {*extension.get_values_for_type(x509.DNSName), *map(str, addresses)}


def test_browsers_accept_it_for_all_names(tmp_path: Path) -> None:
    found = made(tmp_path / "new folder", *NAMES)
    assert names_of(found) == set(NAMES)
    assert found.not_valid_after_utc - found.not_valid_before_utc <= timedelta(days=825)
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    made(tmp_path, *NAMES)
    assert stat.S_IMODE((tmp_path / "https.pem").stat().st_mode) == 0o600


def test_it_is_kept_until_a_name_is_missing(tmp_path: Path) -> None:
    first = made(tmp_path, *NAMES)
    assert made(tmp_path, *NAMES[:2]) == first
    second = made(tmp_path, "localhost", "10.0.0.7")
    assert names_of(second) == {*NAMES, "10.0.0.7"}
    assert made(tmp_path, *NAMES) == second  # back in the network that it came from


@pytest.mark.parametrize("damage", ["expires", "empty", "no key", "another key"])
def test_it_is_replaced_when_it_is_no_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    path = tmp_path / "https.pem"
    with monkeypatch.context() as patch:
        if damage == "expires":
            patch.setattr(certificate, "_VALID", timedelta(days=29))
        first = made(tmp_path, *NAMES)
    whole = path.read_text()
    begin = whole.index("-----BEGIN PRIVATE KEY")
    if damage == "empty":
        path.write_text("")
    elif damage == "no key":
        path.write_text(whole[:begin])
    elif damage == "another key":
        path.unlink()
        made(tmp_path, *NAMES)
        path.write_text(whole[:begin] + path.read_text()[begin:])
    second = made(tmp_path, *NAMES)
    assert second != first
    assert made(tmp_path, *NAMES) == second


def test_a_folder_that_cannot_be_used_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"--https .* set STREAM_DREAM_CACHE") as refused:
        https_context(tmp_path / "file", NAMES)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(SettingsError, match=r"pip install 'stream-dream\[live\]'"):
        https_context(tmp_path, NAMES)
