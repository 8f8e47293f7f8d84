from pathlib import Path

import pytest

from uda_study.errors import InputError
from uda_study.study.validate import load_study

FILE = Path(__file__).parents[2] / "search_spaces" / "compare_methods.yaml"


def test_fewer_methods_need_no_parameters_of_the_others():
    study = load_study(FILE, ["matrix.method=[dam, adabn]"]).spec
    assert study.matrix["method"] == ("dam", "adabn")
    written = {**study.parameters, **study.fixed}
    assert {
        "dam.depth",
        "adabn.segmenter.norm",
        "segmenter.steps",
        "dam.optim.lr",
    } <= written.keys()
    assert not {"entropy_weight", "feature_da.adversarial_weight", "cycle.weight"} & written.keys()


def test_a_misspelt_parameter_is_found_with_fewer_methods_too():
    with pytest.raises(InputError, match="unknown hyperparameter of dam"):
        load_study(FILE, ["matrix.method=[dam]", "parameters.entropy_weight=0.5"])
    with pytest.raises(InputError, match="unknown hyperparameter"):
        load_study(FILE, ["matrix.method=[dam]", "parameters.stepps=5"])
