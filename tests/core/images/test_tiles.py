"""How a large picture is cut: every pixel is shown, never enlarged, in as few parts as show it best."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava.images.regions import pixel_box
from firellava.images.tiles import MOST_PARTS, OVERLAP, TileGrid, share_pictures, tile_grid

SIZES = st.tuples(st.integers(1, 9_000), st.integers(1, 9_000))
SIDES = st.integers(100, 2_000)

A4 = (1654, 2339)


def boxes(grid: TileGrid, size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    return [pixel_box(region, size) for region in grid.regions]


@given(size=SIZES, side=SIDES, most=st.integers(-1, 20))
def test_parts_cover_the_picture_and_are_no_more_than_allowed(
    size: tuple[int, int], side: int, most: int
) -> None:
    grid = tile_grid(size, side, most)
    if grid is None:
        return
    assert len(grid.regions) == grid.columns * grid.rows <= min(most, MOST_PARTS)
    parts = boxes(grid, size)
    for axis in (0, 1):
        spans = sorted({(part[axis], part[axis + 2]) for part in parts})
        assert spans[0][0] == 0
        assert spans[-1][1] == size[axis]
        assert all(end > start for (_, end), (start, _) in itertools.pairwise(spans))
    # A grid of spans that cover both axes covers the plane.
    assert len(set(parts)) == len(parts)


@given(size=SIZES, side=SIDES, most=st.integers(1, 20))
def test_parts_are_alike_squares_where_there_is_room_and_in_reading_order(
    size: tuple[int, int], side: int, most: int
) -> None:
    grid = tile_grid(size, side, most)
    if grid is None:
        return
    parts = boxes(grid, size)
    assert {(right - left, bottom - top) for left, top, right, bottom in parts} == {grid.part}
    longer, shorter = max(grid.part), min(grid.part)
    assert shorter in (longer, *size)
    assert parts == sorted(parts, key=lambda part: (part[1], part[0]))


@given(size=SIZES, side=SIDES, most=st.integers(1, 20))
def test_neighbours_share_what_a_line_of_text_needs(size: tuple[int, int], side: int, most: int) -> None:
    grid = tile_grid(size, side, most)
    if grid is None:
        return
    parts = boxes(grid, size)
    least = OVERLAP * max(grid.part) - 1  # a pixel is lost where the rest does not divide evenly
    for axis in (0, 1):
        spans = sorted({(part[axis], part[axis + 2]) for part in parts})
        assert all(end - start >= least for (_, end), (start, _) in itertools.pairwise(spans))


@given(size=SIZES, side=SIDES, most=st.integers(1, 20))
def test_nothing_is_enlarged_and_something_is_gained(size: tuple[int, int], side: int, most: int) -> None:
    grid = tile_grid(size, side, most)
    if grid is None:
        return
    assert max(grid.part) >= side
    assert max(size) >= 1.25 * max(grid.part)


@given(size=SIZES, side=SIDES, most=st.integers(1, 20))
def test_more_parts_never_show_less(size: tuple[int, int], side: int, most: int) -> None:
    fewer, more = (tile_grid(size, side, count) for count in (most, most + 1))
    assert (max(more.part) if more else max(size)) <= (max(fewer.part) if fewer else max(size))


@pytest.mark.parametrize(
    ("size", "side", "most", "grid"),
    [
        (A4, 336, 5, (2, 2)),
        (A4, 336, 2, (1, 2)),
        (A4, 336, 1, None),
        ((3000, 400), 336, 5, (5, 1)),
        ((400, 3000), 336, 5, (1, 5)),
        ((2339, 1654), 1568, 12, (2, 2)),
        ((336, 336), 336, 5, None),
        ((400, 300), 336, 5, None),
        (A4, 336, 0, None),
    ],
)
def test_the_grid_suits_the_shape(
    size: tuple[int, int], side: int, most: int, grid: tuple[int, int] | None
) -> None:
    found = tile_grid(size, side, most)
    assert (None if found is None else (found.columns, found.rows)) == grid


@given(sizes=st.lists(SIZES, min_size=1, max_size=8), side=SIDES, most=st.integers(0, 40))
def test_several_pictures_stay_within_the_room(sizes: list[tuple[int, int]], side: int, most: int) -> None:
    grids = share_pictures(sizes, side, most)
    assert len(grids) == len(sizes)
    assert sum(1 + (len(grid.regions) if grid else 0) for grid in grids) <= max(most, len(sizes))


def test_several_pictures_share_alike_and_leave_what_they_do_not_need() -> None:
    small, banner = (300, 300), (2000, 300)
    assert [len(grid.regions) if grid else 0 for grid in share_pictures([A4, A4], 336, 10)] == [4, 4]
    assert [len(grid.regions) if grid else 0 for grid in share_pictures([A4, small, A4], 336, 11)] == [
        4,
        0,
        4,
    ]
    assert [len(grid.regions) if grid else 0 for grid in share_pictures([small, banner], 336, 6)] == [0, 4]
