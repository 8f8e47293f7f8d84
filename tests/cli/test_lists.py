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


def test_datasets_are_listed_in_short_lines_with_the_protocol_of_their_paper(call):
    shown = call("datasets").out.splitlines()
    lines = {line.split()[0]: line.rstrip() for line in shown if line}
    assert lines["wmh2017"].endswith("7 folds, val 0.15, test 0.15")
    assert lines["mmwhs"].endswith("1 fold, val 0, test 0.2")
    assert lines["bids"].endswith("  own images in a BIDS tree, with labels among its derivatives")
    assert max(map(len, lines.values())) < 130


@pytest.mark.parametrize("name", plugins.names("datasets"))
def test_a_dataset_is_shown_whole_by_its_name(call, name):
    shown = call("datasets", name)
    assert (shown.code, shown.err) == (0, "")
    facts = call("datasets", name, "--json").json
    assert facts == next(
        entry for entry in call("datasets", "--json").json if entry["name"] == name
    )
    assert set(facts) == {
        "name", "summary", "licence", "citation", "request", "tree", "paper", "options",
    }  # fmt: skip
    lines = shown.out.splitlines()
    assert lines[0] == f"{name}: {facts['summary']}"
    for field in ("licence", "citation", "request"):
        assert any(line.endswith(facts[field]) for line in lines)
    for pattern in facts["tree"].splitlines():
        assert f"  {pattern}" in lines
    for option, said in facts["options"].items():
        (line,) = (line for line in lines if line.startswith(f"  {option}: "))
        assert line.startswith(f"  {option}: required") == said["required"]
        assert line.endswith(said["what"] or "")
    if facts["paper"] is not None:
        assert any(line.endswith(f"({facts['paper']['source']})") for line in lines)


def test_an_unknown_dataset_is_refused_with_the_nearest(call):
    ended = call("datasets", "lit")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean 'lits'?" in ended.err


def test_metrics_say_which_way_is_better(call):
    better = {entry["name"]: entry["better"] for entry in call("metrics", "--json").json}
    assert better["dice"] == "higher"
    assert better["js"] == "lower"
