"""An invisible mark in a picture: that llmos made it. Put in by :func:`mark`, found again by :func:`likeness`.

A fixed pattern of middle frequencies, 64 x 64 pixels and repeated over the picture, is added to its brightness, more
where there is detail to hide it. To find it, the picture is folded onto one such tile and compared with the pattern at
every shift, so that cropping does not matter; what the picture itself has at those frequencies is weighed down first.
It survives JPEG and cropping. It does not survive scaling, turning, or somebody who wants it gone: it marks, it proves
nothing. Knows pixels alone; numpy is all it needs.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]

TILE = 64  # pixels a side
SMALLEST = 64  # pixels a side of a picture that holds the mark
FOUND = 6.5  # standard deviations: of 1,000 other pictures none reached 5.3
_SEED = 0x11A05
_BAND = (6.0, 15.0)  # waves a tile: coarser is seen and drowns in the picture, finer is lost in JPEG
_STRENGTH, _MORE, _MOST = 1.8, 0.3, 14.0  # grey levels (of 255): in flat places, per level of detail, at most
_ALONE = (128, 1.4)  # below so many pixels a side few tiles bear it: there it is stronger, at most so many times
_WEIGHTS = (0.299, 0.587, 0.114)


def mark(pixels: "Pixels", strength: float = 1.0) -> "Pixels":
    """The picture ``(height, width, 3)`` with the mark. One smaller than :data:`SMALLEST` comes back as it was."""
    import numpy as np

    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        return pixels
    repeated = np.tile(_pattern(), (-(-height // TILE), -(-width // TILE)))[:height, :width]
    grey = pixels.astype(np.float32) @ np.array(_WEIGHTS, np.float32)
    strength *= min(max(_ALONE[0] / min(height, width), 1.0), _ALONE[1])
    amount = np.clip(_STRENGTH + _MORE * _detail(grey), 0.0, _MOST) * strength
    # Where there is no room above white or below black, the picture gives way a little.
    low, high = amount[..., None], 255.0 - amount[..., None]
    room = np.clip(pixels.astype(np.float32), low, high)
    made: Pixels = np.clip(np.rint(room + (amount * repeated)[..., None]), 0, 255).astype(np.uint8)
    return made


def likeness(pixels: "Pixels") -> float:
    """How far the mark stands out of the picture's own noise, in standard deviations at the best shift; 0 where the
    picture is too small to tell. Above :data:`FOUND` it is there."""
    import numpy as np

    height, width = pixels.shape[:2]
    if min(height, width) < TILE // 2:
        return 0.0
    grey = pixels.astype(np.float32)
    if grey.ndim == 3:
        grey = grey[..., :3] @ np.array(_WEIGHTS, np.float32)
    flat = grey - _smooth(grey, 2)
    # An edge of the picture is far stronger than the mark: no pixel may say more than a loud whisper.
    spread = float(np.median(np.abs(flat))) * 1.5 + 1.0
    flat = np.clip(flat / (1.0 + _smooth(np.abs(flat), 3) / spread), -2 * spread, 2 * spread)
    folded = np.zeros((TILE, TILE), np.float32)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            piece = flat[top : top + TILE, left : left + TILE]
            folded[: piece.shape[0], : piece.shape[1]] += piece
    spectrum = np.fft.rfft2(folded)
    # What stands out of its neighbours in the spectrum is the picture's own.
    size = np.abs(spectrum)
    spectrum = spectrum / (size + float(np.median(size[_band()])) + 1e-6)
    scores = np.fft.irfft2(spectrum * np.conj(_spectrum()), s=(TILE, TILE))
    best = float(scores.max())
    return (best - float(scores.mean())) / (float(scores.std()) + 1e-9) if best > 0 else 0.0


@cache
def _pattern() -> "Plane":
    """The tile: every wave of the band with a phase of its own, scaled to a mean square of 1."""
    import numpy as np

    made = np.fft.irfft2(_spectrum(), s=(TILE, TILE))
    scaled: Plane = (made / made.std()).astype(np.float32)
    return np.clip(scaled, -2.5, 2.5)


@cache
def _spectrum() -> "npt.NDArray[np.complex128]":
    import numpy as np

    phases = np.random.Generator(np.random.PCG64(_SEED)).uniform(0.0, 2 * np.pi, (TILE, TILE // 2 + 1))
    made: npt.NDArray[np.complex128] = np.exp(1j * phases) * _band()
    return made


@cache
def _band() -> "npt.NDArray[np.bool_]":
    import numpy as np

    rows = np.fft.fftfreq(TILE, 1 / TILE)[:, None]
    waves = np.hypot(rows, np.arange(TILE // 2 + 1)[None, :])
    made: npt.NDArray[np.bool_] = (waves >= _BAND[0]) & (waves <= _BAND[1])
    return made


def _smooth(plane: "Plane", reach: int) -> "Plane":
    """The mean over a square of ``2 * reach + 1`` pixels a side."""
    import numpy as np

    size = 2 * reach + 1
    for axis in (0, 1):
        pads = [(0, 0), (0, 0)]
        pads[axis] = (reach + 1, reach)
        total = np.cumsum(np.pad(plane, pads, mode="edge"), axis=axis, dtype=np.float64)
        after = np.take(total, range(size, total.shape[axis]), axis=axis)
        before = np.take(total, range(total.shape[axis] - size), axis=axis)
        plane = ((after - before) / size).astype(np.float32)
    return plane


def _detail(grey: "Plane") -> "Plane":
    """How much goes on around each pixel, in grey levels."""
    import numpy as np

    return _smooth(np.abs(grey - _smooth(grey, 2)), 3)
