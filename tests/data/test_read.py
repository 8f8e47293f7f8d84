import gzip
import os
import struct
import zlib

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from PIL import Image as PillowImage

from uda_study.data.read import Image, read_image, read_label
from uda_study.errors import InputError
from uda_study.report.planes import upright

NOISE = np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_image(path, "case7")
    (problem,) = caught.value.problems
    assert problem.where.startswith("case7")
    return str(problem)


def label_refusal(path, image):
    with pytest.raises(InputError) as caught:
        read_label(path, "case7", image)
    (problem,) = caught.value.problems
    assert problem.where == "case7 label"
    return str(problem)


def header_with(tmp_path, name="bad.nii", **fields):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape((4, 4, 4))
    header.set_sform(np.eye(4), 1)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    for field, value in fields.items():
        header[field] = value
    path = tmp_path / name
    path.write_bytes(header.binaryblock + bytes(4) + np.arange(64, dtype=np.float32).tobytes())
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_keeps_voxels_and_affine(write_nifti, suffix):
    affine = np.array([[0, 2.0, 0, 1], [-1, 0, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]])
    image = read_image(write_nifti("a" + suffix, NOISE, affine), "case7")
    np.testing.assert_array_equal(image.array, NOISE)
    np.testing.assert_array_equal(image.affine, affine)


def test_stored_scaling_and_byte_order_are_applied(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    picture = nib.Nifti1Image(NOISE, np.eye(4), header)
    picture.header.set_data_dtype(">i2")
    nib.save(picture, tmp_path / "a.nii.gz")
    image = read_image(tmp_path / "a.nii.gz", "case7")
    np.testing.assert_allclose(image.array, NOISE, atol=1e-3)


def test_trailing_single_dimensions_are_dropped_and_planes_get_one(write_nifti):
    assert read_image(write_nifti("a.nii", NOISE[..., None]), "c").array.shape == (16, 16, 16)
    assert read_image(write_nifti("b.nii", NOISE[..., 0]), "c").array.shape == (16, 16, 1)


def test_missing_and_empty_files_are_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "a.nii")
    assert "no such file" in refusal(tmp_path)
    (tmp_path / "a.nii").touch()
    assert "empty" in refusal(tmp_path / "a.nii")
    (tmp_path / "a.txt").write_text("x")
    assert "unknown image format" in refusal(tmp_path / "a.txt")


def test_truncated_files_are_refused(write_nifti):
    plain = write_nifti("a.nii", NOISE)
    plain.write_bytes(plain.read_bytes()[:9000])
    assert "8648 of 16384 data bytes" in refusal(plain)
    packed = write_nifti("b.nii.gz", NOISE)
    packed.write_bytes(packed.read_bytes()[:-2000])
    assert "truncated" in refusal(packed)
    packed.write_bytes(packed.read_bytes()[:30])
    assert "truncated" in refusal(packed)


def test_a_bad_checksum_is_found(write_nifti):
    path = write_nifti("a.nii.gz", NOISE)
    content = bytearray(path.read_bytes())
    content[-6] ^= 255
    path.write_bytes(content)
    assert "damaged" in refusal(path)


def test_files_that_are_not_what_they_are_called_are_refused(tmp_path, write_nifti):
    for name in ("a.nii", "a.nii.gz", "a.png", "a.mha", "a.mhd"):
        path = tmp_path / name
        path.write_text("a text that is no image " * 40)
        assert "give it the suffix" in refusal(path) or "damaged" in refusal(path)
        path.unlink()
    write_nifti("b.nii", NOISE).rename(tmp_path / "b.png")
    assert "not a PNG" in refusal(tmp_path / "b.png")


def test_impossible_headers_are_refused_before_anything_is_read(tmp_path):
    huge = header_with(tmp_path, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
    assert "limit is 4 GiB, got 98.23 TiB" in refusal(huge)
    for size in (0, -4):
        path = header_with(tmp_path, dim=[3, 4, size, 4, 1, 1, 1, 1])
        assert "at least 1" in refusal(path)
    for count in (0, 1, 9):
        assert "one three-dimensional" in refusal(
            header_with(tmp_path, dim=[count, 4, 4, 4, 1, 1, 1, 1])
        )
    assert "offset" in refusal(header_with(tmp_path, vox_offset=np.nan))
    assert "single-file" in refusal(header_with(tmp_path, magic=b"ni1"))
    assert "unknown voxel type" in refusal(header_with(tmp_path, datatype=185))


def test_scaling_beyond_float_is_not_finite(tmp_path):
    assert "non-finite" in refusal(header_with(tmp_path, scl_slope=3e38, scl_inter=1))


def test_a_bomb_stops_at_what_the_header_claims(tmp_path):
    plain = header_with(tmp_path).read_bytes()
    path = tmp_path / "bomb.nii.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(plain + bytes(1 << 25))
    assert "more than its header claims" in refusal(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 4, 2), np.float32),
        np.zeros((4, 4, 4, 1, 3), np.float32),
        np.zeros((4, 4, 4), np.complex64),
        np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")]),
    ],
)
def test_only_one_scalar_volume_is_read(write_nifti, array):
    text = refusal(write_nifti("a.nii", array))
    assert "one three-dimensional volume" in text or "single real numbers" in text


def test_twins_are_ambiguous(write_nifti):
    plain, packed = write_nifti("a.nii", NOISE), write_nifti("a.nii.gz", NOISE)
    assert "ambiguous" in refusal(plain)
    assert "ambiguous" in refusal(packed)


def test_non_finite_voxels_need_permission(write_nifti):
    array = NOISE.copy()
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    path = write_nifti("a.nii", array)
    assert "3 non-finite voxels; set nonfinite: zero" in refusal(path)
    allowed = read_image(path, "case7", nonfinite="zero")
    assert (allowed.array[0, 0, :3] == 0).all()


def test_constant_images_are_refused(write_nifti):
    assert "constant, got 5" in refusal(write_nifti("a.nii", np.full((4, 4, 4), 5.0)))


def test_orientation_must_be_there_and_sound(tmp_path):
    assert "sform = qform = 0" in refusal(header_with(tmp_path, sform_code=0))
    flat = header_with(tmp_path, srow_y=[0, 0, 0, 0])
    assert "finite and invertible" in refusal(flat)
    nan = header_with(tmp_path, srow_x=[np.nan, 0, 0, 0])
    assert "finite and invertible" in refusal(nan)


def test_labels_must_lie_on_the_image(write_nifti):
    affine = np.diag([2.0, 2, 2, 1])
    image = Image(NOISE, affine)
    label = (NOISE > 0).astype(np.uint8)
    assert (read_label(write_nifti("a.nii", label, affine), "case7", image) == label).all()
    assert "16 x 16 x 16" in label_refusal(write_nifti("a.nii", label[1:], affine), image)
    for shift, accepted in ((0.01, True), (50, False)):
        moved = affine.copy()
        moved[0, 3] = shift
        path = write_nifti("a.nii", label, moved)
        if accepted:
            read_label(path, "case7", image)
        else:
            assert "origin differs by 50 mm" in label_refusal(path, image)


def test_label_values_must_be_whole_and_not_negative(write_nifti):
    image = Image(NOISE, np.eye(4))
    values = np.zeros((16, 16, 16), np.float32)
    values[0, 0, 0] = 3.0002
    assert read_label(write_nifti("a.nii", values), "case7", image)[0, 0, 0] == 3
    values[0, 0, 1] = 0.5
    assert "whole numbers, got 0.5 and 0 more" in label_refusal(write_nifti("a.nii", values), image)
    for value in (-1, 70000, np.nan):
        values[0, 0, 1] = value
        label_refusal(write_nifti("a.nii", values), image)


def test_png_axes_allow_writing_the_same_picture_back(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    path = tmp_path / "a.png"
    PillowImage.fromarray(picture).save(path)
    image = read_image(path, "case7")
    assert image.array.shape == (7, 5, 1)
    np.testing.assert_array_equal(image.array[:, :, 0].T, picture)


def test_a_png_is_shown_as_the_file_shows_it(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    path = tmp_path / "a.png"
    PillowImage.fromarray(picture).save(path)
    image = read_image(path, "case7")
    across, down, _ = nib.aff2axcodes(image.affine)
    shown = upright(image.array[:, :, 0], (across, down), "radiological")
    np.testing.assert_array_equal(shown, picture)


def test_png_images_may_have_sixteen_bits_but_labels_may_not(tmp_path):
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    PillowImage.fromarray(deep).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", "case7")
    assert image.array.max() == 63000
    assert "8 bits of grey, got mode I;16" in label_refusal(tmp_path / "a.png", image)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_coloured_pngs_are_refused(tmp_path, mode):
    PillowImage.new(mode, (8, 8)).save(tmp_path / "a.png")
    assert mode in refusal(tmp_path / "a.png")
    assert mode in label_refusal(tmp_path / "a.png", Image(NOISE, np.eye(4)))


def test_black_and_white_and_palette_labels_are_values(tmp_path):
    picture = PillowImage.fromarray(np.eye(8, dtype=np.uint8) * 2)
    picture.save(tmp_path / "image.png")
    image = read_image(tmp_path / "image.png", "c")
    palette = picture.convert("P")
    palette.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0])
    palette.save(tmp_path / "p.png")
    picture.convert("L").point(lambda v: 255 * (v > 0)).convert("1").save(tmp_path / "b.png")
    assert set(np.unique(read_label(tmp_path / "p.png", "c", image))) == {0, 2}
    assert set(np.unique(read_label(tmp_path / "b.png", "c", image))) == {0, 1}


def test_damaged_and_oversized_pngs_are_refused(tmp_path):
    path = tmp_path / "a.png"
    PillowImage.fromarray((NOISE[0] * 50).astype(np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    assert "truncated or damaged" in refusal(path)
    changed = bytearray(content)
    changed[60] ^= 255
    path.write_bytes(changed)
    assert "truncated or damaged" in refusal(path)
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 10000, 10000, 8, 0, 0, 0, 0)
    path.write_bytes(
        content[:8] + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    assert "limit is 50 megapixels" in refusal(path)


@pytest.mark.parametrize(
    ("name", "compressed"), [("a.mha", True), ("a.mha", False), ("a.mhd", False)]
)
def test_metaimage_becomes_ras(tmp_path, name, compressed):
    picture = sitk.GetImageFromArray(NOISE.T)
    picture.SetSpacing((1.0, 2.0, 3.0))
    picture.SetOrigin((10.0, 20.0, 30.0))
    sitk.WriteImage(picture, str(tmp_path / name), useCompression=compressed)
    image = read_image(tmp_path / name, "case7")
    np.testing.assert_array_equal(image.array, NOISE)
    expected = np.array([[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 3, 30], [0, 0, 0, 1.0]])
    np.testing.assert_array_equal(image.affine, expected)


def mhd(tmp_path, data="a.raw", dims="4 4 4", kind="MET_FLOAT", extra=""):
    path = tmp_path / "a.mhd"
    path.write_text(
        f"ObjectType = Image\nNDims = {len(dims.split())}\n{extra}DimSize = {dims}\n"
        f"ElementType = {kind}\nElementDataFile = {data}\n"
    )
    return path


@pytest.mark.parametrize("data", ["/etc/passwd", "../a.raw", "LIST", "sub/a.raw", "a%d.raw 1 3 1"])
def test_metaimage_data_must_lie_beside_the_header(tmp_path, data):
    assert "beside its header" in refusal(mhd(tmp_path, data))


def test_metaimage_links_to_elsewhere_are_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.raw").write_bytes(NOISE.tobytes())
    os.symlink(tmp_path / "elsewhere" / "a.raw", tmp_path / "a.raw")
    assert "beside its header, got a link" in refusal(mhd(tmp_path))


def test_metaimage_claims_are_checked_first(tmp_path):
    assert "missing" in refusal(mhd(tmp_path))
    (tmp_path / "a.raw").write_bytes(bytes(100))
    assert "100 of 256 data bytes" in refusal(mhd(tmp_path))
    assert "limit is 4 GiB" in refusal(mhd(tmp_path, dims="30000 30000 30000"))
    assert "at least 1" in refusal(mhd(tmp_path, dims="4 0 4"))
    assert "three-dimensional" in refusal(mhd(tmp_path, dims="4 4 4 2"))
    assert "real numbers" in refusal(mhd(tmp_path, kind="MET_NONE"))
    assert "real numbers" in refusal(mhd(tmp_path, extra="ElementNumberOfChannels = 3\n"))
    assert "HeaderSize" in refusal(mhd(tmp_path, extra="HeaderSize = -7\n"))
    assert "binary" in refusal(mhd(tmp_path, extra="BinaryData = False\n"))


def test_metaimage_voxels_are_read_as_the_header_says(tmp_path):
    voxels = NOISE[:4, :4, :4]
    raw = voxels.astype(">f4").tobytes(order="F")
    big = "BinaryDataByteOrderMSB = True\n"
    for skipped, content in ((0, raw + b"x"), (7, b"x" * 7 + raw), (-1, b"x" * 9 + raw)):
        (tmp_path / "a.raw").write_bytes(content)
        image = read_image(mhd(tmp_path, extra=f"{big}HeaderSize = {skipped}\n"), "case7")
        np.testing.assert_array_equal(image.array, voxels)


def test_compressed_metaimages_are_checked_to_the_end(tmp_path):
    packed = "CompressedData = True\n"
    whole = zlib.compress(NOISE[:4, :4, :4].tobytes())
    for content, text in (
        (whole[:-30], "truncated"),
        (whole[:20] + b"\xff\xff" + whole[22:], "damaged"),
        (zlib.compress(bytes(10_000)), "more than its header claims"),
    ):
        (tmp_path / "a.raw").write_bytes(content)
        assert text in refusal(mhd(tmp_path, extra=packed))
