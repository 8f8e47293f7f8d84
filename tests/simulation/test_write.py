import gzip
from pathlib import Path

import nibabel as nib
import numpy as np

from uda_study.simulation.anatomy import Grid
from uda_study.simulation.write import write_nifti

GRID = Grid((8, 9, 10), (1.0, 2.0, 3.0), (5.0, -6.0, 7.0))


def test_file_has_both_transforms_in_mm_and_no_text(tmp_path: Path):
    path = tmp_path / "image.nii.gz"
    write_nifti(path, np.zeros(GRID.shape, dtype=np.float32), GRID)
    image = nib.Nifti1Image.from_filename(path)
    header = image.header
    for affine, code in (header.get_sform(coded=True), header.get_qform(coded=True)):
        np.testing.assert_allclose(affine, GRID.affine, atol=1e-5)
        assert code == 1
    assert header.get_xyzt_units()[0] == "mm"
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    texts = ("descrip", "aux_file", "intent_name", "db_name")
    assert all(bytes(header[text].tobytes()).strip(b"\0") == b"" for text in texts)


def test_images_are_rounded_and_labels_kept(tmp_path: Path):
    image = np.random.default_rng(0).normal(0, 300, GRID.shape).astype(np.float32)
    label = np.random.default_rng(0).integers(0, 20, GRID.shape).astype(np.uint8)
    write_nifti(tmp_path / "image.nii.gz", image, GRID)
    write_nifti(tmp_path / "label.nii.gz", label, GRID)
    read = nib.Nifti1Image.from_filename(tmp_path / "image.nii.gz")
    assert np.abs(np.asarray(read.dataobj) - image).max() <= 0.5
    read = nib.Nifti1Image.from_filename(tmp_path / "label.nii.gz")
    assert read.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(read.dataobj), label)


def test_same_voxels_give_the_same_bytes(tmp_path: Path):
    voxels = np.arange(720, dtype=np.uint8).reshape(GRID.shape)
    write_nifti(tmp_path / "one.nii.gz", voxels, GRID)
    write_nifti(tmp_path / "two.nii.gz", voxels, GRID)
    one, two = ((tmp_path / f"{n}.nii.gz").read_bytes() for n in ("one", "two"))
    assert one == two
    assert len(gzip.decompress(one)) == 352 + 720
