"""A study of images that are full of a patient's name, and all that comes out of it."""

import gzip
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from uda_study.testing.fakes import STUDY, write_two_domains
from uda_study.testing.tiny_files import write_dicom

pytestmark = pytest.mark.ray

CANARY = "zqcanary"
_PATIENCE_S = 300
# A shorter name of a machine turns up in any compressed picture.
_TELLING = 7
ONE_CELL = (
    STUDY.replace("[g2, g4]", "[g2]")
    .replace("num_samples: 4", "num_samples: 1")
    .replace("seeds: [0, 1]", "seeds: [1]")
)


def branded(path: Path, into: Path) -> None:
    """Copy an image, with the canary in every text that its header has room for."""
    image = nib.load(path)
    fresh = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        fresh.header[field] = f"{CANARY}{field}"[:16]
    fresh.header.extensions.append(Nifti1Extension("comment", f"{CANARY} born 1950".encode()))
    into.parent.mkdir(parents=True, exist_ok=True)
    fresh.to_filename(into)


def write_images(root: Path) -> None:
    """Write two domains whose folders and files are named after the patient; ids are not."""
    write_two_domains(root / "plain")
    rows = (root / "plain" / "manifest.csv").read_text().splitlines()
    table = [rows[0]]
    for row in rows[1:]:
        subject, domain, *files = row.split(",")
        moved = []
        for number, file in enumerate(files):
            name = f"{CANARY}-{subject}/{CANARY}_{number}.nii.gz"
            branded(root / "plain" / file, root / name)
            moved.append(name)
        table.append(",".join((subject, domain, *moved)))
    (root / "manifest.csv").write_text("\n".join(table) + "\n")


class Person:
    """Somebody whose name, home, machine and folders are the canary."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / f"{CANARY}-project"
        self.folder.mkdir()
        self.home = self.folder / "home"
        named = dict.fromkeys(("USER", "LOGNAME", "USERNAME", "HOSTNAME"), CANARY)
        self.environment = {**os.environ, **named, "HOME": str(self.folder / CANARY)}
        for name in ("MLFLOW_TRACKING_URI", "UDA_STUDY_HOME", "RAY_ADDRESS"):
            self.environment.pop(name, None)

    def run(self, *words: str) -> str:
        command = [sys.executable, "-m", "uda_study", *words, "--home", str(self.home)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


def holding(texts: list[bytes], folder: Path) -> list[str]:
    """Return the files below a folder that hold or are named by one of the texts."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = b"".join(archive.read(member) for member in archive.namelist())
        found += [name for text in texts if text in content or text in name.encode()]
    return found


def test_nothing_that_names_a_patient_or_a_person_leaves_the_machine(tmp_path):
    person = Person(tmp_path)
    root = person.folder / f"{CANARY}-archive"
    write_images(root)
    text = ONE_CELL.replace("root: .", f"root: {root}")
    (person.folder / "study.yaml").write_text(text)
    said = person.run("run", "study.yaml")
    (study,) = (path.name for path in (person.home / "studies").iterdir())
    said += person.run("leaderboard", study)
    said += person.run(
        "promote", study, "--cell", "depth=g2 direction=mr->ct", "--to", "m", "--force", "a test"
    )
    shown = tmp_path / "shown"
    shown.mkdir()
    person.run("report", study, "-o", str(shown / "report.html"))
    scan = next(root.glob("*ct0/*_0.nii.gz"))
    branded(scan, tmp_path / "in" / "case-1.nii.gz")
    series = np.random.default_rng(0).integers(0, 99, (16, 16, 3)).astype(np.int16)

    def name_patient(number, dataset):
        del number
        for element in ("PatientName", "PatientID", "StudyDescription", "InstitutionName"):
            setattr(dataset, element, CANARY)

    write_dicom(tmp_path / "in" / "case-2", series, (1.0, 1.0, 2.0), change=name_patient)
    said += person.run(
        "predict", "-m", "m@champion", "-i", str(tmp_path / "in"), "-o", str(shown / "out"), "--qc"
    )
    names = {path.name for path in (shown / "out").iterdir()}
    assert names == {"case-1.nii.gz", "case-2.nii.gz", "volumes.csv", "qc.html"}

    texts = [CANARY.encode(), CANARY.encode("utf-16-le")]
    if len(socket.gethostname()) > _TELLING:
        texts.append(socket.gethostname().encode())
    # What is passed on: the tracker's database and files, pages, predictions.
    assert holding(texts, shown) == []
    assert holding(texts, person.home / "mlartifacts") == []
    database = person.home / "mlflow.db"
    tracked = b"".join(p.read_bytes() for p in person.home.glob("mlflow.db*"))
    # Where its artifacts lie stands in the database: it is kept, as the folder is chosen.
    tracked = tracked.replace(str(person.home).encode(), b"")
    assert database.is_file()
    assert [text for text in texts if text in tracked] == []
    # What stays in the home: all of it, but for where the images lie in the study's own file.
    stays = holding(texts, person.home / "studies")
    assert {Path(name).name for name in stays} <= {"study.yaml", "original.yaml"}
    assert holding(texts, person.home / "cache") == []
    # Paths that the person has given are shown to the person alone.
    assert [
        line for line in said.splitlines() if CANARY in line.replace(str(person.folder), "")
    ] == []
