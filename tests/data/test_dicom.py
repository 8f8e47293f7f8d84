import logging
import os
import shutil
import warnings

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from uda_study.data import dicom, limits
from uda_study.data.read import read_image
from uda_study.errors import InputError
from uda_study.testing.tiny_files import write_dicom

ARRAY = np.random.default_rng(0).integers(-1000, 3000, (6, 8, 5)).astype(np.int16)


def refusal(folder):
    with pytest.raises(InputError) as caught:
        read_image(folder, "case7")
    text = str(caught.value)
    assert all(problem.where.startswith("case7 image") for problem in caught.value.problems)
    assert "anary" not in text, "a patient's name or number"
    assert "1.2.826" not in text, "an identifier"
    assert "IMG" not in text, "a file's name"
    return text


def changed(tmp_path, change, array=ARRAY, **more):
    folder = tmp_path / "series"
    shutil.rmtree(folder, ignore_errors=True)
    write_dicom(folder, array, (1.0, 2.0, 3.0), change=change, **more)
    return folder


def setting(only=None, **values):
    """Return a change that sets elements of all slices, or of one."""

    def change(number, dataset):
        if only in (None, number):
            for name, value in values.items():
                setattr(dataset, name, value)

    return change


def test_a_series_becomes_ras_whatever_the_files_are_called(tmp_path):
    names = ["d.dcm", "10.dcm", "a.dcm", "2.dcm", "c.dcm"]
    folder = changed(tmp_path, None, names=names)
    image = read_image(folder, "case7")
    np.testing.assert_array_equal(image.array, ARRAY)
    expected = np.array([[-1, 0, 0, 0], [0, -2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])
    np.testing.assert_allclose(image.affine, expected)
    assert image.file_order == (4, 1, 2, 0, 3), "2 comes before 10, and numbers before letters"


def test_oblique_slices_lie_where_their_headers_say(tmp_path):
    row, column = np.array([0, 1.0, 0]), np.array([0, 0, -1.0])
    normal = np.cross(row, column)

    def sagittal(number, dataset):
        dataset.ImageOrientationPatient = [*row, *column]
        dataset.ImagePositionPatient = list(np.array([7.0, 8, 9]) - number * 2.5 * normal)

    image = read_image(changed(tmp_path, sagittal), "case7")
    np.testing.assert_array_equal(image.array, ARRAY[:, :, ::-1])
    last = np.array([7.0, 8, 9]) - 4 * 2.5 * normal
    for voxel in ([0, 0, 0], [5, 0, 0], [0, 7, 0], [3, 2, 4]):
        x, y, z = voxel
        lps = last + x * 1.0 * row + y * 2.0 * column + z * 2.5 * normal
        found = image.affine @ [x, y, z, 1]
        np.testing.assert_allclose(found[:3], lps * [-1, -1, 1], atol=1e-9)


def test_each_slice_is_rescaled_by_its_own_header(tmp_path):
    def rescaled(number, dataset):
        dataset.RescaleSlope, dataset.RescaleIntercept = number + 0.5, -1024

    image = read_image(changed(tmp_path, rescaled), "case7")
    np.testing.assert_allclose(image.array, ARRAY * (np.arange(5) + 0.5) - 1024)


def test_run_length_encoding_is_decoded(tmp_path):
    folder = changed(tmp_path, lambda _, dataset: dataset.compress(RLELossless))
    np.testing.assert_array_equal(read_image(folder, "case7").array, ARRAY)


def test_unsupported_compressions_are_named(tmp_path):
    def change(_, dataset):
        dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
        dataset.PixelData = b"\xfe\xff\x00\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
        dataset["PixelData"].is_undefined_length = True

    assert "got JPEG-LS Lossless Image Compression" in refusal(changed(tmp_path, change))
    for found in (b"1.2.840.99999.1.2.1\x00", b"canary.2.840.10008\x00\x00"):
        folder = changed(tmp_path, None)
        for file in folder.iterdir():
            file.write_bytes(file.read_bytes().replace(b"1.2.840.10008.1.2.1\x00", found))
        assert "got an unknown transfer syntax" in refusal(folder)


def test_deflated_files_are_refused_before_they_are_inflated(tmp_path):
    def change(_, dataset):
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    assert "got Deflated Explicit VR Little Endian" in refusal(changed(tmp_path, change))


def test_several_series_are_mixed_unless_every_file_has_its_own(tmp_path):
    other = generate_uid()
    assert "one DICOM series, got 2 series" in refusal(
        changed(tmp_path, setting(3, SeriesInstanceUID=other))
    )

    def anonymise(_, dataset):
        dataset.SeriesInstanceUID = generate_uid()

    anonymised = changed(tmp_path, anonymise)
    np.testing.assert_array_equal(read_image(anonymised, "case7").array, ARRAY)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_missing_slices_are_counted(tmp_path, lost):
    folder = changed(tmp_path, None, array=np.tile(ARRAY, (1, 1, 2)))
    for number in range(4, 4 + lost):
        (folder / f"IMG-{number:05d}.dcm").unlink()
    assert f"gaps for {lost} slices 3 mm apart" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (setting(2, ImagePositionPatient=[0, 0, 3]), "1 that repeat another's"),
        (setting(ImagePositionPatient=[0, 0, 3]), "4 that repeat another's"),
        (setting(2, ImagePositionPatient=[0, 0, 7]), "evenly spaced"),
        (setting(2, ImagePositionPatient=[5, 0, 6]), "evenly spaced"),
        (setting(2, ImageOrientationPatient=[0, 1, 0, 1, 0, 0]), "orientation of the first"),
        (setting(2, PixelSpacing=[1, 1]), "pixel spacing of the first"),
        (setting(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "right angles"),
        (setting(ImageOrientationPatient=[2, 0, 0, 0, 2, 0]), "right angles"),
        (setting(PixelSpacing=[0, 1]), "PixelSpacing must be positive"),
        (setting(PixelSpacing=None), "PixelSpacing must be 2 finite"),
        (setting(ImagePositionPatient=[1, 2]), "ImagePositionPatient must be 3 finite"),
        (setting(NumberOfFrames=3), "got 3 frames"),
        (setting(PhotometricInterpretation="MONOCHROME1"), "MONOCHROME2"),
        (setting(PhotometricInterpretation="RGB", SamplesPerPixel=3), "one channel of grey"),
        (setting(RescaleSlope=0), "RescaleSlope"),
        (setting(ModalityLUTSequence=Sequence([Dataset()])), "lookup table"),
        (setting(3, Rows=7, PixelData=bytes(84)), "shape of the first"),
    ],
)
def test_slices_that_form_no_volume_are_refused(tmp_path, change, text):
    assert text in refusal(changed(tmp_path, change))


def test_tilted_slices_are_refused(tmp_path):
    def tilted(number, dataset):
        dataset.ImagePositionPatient = [0, number * 1.0, number * 3.0]

    assert "tilt of 18.4 degrees" in refusal(changed(tmp_path, tilted))


def test_one_slice_needs_a_thickness(tmp_path):
    one = ARRAY[:, :, :1]
    image = read_image(changed(tmp_path, None, array=one), "case7")
    assert image.array.shape == (6, 8, 1)
    assert image.affine[2, 2] == 3
    assert "SliceThickness" in refusal(changed(tmp_path, setting(SliceThickness=None), array=one))


def test_sizes_are_judged_before_any_pixel_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "_pixels", lambda *_: pytest.fail("a pixel was decoded"))
    huge = changed(tmp_path, setting(Rows=60000, Columns=60000))
    assert "limit is 4 GiB" in refusal(huge)
    assert "50 megapixels" in refusal(changed(tmp_path, setting(Rows=9000, Columns=9000)))
    assert "at least 1" in refusal(changed(tmp_path, setting(Rows=0)))
    with monkeypatch.context() as patch:
        patch.setattr(limits, "MAX_IMAGE_GIB", 0)
        assert "claims too much" in refusal(changed(tmp_path, None))
    monkeypatch.setattr(dicom, "_MAX_FILE", 100)
    assert "one slice is at most 100 bytes" in refusal(changed(tmp_path, None))


def test_truncated_damaged_and_foreign_files_are_refused(tmp_path):
    folder = changed(tmp_path, None)
    file = folder / "IMG-00003.dcm"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    text = refusal(folder)
    assert "file 3 of 5: the file is truncated, got 76 of 96" in text
    file.write_bytes(b"a text " * 50)
    assert "file 3 of 5: not a DICOM file" in refusal(folder)
    file.write_bytes(whole.replace(b"1.2.840.10008.1.2.1\x00", b"\xff" * 20))
    assert "file 3 of 5" in refusal(folder)
    file.write_bytes(b"")
    assert "not a DICOM file" in refusal(folder)


def test_a_slice_without_pixels_is_refused(tmp_path):
    assert "no pixels" in refusal(changed(tmp_path, lambda _, dataset: dataset.pop("PixelData")))


def test_other_and_hidden_files_are_left_alone(tmp_path):
    folder = changed(tmp_path, None)
    (folder / "readme.txt").write_text("x")
    (folder / ".DS_Store").write_text("x")
    np.testing.assert_array_equal(read_image(folder, "case7").array, ARRAY)
    for number, file in enumerate(sorted(folder.glob("*.dcm"))):
        file.rename(folder / f"{number}")
    assert "not a DICOM file" in refusal(folder), "without suffixes every file counts"
    (folder / "readme.txt").unlink()
    np.testing.assert_array_equal(read_image(folder, "case7").array, ARRAY)


def test_links_out_of_the_folder_are_refused(tmp_path):
    folder = changed(tmp_path, None)
    shutil.move(folder / "IMG-00002.dcm", tmp_path / "elsewhere.dcm")
    os.symlink(tmp_path / "elsewhere.dcm", folder / "IMG-00002.dcm")
    assert "must lie in their folder, got 1 links" in refusal(folder)


def test_an_empty_folder_holds_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    assert "no such file" in refusal(tmp_path / "a")
    (tmp_path / "a" / ".hidden").touch()
    assert "no such file" in refusal(tmp_path / "a")


def test_the_parser_s_warnings_and_logs_are_not_passed_on(tmp_path, caplog):
    folder = changed(tmp_path, None)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"1.2.840.10008.5.1.4", b"canary.1.2.3.4.5.6."))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        read_image(folder, "case7")
    assert not seen
    assert not caplog.records
