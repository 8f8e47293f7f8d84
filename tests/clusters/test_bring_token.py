"""Commands for a launcher's cluster send its token, though Ray was imported long before."""

import os
import subprocess
import sys

import pytest

ASK = """
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from uda_study.clusters.reach import bring_token
before = is_token_auth_enabled()
bring_token()
print(before, is_token_auth_enabled())
"""


@pytest.mark.parametrize(
    ("mode", "after"), [({}, True), ({"RAY_AUTH_MODE": "disabled"}, False)], ids=["unset", "off"]
)
def test_the_token_is_sent_unless_the_environment_says_otherwise(mode, after):
    told = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**{k: v for k, v in os.environ.items() if k != "RAY_AUTH_MODE"}, **mode},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.split() == ["False", str(after)]
