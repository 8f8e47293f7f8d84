from pathlib import Path

from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.types import Direction

TAGS = {
    "dataset": "phantom", "selection": "blind/score", "protocol": "strict", "seeds": "0,1",
    "git_commit": "abc123", "data_sha": "91ac",
}  # fmt: skip

CELL = Cell("depth=5", "dam", Direction("mr", "ct"), {"depth": 5}, {"depth": 5})


def spec(number: int = 0, kind: str = "search", seed: int = 0, **other: object) -> TrialSpec:
    values: dict[str, object] = {
        "study": "toy-1", "kind": kind, "cell": CELL.key, "number": number, "method": "dam",
        "direction": "mr->ct", "fold": 0, "seed": seed, "params": {"depth": 5},
    }  # fmt: skip
    return TrialSpec(**{**values, **other})  # type: ignore[arg-type]


def write_trial(folder: Path, spec: TrialSpec, dice: float = 0.5) -> Path:
    """Write the files of a training, as the engine leaves them."""
    place = folder / "trials" / spec.key
    (place / "checkpoints").mkdir(parents=True)
    (place / "checkpoints" / "big.bin").write_bytes(b"0" * 100)
    (place / "model").mkdir()
    (place / "model" / "config.json").write_text('{"path": "/secret/place/x"}')
    (place / "curves.png").write_bytes(b"png")
    (place / "result.json").write_text('{"message": "/secret/place/x"}')
    lines = ["case,subject,role,structure,metric,phase,value"]
    for subject in ("s1", "s2"):
        lines += [f"{subject}a,{subject},target_test,heart,dice,after,{dice}"]
        lines += [f"{subject}a,{subject},target_test,image,js,after,0.1"]
    (place / "cases.csv").write_text("\n".join(lines) + "\n")
    return place


def result(spec: TrialSpec, status: str = "complete", **scores: float) -> TrialResult:
    named = {name.replace("_", "/", 1): value for name, value in scores.items()}
    return TrialResult(spec.key, status, 100, named)  # type: ignore[arg-type]
