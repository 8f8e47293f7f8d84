"""What a training's end asks of the driver does not grow with the trainings that ended before."""

from collections import Counter
from pathlib import Path

from driving import foreman_of, keeping, train_all
from many_slots import Cluster, queue_of
from simulation import make_queue, search_spec

from uda_study.engine.progress import ProgressMeter
from uda_study.engine.retention import MODEL


def test_the_folder_of_a_dropped_model_is_not_looked_at_again(job, monkeypatch):
    looks: Counter[Path] = Counter()
    is_dir = Path.is_dir

    def counted(path: Path) -> bool:
        looks[path] += path.name == MODEL
        return is_dir(path)

    monkeypatch.setattr(Path, "is_dir", counted)
    foreman = foreman_of(keeping(job, study_top_k=1), make_queue(cells=1, num_samples=40))
    train_all(foreman)
    assert len(foreman.log.dropped) > 5
    looks_at_dropped = [looks[job.trial_folder(key) / MODEL] for key in foreman.log.dropped]
    assert set(looks_at_dropped) == {1}


def test_numbers_that_were_left_out_are_given_first():
    (work,) = queue_of(1, 12).cells.values()
    for number in (0, 2, 3, 5, 7):
        begin(work, number)
    given = []
    while work.asked < 12:
        given.append(work.next_number)
        assert work.next_number == given[-1], "asking changes nothing"
        begin(work, given[-1])
    assert given == [1, 4, 6, 8, 9, 10, 11]


def begin(work, number):
    spec = search_spec(work.cell, number, {"lr": float(number)})
    work.started[spec.key] = spec


def test_progress_counts_what_runs_in_each_cell():
    queue = queue_of(3, 12)
    progress = ProgressMeter(queue, baselines=4, confirmations_per_cell=2)
    cluster = Cluster(queue, 7)
    seen = set()

    def compare():
        running = Counter(spec.cell for spec in queue.running.values())
        shown = {cell.key: cell.running for cell in progress.read().cells}
        assert shown == {key: running[key] for key in queue.cells}
        seen.update(shown.values())

    cluster.after = compare
    cluster.run()
    assert max(seen) > 1
