import pytest

from uda_study import plugins


def test_methods_follow_their_published_contract(call):
    entries = call("methods", "--json").json
    assert [entry["name"] for entry in entries] == list(plugins.names("methods"))
    for entry in entries:
        assert set(entry) == {
            "name", "supervision", "direction", "spatial_dims", "what", "paper", "hyperparameters",
        }  # fmt: skip
        assert entry["supervision"] in {"none", "images", "labels"}
        assert entry["direction"] in {"none", "target->source", "source->target"}
        assert set(entry["spatial_dims"]) <= {2, 3}
        assert entry["paper"]
        assert entry["what"]
        assert not any(isinstance(value, dict) for value in entry["hyperparameters"].values())
    assert len({entry["what"] for entry in entries}) == len(entries)
    dam = next(entry for entry in entries if entry["name"] == "dam")
    assert dam["hyperparameters"]["optim.lr"] == 3e-4
    assert dam["supervision"] == "images"


@pytest.mark.parametrize("kind", ["methods", "datasets", "metrics", "validators"])
def test_every_plugin_is_listed_for_people_and_programs(call, kind):
    shown = call(kind)
    assert (shown.code, shown.err) == (0, "")
    entries = call(kind, "--json").json
    assert [entry["name"] for entry in entries] == list(plugins.names(kind))
    lines = shown.out.splitlines()
    assert all(any(line.startswith(name) for line in lines) for name in plugins.names(kind))


def test_metrics_say_which_way_is_better(call):
    better = {entry["name"]: entry["better"] for entry in call("metrics", "--json").json}
    assert better["dice"] == "higher"
    assert better["js"] == "lower"
