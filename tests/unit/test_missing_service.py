from __future__ import annotations

import pytest

from tests.services.missing import ServiceMissingError, skip_or_fail

MISSING = ServiceMissingError("DynamoDB Local", install="make services")


@pytest.mark.parametrize("value", ["true", "1"])
def test_fails_on_a_build_server(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.fail.Exception, match="make services"), skip_or_fail():
        raise MISSING


@pytest.mark.parametrize("value", ["", "false"])
def test_skips_elsewhere_and_names_the_command(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.skip.Exception, match="make services"), skip_or_fail():
        raise MISSING
