import os
import struct

import numpy as np
import pytest
from PIL import Image as PillowImage

from uda_study.data import store
from uda_study.data.read import Image, read_image, read_label
from uda_study.data.store import content_sha256
from uda_study.errors import InputError
from uda_study.testing.tiny_files import write_dicom, write_picture, write_raw_xray

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(-1000, 3000, (6, 8, 4)).astype(np.int16)
LABEL = RNG.integers(0, 4, ARRAY.shape).astype(np.uint8)


def image_refusal(path):
    with pytest.raises(InputError) as caught:
        read_image(path, "case7")
    (problem,) = caught.value.problems
    assert problem.where.startswith("case7 image")
    return str(problem)


def label_refusal(path, image, what="label"):
    with pytest.raises(InputError) as caught:
        read_label(path, "case7", image, what)
    (problem,) = caught.value.problems
    assert problem.where.startswith(f"case7 {what}")
    return str(problem)


@pytest.fixture
def slices(tmp_path):
    """An image whose file names run against the positions, and its labels, paired by name."""
    names = [f"{12 - z}.dcm" for z in range(4)]
    write_dicom(tmp_path / "image", ARRAY, names=names)
    for z in range(4):
        write_picture(tmp_path / "label" / f"mask{12 - z}.png", LABEL[:, :, z])
    return tmp_path


def test_label_slices_follow_their_image_s_files(slices):
    image = read_image(slices / "image", "case7")
    np.testing.assert_array_equal(image.array, ARRAY)
    np.testing.assert_array_equal(read_label(slices / "label", "case7", image), LABEL)
    np.testing.assert_array_equal(read_label(slices / "label", "case7", image, "mask"), LABEL)


def test_label_slices_need_one_sound_png_for_each_slice(slices):
    image = read_image(slices / "image", "case7")
    folder = slices / "label"
    (folder / "mask9.png").rename(slices / "mask9.png")
    assert "one PNG for each of the 4 slices of the image, got 3" in label_refusal(folder, image)
    write_picture(folder / "mask9.png", LABEL[:5, :, 0])
    assert "file 1 of 4: must have the size of the image, 6 x 8, got 5 x 8" in label_refusal(
        folder, image
    )
    content = (folder / "mask10.png").read_bytes()
    write_picture(folder / "mask9.png", LABEL[:, :, 0])
    (folder / "mask10.png").write_bytes(content[:-30])
    assert "file 2 of 4: the PNG is truncated" in label_refusal(folder, image)
    PillowImage.new("RGBA", (6, 8)).save(folder / "mask10.png")
    assert "8 bits of grey, got mode RGBA" in label_refusal(folder, image)
    (folder / "mask10.png").unlink()
    os.symlink(slices / "mask9.png", folder / "mask10.png")
    assert "must lie in their folder" in label_refusal(folder, image)


def test_label_slices_need_an_image_of_slices(slices, write_nifti):
    image = read_image(write_nifti("a.nii", ARRAY), "case7")
    assert "an image that is a folder of slices" in label_refusal(slices / "label", image)


def test_the_checksum_of_a_folder_is_of_names_and_contents(slices, monkeypatch):
    monkeypatch.setattr(store, "_SETTLED_SECONDS", -1)
    folder, memo = slices / "label", slices / "memo"
    first = content_sha256(folder, "a", memo)
    assert len(list(memo.iterdir())) == 1, "one note for the folder"
    (folder / ".DS_Store").touch()
    assert content_sha256(folder, "a", memo) == first
    (folder / "mask9.png").rename(folder / "mask13.png")
    renamed = content_sha256(folder, "a", memo)
    assert renamed != first
    write_picture(folder / "mask13.png", LABEL[:, :, 0])
    changed = content_sha256(folder, "a", memo)
    assert changed not in (first, renamed)
    (note,) = memo.iterdir()
    note.write_text(note.read_text().replace(changed, "remembered"))
    assert content_sha256(folder, "a", memo) == "remembered"


def test_a_raw_film_is_turned_round_and_keeps_its_place(tmp_path):
    film = RNG.integers(0, 4096, (2048, 2048)).astype(np.uint16)
    image = read_image(write_raw_xray(tmp_path / "JPCLN001.IMG", film), "case7")
    np.testing.assert_array_equal(image.array[:, :, 0], 4095 - film.astype(float))
    np.testing.assert_array_equal(image.affine, np.diag([-0.175, -0.175, 1, 1]))


def test_raw_films_of_another_size_or_byte_order_are_refused(tmp_path):
    path = tmp_path / "JPCLN001.IMG"
    path.write_bytes(bytes(1000))
    assert "need 8388608 bytes, got 1000" in image_refusal(path)
    film = RNG.integers(0, 4096, (2048, 2048)).astype(np.uint16)
    path.write_bytes(film.astype("<u2").tobytes())
    assert "12 bits, the higher byte first" in image_refusal(path)
    assert "unknown image format" in label_refusal(path, Image(ARRAY[:, :, :1], np.eye(4)))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_gif_mask_is_repeated_to_its_image(tmp_path, factor):
    mask = RNG.integers(0, 2, (6, 8)).astype(np.uint8) * 255
    affine = np.diag([-0.175, -0.175, 1, 1])
    image = Image(np.zeros((6 * factor, 8 * factor, 1), np.float32), affine)
    found = read_label(write_picture(tmp_path / "a.gif", mask), "case7", image)
    np.testing.assert_array_equal(found[:, :, 0], mask.repeat(factor, 0).repeat(factor, 1))


@pytest.mark.parametrize("shape", [(3, 4, 1), (12, 17, 1), (12, 24, 1), (13, 17, 1), (12, 16, 2)])
def test_a_gif_mask_of_other_proportions_is_refused(tmp_path, shape):
    path = write_picture(tmp_path / "a.gif", np.eye(6, 8, dtype=np.uint8) * 255)
    image = Image(np.zeros(shape, np.float32), np.eye(4))
    assert "must have the shape of the image" in label_refusal(path, image, "mask")


def test_a_gif_s_values_are_its_greys_whatever_the_palette(tmp_path):
    mask = np.eye(6, 8, dtype=np.uint8)
    image = Image(np.zeros((6, 8, 1), np.float32), np.eye(4))
    picture = PillowImage.fromarray(np.ascontiguousarray(mask.T)).convert("P")
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "a.gif")
    found = read_label(tmp_path / "a.gif", "case7", image)[:, :, 0]
    np.testing.assert_array_equal(found, 255 * (1 - mask))
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.save(tmp_path / "a.gif")
    assert "must be grey" in label_refusal(tmp_path / "a.gif", image)


def test_damaged_gifs_are_refused(tmp_path):
    image = Image(np.zeros((64, 64, 1), np.float32), np.eye(4))
    path = tmp_path / "a.gif"
    noise = RNG.integers(0, 2, (64, 64)).astype(np.uint8) * 255
    content = write_picture(path, noise).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "truncated or damaged" in label_refusal(path, image)
    path.write_bytes(b"PNG" + content)
    assert "not a GIF" in label_refusal(path, image)
    path.write_bytes(content[:6] + b"\xff\xff\xff\xff" + content[10:])
    assert "limit is" in label_refusal(path, image)
    path.write_bytes(content[:6] + b"\x00\x00" + content[8:])
    assert "at least 1" in label_refusal(path, image)
    frames = [PillowImage.fromarray(noise), PillowImage.fromarray(255 - noise)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert "one picture is needed" in label_refusal(path, image)
    assert "unknown image format" in image_refusal(path)


def test_a_frame_larger_than_its_screen_is_judged_by_its_own_size(tmp_path):
    image = Image(np.zeros((64, 64, 1), np.float32), np.eye(4))
    path = write_picture(tmp_path / "a.gif", np.eye(64, dtype=np.uint8) * 255)
    content = bytearray(path.read_bytes())
    frame = content.index(b"\x2c" + bytes(4))
    for side, text in ((8000, "limit is 50 megapixels, got 8000 x 8000"), (16384, "too large")):
        content[frame + 5 : frame + 9] = struct.pack("<HH", side, side)
        path.write_bytes(content)
        assert text in label_refusal(path, image)
