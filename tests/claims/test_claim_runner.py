"""A claim from its study file to its verdict."""

import json

import pytest

from uda_study.claims.ledger import Claim
from uda_study.claims.runner import FILE, Runner
from uda_study.engine.job import Home

pytestmark = pytest.mark.ray

STUDY = """\
version: 1
name: claims_tiny
method: cyclegan
matrix:
  generator.upsampling: [resize, transposed]
  direction: [mr->ct]
data:
  dataset: phantom
  options: {subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}
confirm: {seeds: [1, 2]}
baselines: []
evaluation: {every: 2, images: 4}
parameters:
  segmenter.name: dilated_fcn
  segmenter.width: 2
  segmenter.norm: instance
  segmenter.steps: 2
  segmenter.batch_size: 4
  generator.width: 4
  generator.blocks: 1
  discriminator.width: 4
  discriminator.layers: 2
  batch_size: 2
  steps: 2
"""

TINY = Claim.model_validate(
    {
        "number": 6, "claim": "c", "paper": "p", "question": "q", "cost": "s", "caveat": "w",
        "studies": ["tiny"], "instruments": ["checkerboard", "cycle_error"],
        "rule": {
            "kind": "times_less", "metrics": ["checkerboard_untrained", "cycle_error"],
            "smaller": {"method": "cyclegan", "generator.upsampling": "resize"},
            "larger": {"method": "cyclegan", "generator.upsampling": "transposed"},
            "times": 1.0001, "seeds": [1, 2],
        },
    }
)  # fmt: skip


def test_a_claim_is_trained_once_measured_and_judged(tmp_path):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "tiny.yaml").write_text(STUDY)
    home, said = Home(tmp_path / "home"), []
    home.create()
    ((claim, finding),) = Runner(home, said.append, folder=tmp_path).judge([TINY])
    assert claim is TINY
    assert said[0].startswith("study claims_tiny-")
    untrained = finding.figures["checkerboard_untrained, cyclegan (generator.upsampling resize)"]
    assert len(set(untrained)) == 2
    assert all(0 < share < 1 for share in untrained)
    written = (home.path / FILE).read_text()
    assert json.loads(written)["6"]["verdict"] == finding.verdict
    trials = sorted(home.path.glob("studies/*/trials/*/result.json"))
    assert len(trials) == 4
    times = [path.stat().st_mtime_ns for path in trials]
    list(Runner(home, said.append, folder=tmp_path).judge([TINY]))
    assert [path.stat().st_mtime_ns for path in trials] == times
    assert (home.path / FILE).read_text() == written
