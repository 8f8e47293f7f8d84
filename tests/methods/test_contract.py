"""Every method in the package keeps the contract; none has to be listed here."""

from __future__ import annotations

import pytest

from uda_study import plugins
from uda_study.method import Method
from uda_study.testing import method_ranks, method_suite

METHODS = {name: plugins.load("methods", name, Method) for name in plugins.names("methods")}
CASES = [
    pytest.param(method, dims, id=f"{name}-{dims}d")
    for name, method in METHODS.items()
    for dims in method.needs.spatial_dims
]


def test_there_are_methods():
    assert {"no_adaptation", "target_supervised", "dam"} <= set(METHODS)


@pytest.mark.parametrize("check", method_suite.CHECKS, ids=method_suite.check_name)
@pytest.mark.parametrize(("method", "dims"), CASES)
def test_contract(method, dims, check):
    check(method, dims)


def test_two_ranks_equal_one_process_on_the_whole_batch():
    comparable = {n: m for n, m in METHODS.items() if not method_ranks.mixes_samples(m)}
    differences = method_ranks.ranks_differ(comparable, (2,))
    assert differences
    assert {k: v for k, v in differences.items() if v > method_ranks.TOLERANCE} == {}
