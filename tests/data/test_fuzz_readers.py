"""Damaged files of every kind are refused or read soundly; benchmarks/fuzz_readers.py does more."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uda_study.testing.fuzz_targets import targets
from uda_study.testing.mutations import mutated, packed, with_checksums

# Whole radiographs are too large here, and the parser of MetaImage headers can end the process.
LEFT_OUT = ("img",)
EXAMPLES = 15
SECONDS = 2.0


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return {target.name: target for target in targets(tmp_path_factory.mktemp("sound") / "made")}


def test_what_is_damaged_is_sound_before(sound, tmp_path):
    for name, target in sound.items():
        for file, content in target.files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            inside = name.endswith(".gz-inside")
            path.write_bytes(packed(content) if inside else content)
        target.read(tmp_path / name)


@given(number=st.integers(min_value=0))
@settings(max_examples=EXAMPLES, derandomize=True, database=None)
def test_damaged_files_are_refused_or_read_soundly(sound, tmp_path_factory, number):
    for name, target in sound.items():
        if name not in LEFT_OUT:
            began = time.process_time()
            target.attempt(tmp_path_factory.mktemp("damaged"), number)
            assert time.process_time() - began < SECONDS, (name, number)


def test_an_escaping_error_and_an_unsound_result_are_noticed(sound, tmp_path):
    target = sound["png-label"]
    for unsound in (KeyError, AssertionError):

        def read(_, unsound=unsound):
            raise unsound

        broken = type(target)(target.name, target.files, target.victims, read)
        with pytest.raises(unsound):
            broken.attempt(tmp_path, 0)


def test_damage_is_the_same_for_the_same_number(sound, tmp_path):
    target = sound["nifti1"]
    found = []
    for number in (1, 1, 2):
        folder = tmp_path / f"{len(found)}"
        target.attempt(folder, number)
        found.append((folder / "a.nii").read_bytes())
    assert found[0] == found[1] != found[2]


def test_checksums_are_repaired(sound):
    content = sound["png"].files["a.png"]
    changed = content[:20] + b"\x63" + content[21:]
    repaired = with_checksums(changed)
    assert repaired[:29] == changed[:29]
    assert repaired[29:33] != changed[29:33]
    assert with_checksums(content) == content
    assert with_checksums(content[:40]) == content[:40]
    assert with_checksums(b"no png") == b"no png"


@given(content=st.binary(min_size=1, max_size=200), seed=st.integers())
def test_any_content_can_be_damaged(content, seed):

    assert isinstance(mutated(content, random.Random(seed), 100), bytes)
