"""Rows of ir.ops.resize, ir.ops.scale_translate, ir.ops.crop and ir.ops.color, pixel by pixel."""

import colorsys
import math

import numpy as np

from ir.ops import color, crop, resize, scale_translate
from tests.rowdef import ErrorRow, Row, integers, normal, uniform

f32 = np.float32


# -- resizing ----------------------------------------------------------------------------------------


def source(i, size, out, corners, half):
    """Where output i lies, in float32 as TensorFlow computes it."""
    scale = f32(size - 1) / f32(out - 1) if corners and out > 1 else f32(size) / f32(out)
    return (f32(i) + f32(0.5)) * scale - f32(0.5) if half else f32(i) * scale


def linear(i, size, out, corners, half):
    at = float(source(i, size, out, corners, half))
    low = math.floor(at)
    return [(max(low, 0), 1 - (at - low)), (min(low + 1, size - 1), at - low)]


def cubic(i, size, out, corners, half):
    at = float(source(i, size, out, corners, half))
    low, a = math.floor(at), -0.5 if half else -0.75
    part = round((at - low) * 1024) / 1024

    def weight(d):
        d = abs(d)
        return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a

    taps = [(low + k, weight(part - k)) for k in range(-1, 3)]
    if half:
        taps = [(j, w) for j, w in taps if 0 <= j < size]
        total = sum(w for _, w in taps)
        return [(j, w / total) for j, w in taps]
    return [(min(max(j, 0), size - 1), w) for j, w in taps]


def area(i, size, out, corners, half):
    scale = f32(size - 1) / f32(out - 1) if corners and out > 1 else f32(size) / f32(out)
    begin, end = float(f32(i) * scale), float(f32(i + 1) * scale)
    shares = [(j, min(j + 1, end) - max(j, begin)) for j in range(math.floor(begin), math.ceil(end))]
    return [(min(j, size - 1), w / float(scale)) for j, w in shares]


def nearest(i, size, out, corners, half):
    if half:
        return [(min(int((i + 0.5) * size / out), size - 1), 1.0)]
    at = float(source(i, size, out, corners, half))
    return [(min(math.floor(at + 0.5) if corners else math.floor(at), size - 1), 1.0)]


def resized(kernel):
    def ref(x, height, width, corners=False, half=False):
        out = np.zeros((x.shape[0], height, width, x.shape[3]))
        for i in range(height):
            for j in range(width):
                for y, wy in kernel(i, x.shape[1], height, corners, half):
                    for z, wz in kernel(j, x.shape[2], width, corners, half):
                        out[:, i, j] += wy * wz * x[:, y, z].astype(np.float64)
        return out

    return ref


def spread(kernel):
    def ref(dy, height, width, corners=False, half=False):
        out = np.zeros((dy.shape[0], height, width, dy.shape[3]))
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for y, wy in kernel(i, height, dy.shape[1], corners, half):
                    for z, wz in kernel(j, width, dy.shape[2], corners, half):
                        out[:, y, z] += wy * wz * dy[:, i, j]
        return out

    return ref


KINDS = {
    "Bilinear": (resize.resize_bilinear, linear),
    "Bicubic": (resize.resize_bicubic, cubic),
    "NearestNeighbor": (resize.resize_nearest_neighbor, nearest),
}
GRADS = {
    "Bilinear": lambda dy, x, **a: resize._resize_bilinear_grad(dy, x, **a),
    "Bicubic": lambda dy, x, **a: resize._resize_bicubic_grad(dy, x, **a),
    "NearestNeighbor": lambda dy, x, **a: resize._resize_nearest_neighbor_grad(dy, x.shape[1:3], **a),
}
MODES = {"": (False, False), "corners": (True, False), "half pixels": (False, True)}
X = uniform(2, 5, 4, 2)
LOOSE = {"rtol": 1e-4, "atol": 1e-5}


def resize_rows():
    rows = []
    for kind, (fn, kernel) in KINDS.items():
        for mode, (corners, half) in MODES.items():
            for tag, (h, w) in {"up": (8, 11), "down": (3, 2), "to one": (1, 1)}.items():
                attrs = {"align_corners": corners, "half_pixel_centers": half}
                name = f"{tag} {mode}".strip()
                rows.append(
                    Row("Resize" + kind, lambda x, f=fn, s=(h, w), a=attrs: f(x, s, **a), [X],
                        lambda x, k=kernel, s=(h, w), m=(corners, half): resized(k)(x, *s, *m), grad=True, second=tag == "up", id=name, **LOOSE)
                )  # fmt: skip
                rows.append(
                    Row(f"Resize{kind}Grad", lambda dy, f=GRADS[kind], a=attrs: f(dy, X, **a), [normal(2, h, w, 2)],
                        lambda dy, k=kernel, m=(corners, half): spread(k)(dy, 5, 4, *m), grad=True, id=name, **LOOSE)
                )  # fmt: skip
    return rows


BIG = integers(1, 20, 3, 1, high=200, dtype=np.uint8)


# -- crops -------------------------------------------------------------------------------------------

IMAGES = uniform(2, 6, 5, 2)
BOXES = np.float32([[0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9], [-0.2, 0.1, 1.3, 0.5], [0.8, 0.9, 0.15, 0.2], [0.5, 0.5, 0.5, 0.5]])
OWNER = np.int32([0, 1, 0, 1, 1])


def line(low, high, size, count):
    """Positions along one dimension, in float32 as TensorFlow computes them."""
    low, high, reach = f32(low), f32(high), f32(size - 1)
    if count == 1:
        return [float(f32(0.5) * (low + high) * reach)]
    step = (high - low) * reach / f32(count - 1)
    return [float(f32(low * reach) + f32(f32(i) * step)) for i in range(count)]


def taps(at, method):
    if method == "nearest":
        return [(math.floor(at + 0.5), 1.0)]
    low = math.floor(at)
    return [(low, 1 - (at - low)), (math.ceil(at), at - low)]


def crop_places(boxes, owner, size, height, width):
    for n, (y1, x1, y2, x2) in enumerate(boxes):
        for i, y in enumerate(line(y1, y2, height, size[0])):
            for j, x in enumerate(line(x1, x2, width, size[1])):
                yield (n, i, j), owner[n], y, x, 0 <= y <= height - 1 and 0 <= x <= width - 1


def cropped(image, boxes, owner, size, method="bilinear", outside=0.0):
    out = np.zeros((len(boxes), *size, image.shape[3]))
    for at, b, y, x, inside in crop_places(boxes, owner, size, *image.shape[1:3]):
        out[at] = outside if not inside else sum(wy * wx * image[b, i, j] for i, wy in taps(y, method) for j, wx in taps(x, method))
    return out


def crop_to_image(dy, boxes, owner, shape, method="bilinear"):
    out = np.zeros(shape)
    for at, b, y, x, inside in crop_places(boxes, owner, dy.shape[1:3], *shape[1:3]):
        for i, wy in taps(y, method) if inside else []:
            for j, wx in taps(x, method):
                out[b, i, j] += wy * wx * dy[at]
    return out


def crop_to_boxes(dy, image, boxes, owner):
    """By the slopes of the interpolation."""
    out = np.zeros(boxes.shape)
    height, width = image.shape[1:3]
    for (n, i, j), b, y, x, inside in crop_places(boxes, owner, dy.shape[1:3], height, width):
        if not inside:
            continue
        (t, wt), (u, wu) = taps(y, "")
        (lf, wl), (r, wr) = taps(x, "")
        slope_y = (dy[n, i, j] * (wl * (image[b, u, lf] - image[b, t, lf]) + wr * (image[b, u, r] - image[b, t, r]))).sum()
        slope_x = (dy[n, i, j] * (wt * (image[b, t, r] - image[b, t, lf]) + wu * (image[b, u, r] - image[b, u, lf]))).sum()
        for k, (slope, at, count, size) in enumerate(((slope_y, i, dy.shape[1], height), (slope_x, j, dy.shape[2], width))):
            part = 0.5 if count == 1 else at / (count - 1)
            out[n, k] += slope * (size - 1) * (1 - part)
            out[n, k + 2] += slope * (size - 1) * part
    return out


def crop_rows():
    rows = []
    for method in ("bilinear", "nearest"):
        for size in ((3, 4), (1, 1), (7, 2)):
            name = f"{method} {size[0]} by {size[1]}"
            dy = normal(5, *size, 2)
            rows += [
                Row("CropAndResize", lambda x, b, s=size, m=method: crop.crop_and_resize(x, b, OWNER, s, m, 7.0), [IMAGES, BOXES],
                    lambda x, b, s=size, m=method: cropped(x, b, OWNER, s, m, 7.0), id=name, **LOOSE),
                Row("CropAndResizeGradImage", lambda dy, m=method: crop._crop_and_resize_grad_image(dy, BOXES, OWNER, IMAGES.shape, np.float32, m), [dy],
                    lambda dy, m=method: crop_to_image(dy, BOXES, OWNER, IMAGES.shape, m), id=name, **LOOSE),
            ]  # fmt: skip
            if method == "bilinear":
                rows.append(
                    Row("CropAndResizeGradBoxes", lambda dy: crop._crop_and_resize_grad_boxes(dy, IMAGES, BOXES, OWNER), [dy],
                        lambda dy: crop_to_boxes(dy, IMAGES, BOXES, OWNER), id=name, rtol=1e-4, atol=1e-4)
                )  # fmt: skip
    return rows


SLOPE = (2 * np.arange(6, dtype=f32)[:, None] + 3 * np.arange(5, dtype=f32))[None, :, :, None]  # no kinks between pixels


def glimpses(x, offsets, size, centered, normalized):
    """Zero outside."""
    out = np.zeros((len(x), *size, x.shape[3]), x.dtype)
    for n, (oy, ox) in enumerate(offsets):
        place = []
        for o, whole, part in ((oy, x.shape[1], size[0]), (ox, x.shape[2], size[1])):
            o = o * whole if normalized else o
            place.append(math.trunc(float((o / 2 + whole / 2 if centered else o) - part / 2)))
        for i in range(size[0]):
            for j in range(size[1]):
                y, z = place[0] + i, place[1] + j
                if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                    out[n, i, j] = x[n, y, z]
    return out


GLIMPSED = uniform(2, 7, 6, 3)


def glimpse_rows():
    rows = []
    for centered, normalized, offsets in ((True, True, [[0.1, 0.2], [-0.9, 0.3]]), (False, True, [[0.5, 0.6], [0.1, 0.9]]), (False, False, [[3, 2], [1.2, 5]])):
        name = "centered " * centered + "normalized" * normalized
        rows.append(
            Row("ExtractGlimpse", lambda x, o, c=centered, n=normalized: crop._extract_glimpse(x, [3, 4], o, c, n, False, "zero"),
                [GLIMPSED, np.float32(offsets)], lambda x, o, c=centered, n=normalized: glimpses(x, o, (3, 4), c, n), id=name.strip())
        )  # fmt: skip
    return rows


# -- colours -----------------------------------------------------------------------------------------

RGB = uniform(2, 3, 4, 3)
GREYS = np.float32([[[0, 0, 0], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0.5, 0.25, 0.5]]])


def each(fn):
    return lambda x, *a: np.apply_along_axis(lambda p: fn(*map(float, p), *a), -1, x)


def turned(r, g, b, delta):
    h, s, v = colorsys.rgb_to_hsv(r, g, b)
    return colorsys.hsv_to_rgb((h + delta) % 1, s, v)


def saturated(r, g, b, scale):
    h, s, v = colorsys.rgb_to_hsv(r, g, b)
    return colorsys.hsv_to_rgb(h, min(max(s * scale, 0), 1), v)


def contrast(x, factor):
    mean = x.mean((-3, -2), keepdims=True)
    return (x - mean) * factor + mean


HALF = f32(0.5)

ROWS = [
    *resize_rows(),
    Row("ResizeArea", lambda x: resize.resize_area(x, [3, 2]), [X], lambda x: resized(area)(x, 3, 2), id="down", **LOOSE),
    Row("ResizeArea", lambda x: resize.resize_area(x, [8, 11]), [X], lambda x: resized(area)(x, 8, 11), id="up", **LOOSE),
    Row("ResizeArea", lambda x: resize.resize_area(x, [4, 3], True), [X], lambda x: resized(area)(x, 4, 3, True), id="corners", **LOOSE),
    Row("ResizeArea", lambda x: resize.resize_area(x, [2, 1]), [BIG], lambda x: resized(area)(x, 2, 1), id="many to one", **LOOSE),
    Row("ResizeBilinear", lambda x: resize.resize_bilinear(x, [9, 4]), [BIG], lambda x: resized(linear)(x, 9, 4), id="uint8", **LOOSE),
    Row("ResizeBicubic", lambda x: resize.resize_bicubic(x, [9, 4]), [BIG], lambda x: resized(cubic)(x, 9, 4), id="uint8", rtol=1e-4, atol=1e-3),
    Row("ResizeNearestNeighbor", lambda x: resize.resize_nearest_neighbor(x, [9, 4]), [BIG], lambda x: resized(nearest)(x, 9, 4).astype(np.uint8),
        id="uint8"),
    Row("ResizeBilinear", lambda x: resize.resize_bilinear(x, [9, 4]), [X.astype(np.float16)], lambda x: resized(linear)(x, 9, 4), id="half", **LOOSE),
    *crop_rows(),
    Row("CropAndResize", lambda x: crop.crop_and_resize(x, BOXES, box_indices=OWNER, crop_size=[4, 3]), [IMAGES],
        lambda x: cropped(x, BOXES, OWNER, (4, 3)), grad=True, id="by image", **LOOSE),
    Row("CropAndResize", lambda b: crop.crop_and_resize(SLOPE, b, [0, 0], [3, 2]), [np.float32([[0.12, 0.2, 0.72, 0.8], [0.31, 0.1, 0.45, 0.9]])],
        lambda b: cropped(SLOPE, b, [0, 0], (3, 2)), grad=True, id="by boxes", **LOOSE),
    Row("CropAndResize", lambda x: crop.crop_and_resize(x, BOXES, OWNER, [2, 2]), [(IMAGES * 200).astype(np.uint8)],
        lambda x: cropped(x, BOXES, OWNER, (2, 2)), id="uint8", **LOOSE),
    *glimpse_rows(),
    Row("ExtractGlimpse", lambda x: crop.extract_glimpse(x, [3, 2], np.zeros((2, 2), f32)), [GLIMPSED], lambda x: x[:, 2:5, 2:4], id="api"),
    Row("RGBToHSV", color.rgb_to_hsv, [RGB], each(colorsys.rgb_to_hsv), grad=True, **LOOSE),
    Row("RGBToHSV", color.rgb_to_hsv, [GREYS], each(colorsys.rgb_to_hsv), id="edges", **LOOSE),
    Row("RGBToHSV", color.rgb_to_hsv, [RGB.astype(np.float16)], each(colorsys.rgb_to_hsv), id="half", rtol=1e-2, atol=1e-2),
    Row("HSVToRGB", color.hsv_to_rgb, [RGB], each(colorsys.hsv_to_rgb), **LOOSE),
    Row("HSVToRGB", color.hsv_to_rgb, [GREYS[:, :3]], each(colorsys.hsv_to_rgb), id="edges", **LOOSE),
    Row("AdjustHue", lambda x: color.adjust_hue(x, f32(0.3)), [RGB], lambda x: each(turned)(x, 0.3), **LOOSE),
    Row("AdjustHue", lambda x: color.adjust_hue(x, f32(-0.7)), [GREYS], lambda x: each(turned)(x, -0.7), id="edges", **LOOSE),
    Row("AdjustSaturation", lambda x: color.adjust_saturation(x, f32(0.4)), [RGB], lambda x: each(saturated)(x, 0.4), **LOOSE),
    Row("AdjustSaturation", lambda x: color.adjust_saturation(x, f32(3)), [GREYS], lambda x: each(saturated)(x, 3.0), id="edges", **LOOSE),
    Row("AdjustContrastv2", lambda x: color.adjust_contrast_v2(x, HALF), [RGB], lambda x: contrast(x, HALF), **LOOSE),
    Row("AdjustContrast", lambda x: color.adjust_contrast_v1(x, f32(2), f32(0.2), f32(0.8)), [RGB], lambda x: contrast(x, 2).clip(0.2, 0.8), **LOOSE),
]  # fmt: skip

ERRORS = [
    ErrorRow("ResizeBilinear", lambda: resize.resize_bilinear(X, [0, 3]), ValueError, "must be positive"),
    ErrorRow("ResizeBilinear", lambda: resize.resize_bilinear(X, [3]), ValueError, "2 elements"),
    ErrorRow("ResizeBilinear", lambda: resize.resize_bilinear(X[0], [3, 3]), ValueError, "must have rank 4"),
    ErrorRow("ResizeBicubic", lambda: resize.resize_bicubic(X, [3, 3], True, half_pixel_centers=True), ValueError, "align_corners must be False"),
    ErrorRow("CropAndResize", lambda: crop.crop_and_resize(IMAGES, BOXES[:, :3], OWNER, [2, 2]), ValueError, "4 columns"),
    ErrorRow("CropAndResize", lambda: crop.crop_and_resize(IMAGES, BOXES, OWNER[:2], [2, 2]), ValueError, "not compatible"),
    ErrorRow("CropAndResize", lambda: crop.crop_and_resize(IMAGES, BOXES, OWNER, [2, 2, 2]), ValueError, "two elements"),
    ErrorRow("RGBToHSV", lambda: color.rgb_to_hsv(X), ValueError, "must have size 3"),
    ErrorRow("AdjustHue", lambda: color.adjust_hue(RGB[0, 0], HALF), ValueError, "rank at least 3"),
]


# -- filters, scales, translations -------------------------------------------------------------------


def sinc(x):
    return np.sinc(x)


FILTERS = {
    "lanczos1": (1, lambda x: sinc(x) * sinc(x)),
    "lanczos3": (3, lambda x: sinc(x) * sinc(x / 3)),
    "lanczos5": (5, lambda x: sinc(x) * sinc(x / 5)),
    "gaussian": (1.5, lambda x: math.exp(-2 * x * x)),
    "box": (1, lambda x: 1.0 if abs(x) < 0.5 else 0.5 if abs(x) == 0.5 else 0.0),
    "triangle": (1, lambda x: 1 - abs(x)),
    "keyscubic": (2, lambda x: cubic_filter(abs(x), 0, 0.5)),
    "mitchellcubic": (2, lambda x: cubic_filter(abs(x), 1 / 3, 1 / 3)),
}


def cubic_filter(x, b, c):
    """Mitchell and Netravali's family."""
    if x < 1:
        return ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)) / 6
    return ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6 if x < 2 else 0.0


def filtered(name, antialias, scale, translation):
    radius, weigh = FILTERS[name]

    def taps_of(s, t):
        def kernel(i, size, out, corners, half):
            at, width = (i + 0.5 - t) / s, max(1 / s, 1) if antialias else 1
            if not 0 <= at <= size:
                return []
            found = [(j, weigh((j + 0.5 - at) / width)) for j in range(size) if abs(j + 0.5 - at) <= radius * width]
            total = sum(w for _, w in found)
            return [(j, w / total) for j, w in found]

        return kernel

    return [taps_of(s, t) for s, t in zip(scale, translation, strict=True)]


def resampled(x, height, width, kernels):
    out = np.zeros((x.shape[0], height, width, x.shape[3]))
    for i in range(height):
        for j in range(width):
            for y, wy in kernels[0](i, x.shape[1], height, False, False):
                for z, wz in kernels[1](j, x.shape[2], width, False, False):
                    out[:, i, j] += wy * wz * x[:, y, z]
    return out


def resampled_back(dy, kernels):
    out = np.zeros(X.shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            for y, wy in kernels[0](i, 5, dy.shape[1], False, False):
                for z, wz in kernels[1](j, 4, dy.shape[2], False, False):
                    out[:, y, z] += wy * wz * dy[:, i, j]
    return out


PLACE = f32([1.55, 0.7]), f32([0.33, -0.23])

ROWS += [
    Row("ScaleAndTranslate", lambda x, k=k, a=a: scale_translate.scale_and_translate(x, [8, 3], *PLACE, k, a), [X],
        lambda x, k=k, a=a: resampled(x, 8, 3, filtered(k, a, *PLACE)), grad=a, id=k + " antialias" * a, **LOOSE)
    for k in FILTERS
    for a in (True, False)
] + [
    Row("ScaleAndTranslateGrad", lambda dy: scale_translate.scale_and_translate_grad(dy, X, *PLACE), [normal(2, 8, 3, 2)],
        lambda dy: resampled_back(dy, filtered("lanczos3", True, *PLACE)), **LOOSE),
]  # fmt: skip

ERRORS += [
    ErrorRow("ScaleAndTranslate", lambda: scale_translate.scale_and_translate(X, [3, 3], *PLACE, "linear"), ValueError, "kernel_type must be one of"),
]
