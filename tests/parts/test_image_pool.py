import torch

from uda_study.parts.image_pool import ImagePool


def images(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2).clone()


def firsts(batch: torch.Tensor) -> list[float]:
    return [float(image.flatten()[0]) for image in batch]


def test_images_pass_unchanged_while_the_pool_fills():
    pool = ImagePool(3, 1, (2, 2))
    assert firsts(pool.swap(images(1, 2))) == [1, 2]
    assert firsts(pool.swap(images(3))) == [3]
    assert firsts(pool.images) == [1, 2, 3]


def test_a_full_pool_returns_old_images_for_half_of_the_new_ones():
    torch.manual_seed(0)
    pool = ImagePool(50, 1, (2, 2))
    pool.swap(images(*range(50)))
    shown = firsts(pool.swap(images(*range(50, 450))))
    old = [value for value, new in zip(shown, range(50, 450), strict=True) if value != new]
    assert 160 < len(old) < 240
    assert len(set(shown) & set(range(50))) > 20
    assert len(set(shown)) == len(shown), "an image that was returned is no longer stored"


def test_nothing_is_stored_in_a_pool_of_no_size():
    pool = ImagePool(0, 1, (2, 2))
    assert firsts(pool.swap(images(1, 2))) == [1, 2]


def test_no_gradient_passes_through():
    batch = images(1.0).requires_grad_()
    for size in (0, 1):
        assert not ImagePool(size, 1, (2, 2)).swap(batch).requires_grad


def test_the_history_is_part_of_the_state_and_can_be_erased():
    pool, other = ImagePool(2, 1, (2, 2)), ImagePool(2, 1, (2, 2))
    pool.swap(images(1, 2))
    other.load_state_dict(pool.state_dict())
    assert firsts(other.images) == [1, 2]
    assert int(other.stored) == 2
    other.forget()
    assert firsts(other.images) == [0, 0]
    assert int(other.stored) == 0
