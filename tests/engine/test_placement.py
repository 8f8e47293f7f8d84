from types import SimpleNamespace

from uda_study.engine import placement
from uda_study.engine.placement import note_place, read_places


def test_a_training_that_moves_shows_every_machine_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(placement, "ray", SimpleNamespace(is_initialized=lambda: True))
    for address in ("10.0.0.1", "10.0.0.2"):
        monkeypatch.setattr(placement, "get_node_ip_address", lambda address=address: address)
        note_place(tmp_path)
        note_place(tmp_path, rank=1)
    for rank in (0, 1):
        assert [node for node, _ in read_places(tmp_path, rank)] == ["10.0.0.1", "10.0.0.2"]
    (first, _), (second, _) = (read_places(tmp_path)[i] for i in (0, 1))
    assert first != second


def test_outside_a_cluster_nothing_is_noted(tmp_path):
    note_place(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert read_places(tmp_path) == []
