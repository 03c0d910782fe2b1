"""The embedded data: head-like 3-D phantoms with a T1 and a FLAIR channel, made from a seed, in MSD layout.

A patient is a set of shapes in head coordinates (mm, RAS+, origin in the middle of the head). A scan looks at them
through a pose, a grid and a scanner of its own. Nothing is fitted to real images; see docs/reference/phantom.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from nibabel import orientations
from scipy import ndimage
from scipy.spatial.transform import Rotation

from refold.core import log
from refold.core.errors import RefoldError
from refold.core.files import write_json
from refold.core.rng import generator
from refold.imaging.images import write_image, write_label
from refold.settings.dataset import Phantom

CHANNELS = ("T1", "FLAIR")
LABELS = ("background", "organ", "lesion")
ORIENTATIONS = ("RAS", "LAS", "LPS", "PIR", "LPI", "ASR")
BORDERS = ("none", "padded", "masked")
THICK = 3.0  # mm between the slices of a thick-slice scan
THICK_SHARE = 0.1
SCALE = (0.3, 30.0)  # factor between scanners, a scan and channel

# Relative signal of each tissue in T1 and FLAIR. Grey matter, organ and nucleus overlap, and so do lesion, fat, vessel
# and the artefact of the CSF rim: no intensity stands for a label.
TISSUES = {
    "air": (0.0, 0.0),
    "skin": (0.50, 0.55),
    "fat": (0.95, 0.90),
    "bone": (0.15, 0.12),
    "csf": (0.22, 0.15),
    "rim": (0.25, 0.88),
    "grey": (0.56, 0.64),
    "white": (0.80, 0.48),
    "cap": (0.72, 0.68),
    "nucleus": (0.57, 0.65),
    "organ": (0.57, 0.65),
    "vessel": (0.88, 0.92),
    "lesion": (0.56, 0.85),
}
_INDEX = {name: i for i, name in enumerate(TISSUES)}


class _Field:
    """A smooth random field of mean 0 and standard deviation about 1: a quadratic B-spline with random coefficients.

    pitch: distance of the knots, the size of its features. reach: half the edge of the cube it covers. Both in mm.
    """

    def __init__(self, random: np.random.Generator, pitch: float, reach: float):
        knots = 2 * int(np.ceil(reach / pitch)) + 3
        # The squared weights of a quadratic B-spline sum to 0.55 an axis on average, 0.166 in 3-D.
        self.coefficients = 2.45 * random.standard_normal((knots,) * 3)
        self.pitch = pitch

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Values at ``points`` (3, ...) in mm."""
        at = points / self.pitch + (self.coefficients.shape[0] - 1) / 2
        return ndimage.map_coordinates(self.coefficients, at, order=2, mode="nearest", prefilter=False)


@dataclass(frozen=True)
class _Ellipsoid:
    """centre: mm. matrix: (3, 3), offset from the centre to the unit ball. bend: 1/mm, curves the y axis towards -x."""

    centre: np.ndarray
    matrix: np.ndarray
    bend: float = 0.0

    @classmethod
    def make(cls, centre, axes, rotation: Rotation | None = None, bend: float = 0.0) -> _Ellipsoid:
        turn = np.eye(3) if rotation is None else rotation.inv().as_matrix()
        return cls(np.asarray(centre, float), turn / np.asarray(axes, float)[:, None], bend)

    def radius(self, points: np.ndarray) -> np.ndarray:
        """Distance from the centre in units of the semi-axes, below 1 inside. points: (3, ...) mm."""
        offset = points - self.centre.reshape(3, *[1] * (points.ndim - 1))
        if self.bend:
            offset[0] += self.bend * offset[1] ** 2
        return np.sqrt(sum(np.tensordot(row, offset, 1) ** 2 for row in self.matrix))

    def box(self, points: np.ndarray, limit: float, step: float) -> tuple[slice, slice, slice]:
        """Slices of a grid twice as fine as ``points`` (3, x, y, z), ``step`` mm apart, around radius < ``limit``."""
        near = self.radius(points) < limit + 2 * step * np.linalg.norm(self.matrix, 2)
        sides = [np.flatnonzero(near.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        x, y, z = (slice(int(2 * s[0]), int(2 * s[-1] + 2)) if s.size else slice(0, 0) for s in sides)
        return x, y, z

    def grown(self, factor: float) -> _Ellipsoid:
        return replace(self, matrix=self.matrix / factor)


@dataclass(frozen=True)
class _Anatomy:
    """What the scans of a patient share. Fields are functions of head coordinates."""

    head: np.ndarray  # semi-axes of the scalp, mm
    displacement: tuple[_Field, ...]  # mm, times `bulge`
    bulge: float
    fold: _Field
    texture: _Field
    suppression: _Field  # where FLAIR fails to null the CSF
    ventricles: tuple[_Ellipsoid, ...]
    organ: _Ellipsoid
    nucleus: _Ellipsoid
    vessels: tuple[_Ellipsoid, ...]
    lesions: tuple[_Ellipsoid, ...]
    signal: np.ndarray  # (tissues, 2)


@dataclass(frozen=True)
class _Scan:
    """One scan of the plan, as far as it is spread evenly over the data set and not drawn scan by scan."""

    patient: int
    scan: int
    lesion: bool
    orientation: str
    borders: str
    thick: bool

    @property
    def case(self) -> str:
        return f"patient{self.patient:03d}_scan{self.scan}"


def _plan(settings: Phantom) -> list[_Scan]:
    """Who has two scans and who no lesion, and even shares of orientations, borders and thick slices."""
    random = generator(settings.seed, "phantom", "plan")
    patients = np.arange(1, settings.patients + 1)
    second = set(random.permutation(patients)[: settings.second_scans].tolist())
    scans = [(p, s) for p in patients.tolist() for s in (1, 2) if s == 1 or p in second]
    wanted, healthy, count = round(settings.without_lesion * len(scans)), set(), 0
    for p in random.permutation(patients).tolist():
        if count + 1 + (p in second) <= wanted:
            healthy.add(p)
            count += 1 + (p in second)

    def spread(options: tuple) -> list:
        return random.permutation(np.resize(random.permutation(options), len(scans))).tolist()

    thick = random.permutation(len(scans)) < max(1, round(THICK_SHARE * len(scans)))
    columns = zip(scans, spread(ORIENTATIONS), spread(BORDERS), thick.tolist(), strict=True)
    return [_Scan(p, s, p not in healthy, o, b, t) for (p, s), o, b, t in columns]


def _anatomy(random: np.random.Generator, unit: float, lesion: bool) -> _Anatomy:
    """Draw a patient. unit: mm for which the lengths below stand, 1 for the default size."""
    reach = 34 * unit
    head = unit * np.array([19.0, 21.0, 19.5]) * random.uniform(0.95, 1.04, 3)

    def near(centre, by: float) -> np.ndarray:
        return unit * (np.array(centre) + random.uniform(-by, by, 3))

    def turned(degrees: float) -> Rotation:
        return Rotation.from_euler("xyz", random.uniform(-degrees, degrees, 3), degrees=True)

    organ = _Ellipsoid.make(
        near((8.2, -0.5, -0.5), 0.8),
        unit * np.array([4.9, 9.8, 6.2]) * random.uniform(0.96, 1.12),
        turned(12),
        random.uniform(0.03, 0.06) / unit,
    )
    nucleus = _Ellipsoid.make(near((-8.0, 0.5, -0.5), 1.2), unit * np.array([4.8, 6.2, 5.4]) * random.uniform(0.9, 1.1))
    ventricles = tuple(
        _Ellipsoid.make(
            near((side * 3.0, 0.5, 4.5), 0.5), unit * np.array([1.7, 6.5, 3.0]) * random.uniform(0.8, 1.2, 3)
        )
        for side in (-1, 1)
    )
    vessels = []
    for _ in range(5):
        direction = random.standard_normal(3)
        centre = head * direction / np.linalg.norm(direction) * random.uniform(0.5, 0.74)
        axes = unit * random.uniform((0.8, 0.8, 1.5), (1.3, 1.3, 5.0))
        vessels.append(_Ellipsoid.make(centre, axes, Rotation.random(rng=random)))
    fields = [_Field(random, pitch * unit, reach) for pitch in (10, 10, 10, 3.5, 3, 9)]
    *displacement, fold, texture, suppression = fields
    bulge = unit * random.uniform(0.5, 0.9)
    signal = np.array(list(TISSUES.values())) * random.uniform(0.96, 1.04, (len(TISSUES), 2))
    signal[_INDEX["lesion"]] *= random.uniform(0.92, 1.12, 2)

    lesions: list[_Ellipsoid] = []
    wanted = int(random.integers(1, 4)) if lesion else 0
    while len(lesions) < wanted:
        # The first is always large enough to be learnt from; the others may be small.
        size = unit * random.uniform(*((3.5, 4.6) if not lesions else (2.4, 3.4)))
        centre = head * random.uniform(-0.62, 0.62, 3)
        inside = np.linalg.norm(centre / head) < 0.74 - size / head.mean()
        others = (organ, nucleus, *ventricles, *lesions)
        if inside and all(
            shape.radius(centre) > 1.1 + 0.5 * size * np.linalg.norm(shape.matrix, 2) for shape in others
        ):
            lesions.append(_Ellipsoid.make(centre, size * random.uniform(0.85, 1.2, 3), Rotation.random(rng=random)))
    return _Anatomy(
        head,
        tuple(displacement),
        bulge,
        fold,
        texture,
        suppression,
        ventricles,
        organ,
        nucleus,
        tuple(vessels),
        tuple(lesions),
        signal,
    )


def _double(fields: np.ndarray) -> np.ndarray:
    """Linear interpolation of ``fields`` (n, x, y, z) to half the voxel size, over the same field of view."""
    for axis in (3, 2, 1):
        last = fields.shape[axis] - 1
        index = np.arange(last + 1)
        shape = list(fields.shape)
        shape[axis] *= 2
        fine = np.empty(shape)
        for side, neighbour in enumerate((np.maximum(index - 1, 0), np.minimum(index + 1, last))):
            place = [slice(None)] * 4
            place[axis] = slice(side, None, 2)
            fine[tuple(place)] = 0.75 * fields + 0.25 * np.take(fields, neighbour, axis)
        fields = fine
    return fields


def _paint(anatomy: _Anatomy, points: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Tissue (x, y, z) and relative texture (x, y, z) at twice the resolution of ``points`` (3, x, y, z).

    points: head coordinates in mm, at most ``step`` mm apart.
    """
    # Fields are smooth, so half the resolution does for them; edges are not, so shapes are drawn at the full one.
    warped = points + anatomy.bulge * np.stack([f(points) for f in anatomy.displacement])
    fields = np.stack([anatomy.fold(points), anatomy.texture(points), anatomy.suppression(points)])
    at, (fold, texture, suppression) = _double(warped), _double(fields)

    a, b, c = anatomy.head
    x, y, z = at
    # The forehead is narrower than the back of the head.
    radius = np.sqrt((x / (a * (1 - 0.14 * y / b))) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    tissue = np.zeros(radius.shape, np.uint8)

    def put(name: str, where: np.ndarray) -> None:
        tissue[where] = _INDEX[name]

    put("skin", radius < 1)
    put("fat", (radius < 0.975) & (suppression < 0.9))
    put("bone", radius < 0.915)
    put("csf", radius < 0.86)
    put("rim", (radius < 0.86) & (suppression > 0.5))
    brain = radius < 0.80
    depth = 0.80 - radius
    put("grey", brain)
    put("white", depth > 0.13 + 0.06 * fold)
    fissure = (np.abs(x) < 0.035 * a) & (z > 0.25 * c) & (depth < 0.30)
    put("csf", brain & (((depth < 0.15) & (np.abs(fold) < 0.12)) | fissure))

    def put_shape(name: str, shape: _Ellipsoid, over: tuple[str, ...], limit: float = 1.0, rough: float = 0.0) -> None:
        box = shape.box(warped, limit + 2 * rough, step)
        free = np.isin(tissue[box], [_INDEX[n] for n in over])
        tissue[box][free & (shape.radius(at[:, *box]) < limit + rough * fold[box])] = _INDEX[name]

    for vessel in anatomy.vessels:
        put_shape("vessel", vessel, ("grey", "white"))
    for ventricle in anatomy.ventricles:
        put_shape("cap", ventricle, ("grey", "white", "vessel"), 1.3)
    for ventricle in anatomy.ventricles:
        put_shape("csf", ventricle, ("grey", "white", "vessel", "cap"))
    put_shape("nucleus", anatomy.nucleus, ("grey", "white", "vessel", "cap", "csf"))
    put_shape("organ", anatomy.organ, ("grey", "white", "vessel", "cap", "csf"))
    for lesion in anatomy.lesions:
        put_shape("lesion", lesion, ("grey", "white", "vessel", "cap"), rough=0.2)
    return tissue, texture


def _blocks(fine: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Mean over blocks of ``factor`` voxels: what a voxel of the scan sees."""
    shape = [n for size, f in zip(fine.shape, factor, strict=True) for n in (size // f, f)]
    return fine.reshape(shape).mean(axis=(1, 3, 5))


def _polynomial(random: np.random.Generator, shape: np.ndarray) -> np.ndarray:
    """Logarithm of a bias field, a random polynomial of order 3 over the field of view (Van Leemput et al. 1999)."""
    order = np.indices((4, 4, 4)).sum(axis=0)
    coefficients = random.uniform(-0.25, 0.25, (4, 4, 4)) * ((order > 0) & (order <= 3))
    x, y, z = (np.linspace(-0.8, 0.8, n) for n in shape)
    return np.polynomial.polynomial.polygrid3d(x, y, z, coefficients)


def _scan(
    anatomy: _Anatomy, plan: _Scan, random: np.random.Generator, unit: float, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (x, y, z, 2) int16, label (x, y, z) uint8 and affine (4, 4) of one scan, in its stored orientation."""
    turn = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), orientations.axcodes2ornt(plan.orientation))
    slices = "RAS".index(orientations.ornt2axcodes(orientations.axcodes2ornt(plan.orientation))[2].translate(_SIDES))
    spacing = np.full(3, random.uniform(0.9, 1.3))
    spacing[slices] = THICK if plan.thick else random.uniform(0.9, 1.6)
    spacing = spacing.round(3)
    shape = np.maximum(8, (size * random.uniform(1.02, 1.16, 3) / spacing).round().astype(int))
    centre = unit * random.uniform(-1.2, 1.2, 3)
    pose = Rotation.from_euler("xyz", random.uniform(-5, 5, 3), degrees=True).as_matrix()
    shift = unit * random.uniform(-1, 1, 3)

    # Sub-voxels of at most about half a millimetre, so that thick slices mix tissues as they should.
    half = np.maximum(1, (spacing / spacing.min()).round().astype(int))
    steps = [
        centre[i] + spacing[i] * ((np.arange(shape[i] * half[i]) + 0.5) / half[i] - shape[i] / 2) for i in range(3)
    ]
    world = np.stack(np.meshgrid(*steps, indexing="ij"))
    tissue, texture = _paint(
        anatomy, (pose.T @ (world.reshape(3, -1) - shift[:, None])).reshape(world.shape), (spacing / half).max()
    )
    factor = 2 * half
    shares = [_blocks(tissue == _INDEX[name], factor) for name in LABELS[1:]]
    label = np.argmax(np.array([1 - sum(shares), *shares]), axis=0).astype(np.uint8)
    inside = _blocks(tissue > 0, factor) >= 0.5

    signal = anatomy.signal * random.uniform(0.98, 1.02, anatomy.signal.shape)
    image = np.empty((*shape, len(CHANNELS)))
    for channel in range(len(CHANNELS)):
        clean = _blocks(signal[tissue, channel] * (1 + 0.04 * texture), factor) ** random.uniform(0.85, 1.2)
        bias = np.exp(_polynomial(random, shape))
        noise = random.uniform(0.015, 0.04) * random.standard_normal((2, *shape))
        scale = 150 * SCALE[0] * (SCALE[1] / SCALE[0]) ** random.random()
        # Rician: the magnitude of a complex signal with Gaussian noise (Gudbjartsson and Patz 1995)
        image[..., channel] = scale * np.hypot(clean * bias + noise[0], noise[1])
    image = np.clip(image.round(), 0, np.iinfo(np.int16).max).astype(np.int16)

    origin = np.array([s[:h].mean() for s, h in zip(steps, half, strict=True)])
    if plan.borders == "masked":
        image[~inside] = 0
    elif plan.borders == "padded":
        pad = random.integers(1, 5, (3, 2)) * random.integers(0, 2, (3, 2))
        pad[slices] = 0 if plan.thick else pad[slices]
        pad[(slices + 1) % 3, 0] = max(2, pad[(slices + 1) % 3, 0])
        image, label = np.pad(image, (*pad, (0, 0))), np.pad(label, pad)
        origin = origin - pad[:, 0] * spacing
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    affine = affine @ orientations.inv_ornt_aff(turn, label.shape)
    return orientations.apply_orientation(image, turn), orientations.apply_orientation(label, turn), affine


_SIDES = str.maketrans("LPI", "RAS")


def generate(settings: Phantom, folder: Path) -> None:
    """Write the phantom in MSD layout into an existing, empty folder.

    ``imagesTr/<case>.nii.gz`` (x, y, z, channel) int16, channels T1 and FLAIR; ``labelsTr/<case>.nii.gz`` uint8 with 0
    background, 1 organ, 2 lesion; ``dataset.json``. Cases are named ``patient001_scan1``. The bytes depend on
    ``settings`` alone.

    Raises:
        RefoldError: ``folder`` is missing or holds something.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RefoldError(f"{folder} is no folder; the phantom is written into one that exists and is empty")
    if any(folder.iterdir()):
        raise RefoldError(f"{folder} is not empty; the phantom is never mixed with other files: remove them first")
    plan = _plan(settings)
    unit = settings.size / 40
    for scan in log.progress(plan, "phantom"):
        anatomy = _anatomy(generator(settings.seed, "phantom", scan.patient, 0), unit, scan.lesion)
        random = generator(settings.seed, "phantom", scan.patient, scan.scan)
        if scan.scan > 1:
            growth = random.uniform(1.06, 1.15)
            anatomy = replace(anatomy, lesions=tuple(lesion.grown(growth) for lesion in anatomy.lesions))
        image, label, affine = _scan(anatomy, scan, random, unit, settings.size)
        write_image(folder / "imagesTr" / f"{scan.case}.nii.gz", image, affine)
        write_label(folder / "labelsTr" / f"{scan.case}.nii.gz", label, affine)
    # Last, so that a folder with dataset.json is whole.
    write_json(
        folder / "dataset.json",
        {
            "name": "phantom",
            "description": f"Head-like phantom made by refold from seed {settings.seed}: "
            f"{settings.patients} patients, {len(plan)} scans. No human being was imaged.",
            "reference": "refold, docs/phantom.md",  # as it was then: a made set keeps its bytes
            "licence": "CC0-1.0",
            "tensorImageSize": "4D",
            "modality": {str(i): name for i, name in enumerate(CHANNELS)},
            "labels": {str(i): name for i, name in enumerate(LABELS)},
            "numTraining": len(plan),
            "numTest": 0,
            "training": [
                {"image": f"./imagesTr/{s.case}.nii.gz", "label": f"./labelsTr/{s.case}.nii.gz"} for s in plan
            ],
            "test": [],
        },
    )
