"""What a notebook gets from ``import uda_study``."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import uda_study

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PUBLIC = ["InputError", "Model", "Study", "__version__", "load", "load_model", "run"]
STUDY = {"best", "board", "cases", "leaderboard", "promote", "report", "runs"}


def test_the_public_names_are_these():
    assert sorted(uda_study.__all__) == dir(uda_study) == PUBLIC
    assert {name for name in vars(uda_study.Study) if not name.startswith("_")} == STUDY
    assert {name for name in vars(uda_study.Model) if not name.startswith("_")} == {
        "config",
        "predict",
    }


@pytest.mark.parametrize("name", [n for n in PUBLIC if not n.startswith("_")])
def test_every_public_name_says_what_it_is(name):
    assert inspect.getdoc(getattr(uda_study, name))


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = uda_study.runn


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'torch', 'ray', 'mlflow', 'pandas'}"
    code = f"import sys, uda_study; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_looking_at_a_study_imports_no_ray():
    code = (
        "import sys, uda_study; uda_study.load; uda_study.load_model; print('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
