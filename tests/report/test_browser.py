"""The report in a real browser: closed to the network, without errors, and the viewer does what it is told."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from refold.cli.debian import Unavailable
from refold.core.files import read_csv, sha256_file
from refold.imaging import images
from refold.report import inputs, page, pictures
from refold.report.sections import viewer
from tests.report import browser as harness
from tests.report.browser import DESK, PHONE, Opened
from tests.report.test_pictures import edges
from tests.report.test_viewer import Unpacked, of_case, read

pytestmark = pytest.mark.slow
ODD = "scan_<script>alert(1)<!--"


@pytest.fixture(scope="module")
def chromium():
    started = harness.chromium()
    try:
        browser = started.__enter__()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield browser
    started.__exit__(None, None, None)


@pytest.fixture(scope="module")
def files(volumes, pictures, held_out, five, tmp_path_factory):
    """{name: report on disk}; ``few`` has no room for all cases, of ``five`` methods one failed."""
    folder = tmp_path_factory.mktemp("reports with ünïcode 海 #1")
    made = {
        "volumes": read(volumes),
        "pictures": read(pictures),
        "held_out": read(held_out),
        "few": read(volumes, viewer_mb=0.05),
        "five": inputs.read(list("abcd"), five.folds, five.folders, {"otsu": "fold 0 has no metrics"}),
        "chinese": read(volumes, language="zh"),
    }
    for name, e in made.items():
        page.write(e, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture
def desk(chromium, files):
    with Opened(chromium, files["volumes"]) as opened:
        opened.ready()
        yield opened
        assert (opened.faults, opened.asked) == ([], [])


@pytest.fixture
def phone(chromium, files):
    with Opened(chromium, files["volumes"], PHONE, has_touch=True, is_mobile=True, device_scale_factor=2) as opened:
        opened.ready()
        yield opened
        assert (opened.faults, opened.asked) == ([], [])


# ---------------------------------------------------------------- the whole page


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["volumes", "pictures", "held_out", "few", "five", "chinese"])
def test_opens_without_an_error_and_asks_for_nothing(chromium, files, name, size, scheme):
    with Opened(chromium, files[name], size, color_scheme=scheme) as o:
        o.ready()
        o.page.evaluate("() => document.querySelectorAll('details').forEach((part) => (part.open = true))")
        o.settled()
        # nothing is wider than the screen, what is wide scrolls within itself
        assert o.page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
        assert (o.faults, o.asked) == ([], [])


def test_scripts_speak_chinese(chromium, files):
    """What scripts add to the page: the viewer's lines, and the titles of buttons that sort."""
    with Opened(chromium, files["chinese"]) as o:
        o.ready()
        said = o.page.evaluate(
            """() => {
              const part = (name) => document.querySelector(`[data-part="${name}"]`).textContent;
              const buttons = [...document.querySelectorAll("th button")].map((button) => button.title);
              const alt = document.querySelector("canvas").getAttribute("aria-label");
              return { shown: part("shown"), where: part("where"), notes: part("notes"), alt, buttons };
            }"""
        )
        assert re.search(r"，第 \d 折：平均 Dice 0\.\d{4}$", said["shown"])
        assert re.fullmatch(r"横断面，第 \d+ 层，共 \d+ 层", said["where"])
        assert re.fullmatch(r"T1：\S+ 为黑，\S+ 为白；(大部分灰度级位于 \S+ 至 \S+；)?此处保留.*体素。", said["notes"])
        assert "轮廓：真值、unet。与 unet 相比：漏检" in said["alt"]
        assert set(said["buttons"]) == {"按此列排序"}
        assert (o.faults, o.asked) == ([], [])


def test_the_harness_sees_faults(chromium, tmp_path):
    """A check that finds nothing has to be able to find something."""
    (tmp_path / "a.html").write_text(
        "<script>console.log('said'); setTimeout(() => nobody())</script><img src='beside.png'>"
        "<img src='http://127.0.0.1:9/far.png'>"
    )
    with Opened(chromium, tmp_path / "a.html") as o:
        o.page.wait_for_timeout(200)
        assert any("said" in f for f in o.faults) and any("nobody" in f for f in o.faults)
        assert [url.rpartition("/")[2] for url in o.asked] == ["beside.png", "far.png"]


def test_every_picture_is_decoded(desk):
    found = desk.page.evaluate(
        """async () => {
          const hrefs = [...document.querySelectorAll("svg image")].map((image) => image.getAttribute("href"));
          return Promise.all(hrefs.map(async (href) => {
            const image = new Image();
            image.src = href;
            await image.decode();
            return [image.naturalWidth, image.naturalHeight];
          }));
        }"""
    )
    assert len(found) >= 30 and min(map(min, found)) >= 16


def test_every_anchor_leads_to_something_that_is_seen(desk):
    anchors = desk.page.evaluate(
        """() => [...new Set([...document.querySelectorAll("a")].map((a) => a.getAttribute("href")))]"""
    )
    assert len(anchors) > 15 and all(a.startswith("#") for a in anchors)
    for anchor in anchors:
        desk.page.evaluate("(to) => { location.hash = to; }", anchor)
        desk.page.wait_for_timeout(30)
        # a case is opened in the viewer, everything else where it stands
        target = "viewer" if anchor.startswith("#case-") else anchor[1:]
        assert desk.page.locator(f'[id="{target}"]').is_visible(), anchor


CELLS = """(table) => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) =>
  [...row.cells].map((cell) =>
    [...cell.childNodes].filter((n) => n.nodeName !== "SMALL").map((n) => n.textContent).join("")))"""


def test_cells_are_those_of_the_files_beside_it(chromium, volumes, tmp_path):
    page.write(read(volumes), tmp_path / "report.html")
    with Opened(chromium, tmp_path / "report.html") as o:
        on_page = o.page.evaluate(
            f"""() => [...document.querySelectorAll("table.sortable")].map((table) =>
              [[...table.tHead.rows[0].cells].map((c) => c.textContent), ({CELLS})(table)])"""
        )
    for file in sorted((tmp_path / "tables").glob("*.csv")):
        rows = read_csv(file)
        columns = [c for c in rows[0] if not c.endswith(", beneath")]
        assert [columns, [[r[c] for c in columns] for r in rows]] in on_page, file.name


def test_tables_are_sorted_and_filtered(desk):
    desk.page.evaluate("() => document.querySelectorAll('details').forEach((part) => (part.open = true))")
    table = desk.page.locator("#table-cases")
    heads = table.locator("thead th").all_text_contents()
    column, name = heads.index("Mean Dice"), heads.index("Case")

    def numbers():
        return [row[column] for row in table.evaluate(CELLS)]

    def defined(values):
        return [float(v) for v in values if v != "–"]

    button = table.locator("thead th").nth(column).locator("button")
    for down in (False, True):
        button.click()
        values = numbers()
        assert defined(values) == sorted(defined(values), reverse=down)
        # not defined stays last in both directions
        assert values[len(defined(values)) :] == ["–"] * (len(values) - len(defined(values)))
    assert table.locator("thead th").nth(column).get_attribute("aria-sort") == "descending"
    button.focus()
    desk.page.keyboard.press("Enter")
    assert table.locator("thead th").nth(column).get_attribute("aria-sort") == "ascending"
    # names by their numbers, not letter by letter
    table.locator("thead th").nth(name).locator("button").click()
    names = [row[name] for row in table.evaluate(CELLS)]
    plain = [n for n in dict.fromkeys(names) if re.fullmatch(r"scan_\d+", n)]
    assert plain == sorted(plain)

    field = desk.page.locator("input[type=search]")
    field.fill("scan_<script> otsu")
    assert [row[name] for row in table.evaluate(CELLS)] == [ODD]
    field.fill("nobody")
    assert table.evaluate(CELLS) == []
    field.fill("")
    assert len(table.evaluate(CELLS)) == len(names)


def test_a_method_that_failed_is_told_first(chromium, files):
    with Opened(chromium, files["five"]) as o:
        first = o.page.locator(".cautions li").first
        assert "It failed and has no row in any table: fold 0 has no metrics." in first.text_content()
        assert "serious" in first.get_attribute("class")


def test_prints_the_still_pictures(desk):
    desk.page.emulate_media(media="print")
    assert not desk.page.locator("#viewer-box").is_visible() and not desk.page.locator("#viewer").is_visible()
    assert desk.page.locator("#pictures").is_visible()
    assert desk.page.locator(".case svg").first.is_visible()
    pdf = desk.page.pdf()
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 3


def test_without_scripts_the_still_pictures_remain(chromium, files):
    with Opened(chromium, files["volumes"], java_script_enabled=False) as o:
        assert o.page.get_by_text("To scroll through the cases, JavaScript has to be switched on").is_visible()
        assert not o.page.locator("#viewer-box").is_visible()
        assert o.page.locator(".case svg").first.is_visible()


def test_an_old_browser_says_so_and_shows_the_still_pictures(chromium, files):
    with Opened(chromium, files["volumes"], before="delete window.DecompressionStream;") as o:
        assert o.page.get_by_text("This browser cannot unpack the images").is_visible()
        assert not o.page.locator("#viewer-box").is_visible()
        assert o.page.locator(".case svg").first.is_visible()
        assert (o.faults, o.asked) == ([], [])


def test_hostile_names_are_text(desk):
    for number, option in enumerate(desk.part("case").locator("option").all_inner_texts()):
        if ODD in option:
            desk.part("case").select_option(index=number)
    desk.settled()
    assert desk.part("shown").inner_text().startswith(f"{ODD}, unet, fold ")
    assert "organ <i>" in desk.part("label").inner_text()
    assert desk.page.locator("#viewer-box i, #viewer-box script").count() == 0


# ---------------------------------------------------------------- voxels and outlines


@pytest.mark.parametrize("name", ["volumes", "pictures"])
def test_the_script_unpacks_what_python_packed(chromium, files, request, name):
    e = read(request.getfixturevalue(name))
    with Opened(chromium, files[name]) as o:
        o.ready()
        for number, case in enumerate(viewer.order(e)[:3]):
            wanted = Unpacked(viewer.code(e, case, of_case(e, case)))
            found = o.page.evaluate(
                """async (number) => {
                  const { greys, maps } = await caseViewer.unpack(number);
                  return { greys: greys.flat().map((a) => [...a]), maps: maps.map((a) => [...a]) };
                }""",
                number,
            )
            for key in ("greys", "maps"):
                for got, want in zip(found[key], getattr(wanted, key), strict=True):
                    assert got == want.transpose(2, 1, 0).ravel().tolist()


def test_coarse_greys_are_unpacked_too(chromium, files, volumes):
    e = read(volumes, viewer_mb=0.05)
    first = viewer.choose(e, 50_000)[0]
    assert max(first.meta["factors"]) > 1
    with Opened(chromium, files["few"]) as o:
        o.ready()
        found = o.page.evaluate("async () => (await caseViewer.unpack(0)).greys.flat().map((a) => [...a])")
        assert found == [g.transpose(2, 1, 0).ravel().tolist() for g in Unpacked(first).greys]
        assert "grey values are means over" in o.part("notes").inner_text()


def test_outlines_are_those_of_the_still_pictures(desk):
    rng = np.random.default_rng(3)
    maps = [rng.integers(0, high, (cols, rows)) for high in (2, 3, 4) for cols, rows in ((1, 1), (4, 7), (9, 6))]
    for labels in maps:
        cols, rows = labels.shape
        lines = desk.page.evaluate(
            "([map, cols, rows]) => caseViewer.outline(map, cols, rows)", [labels.T.ravel().tolist(), cols, rows]
        )
        found = [tuple(sorted((tuple(a), tuple(b)))) for line in lines for a, b in itertools.pairwise(line)]
        assert sorted(found) == sorted(edges(pictures.outline(labels, (1.0, 1.0))))


PIXELS = """([plane, points]) => {
  const canvas = document.querySelectorAll("[data-plane] canvas")[plane];
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return points.map(([x, y]) => [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data]);
}"""


def plane_of(e, name, number, at):
    """Truth and the first prediction in a plane, (columns, rows) as seen, of the part that the viewer has."""
    coded = viewer.code(e, name, of_case(e, name))
    _, axis, _, _ = pictures.PLANES[number]
    return [np.take(m, at[axis], axis=axis)[::-1, ::-1] for m in Unpacked(coded).maps], coded.meta


@pytest.mark.parametrize("number", [0, 1, 2])
def test_outlines_lie_on_the_edges_of_voxels(desk, volumes, number):
    """Pixels of the canvas: the truth's colour on each edge of its voxels, none of it in the middle of one."""
    e = read(volumes)
    desk.part("method-0").uncheck()
    desk.part("errors").uncheck()
    state = desk.state()
    name = viewer.order(e)[state["index"]]
    (truth, *_), meta = plane_of(e, name, number, state["at"])
    _, _, axes, _ = pictures.PLANES[number]
    spacing = [meta["spacing"][a] for a in axes]
    size = [n * s for n, s in zip(truth.shape, spacing, strict=True)]

    def point(x, y):
        """A place in voxels as a share of the square canvas."""
        return [0.5 + (v * s - length / 2) / max(size) for v, s, length in zip((x, y), spacing, size, strict=True)]

    borders = edges(pictures.outline(truth, (1.0, 1.0)))
    assert len(borders) > 12
    middles = [point((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in borders]
    colours = np.array(desk.page.evaluate(PIXELS, [number, middles]))
    # #20d5ff on grey: little red, much blue; a pixel beside the line's middle may be half of it
    assert (colours[:, 2] - colours[:, 0] > 60).mean() > 0.97
    inner = [(x, y) for x, y in np.ndindex(truth.shape) if 3 < x < truth.shape[0] - 3 and 3 < y < truth.shape[1] - 3]
    grey = np.array(desk.page.evaluate(PIXELS, [number, [point(x + 0.5, y + 0.5) for x, y in inner]]))
    assert (np.ptp(grey[:, :3], axis=1) < 12).all()


def test_marks_count_the_voxels_that_are_wrong(desk, volumes):
    e = read(volumes)
    for case, label in itertools.product(range(3), range(3)):
        desk.part("case").select_option(index=case)
        desk.part("label").select_option(str(label))
        state = desk.state()
        name = viewer.order(e)[state["index"]]
        for number in range(3):
            maps, _ = plane_of(e, name, number, state["at"])
            truth, predicted = (m if not label else m == label for m in (maps[0], maps[1 + state["layer"]]))
            wrong = truth != predicted
            said = desk.page.locator("[data-plane] [data-part=wrong]").nth(number).inner_text()
            assert said == f"{(wrong & (truth > 0)).sum()} missed, {(wrong & (predicted > 0)).sum()} false positive"


def test_marks_differ_by_more_than_colour(desk):
    """Stripes and dots: within a marked voxel there are two tones, and switching the marks off removes them."""
    shot = desk.page.locator("[data-plane] canvas").first
    marked = shot.screenshot()
    desk.part("errors").uncheck()
    desk.settled()
    assert shot.screenshot() != marked
    shapes = desk.page.evaluate(
        """() => ["missed", "extra"].map((kind) =>
          document.querySelector(`.mark.${kind}`).firstElementChild.innerHTML.includes("circle"))"""
    )
    assert shapes == [True, False]


def test_grey_values_follow_level_and_contrast(desk):
    def mean():
        desk.settled()
        spots = [[x / 40, y / 40] for x in range(6, 34) for y in range(6, 34)]
        return np.array(desk.page.evaluate(PIXELS, [0, spots]))[:, :3].mean()

    for name in ("truth", "errors", "method-0"):
        desk.part(name).uncheck()
    at_first = mean()
    desk.part("level").fill("60")
    assert mean() > at_first + 10
    desk.part("level").fill("200")
    assert mean() < at_first - 10
    before = desk.part("notes").inner_text()
    desk.part("reset").click()
    assert mean() == pytest.approx(at_first, abs=0.01)
    assert desk.part("notes").inner_text() != before
    desk.part("channel").select_option("1")
    assert desk.part("notes").inner_text() != before and mean() != pytest.approx(at_first, abs=0.01)
    assert desk.part("notes").inner_text().startswith("FLAIR: black at ")


# ---------------------------------------------------------------- keys, mouse, touch, links


def test_opens_with_the_worst_case_of_the_best_method(desk, volumes):
    e = read(volumes)
    unet = [s for s in e.scored if s.method == "unet" and s.mean("dice") == s.mean("dice")]
    worst = min(unet, key=lambda s: s.mean("dice"))
    assert desk.part("shown").inner_text() == (
        f"{worst.case}, unet, fold {worst.fold}: mean Dice {worst.mean('dice'):.4f}"
    )
    options = desk.part("case").locator("option").all_inner_texts()
    assert len(options) == 9
    organ, lesion = (f"{worst.values[label]['dice']:.4f}" for label in e.labels)
    assert options[0] == f"1. {worst.case} · organ <i> {organ}, läsion {lesion} · fold {worst.fold}"


def test_keys(desk):
    desk.page.locator("[data-plane] canvas").nth(1).click()  # the coronal plane
    start = desk.state()

    def press(key):
        desk.page.keyboard.press(key)
        return desk.state()

    assert press("ArrowUp")["at"][1] == start["at"][1] + 1
    assert press("ArrowLeft")["at"][1] == start["at"][1]
    last = desk.page.evaluate(
        "() => JSON.parse(document.getElementById('viewer-index').textContent).cases[caseViewer.state.index].shape[1]"
    )
    assert press("End")["at"][1] == last - 1 == press("PageUp")["at"][1]
    assert press("PageDown")["at"][1] == last - 11
    assert press("Home")["at"][1] == 0 == press("ArrowDown")["at"][1]
    assert press("n")["index"] != start["index"] and press("p")["index"] == start["index"]
    assert press("m")["method"] == 1 - start["method"]
    now = press("m")
    assert (now["method"], now["index"]) == (start["method"], start["index"])
    assert press("c")["channel"] == 1 and press("l")["label"] == 1 and press("v")["view"] == 1
    assert desk.page.locator("[data-plane]:visible").count() == 1
    narrow = press("+")
    assert narrow["high"] - narrow["low"] == 255 - 16
    assert press("b")["low"] < narrow["low"] and press("d")["low"] == narrow["low"]
    assert press("-")["high"] == 255 == press("r")["high"]
    for key, name in (("t", "truth"), ("e", "errors"), ("2", "method-1")):
        before = desk.part(name).is_checked()
        press(key)
        assert desk.part(name).is_checked() is not before
    before = desk.state()
    assert press("q") == before == press("Control+n")


SLOW = """
  const whole = Response.prototype.arrayBuffer;
  Response.prototype.arrayBuffer = async function () {
    const found = await whole.call(this);
    await new Promise((done) => setTimeout(done, window.delay ?? 0));
    return found;
  };
"""


def test_keys_that_come_before_a_case_is_unpacked(chromium, files):
    """The former case stays as it was drawn, and of several cases asked for the last one is shown."""
    with Opened(chromium, files["volumes"], before=SLOW) as o:
        o.ready()
        o.page.locator("[data-plane] canvas").first.click()
        o.settled()
        where = o.page.locator("[data-plane] [data-part=where]")
        before = [o.part("shown").inner_text(), *where.all_inner_texts()]
        assert "slice 16 of 16" not in before[1]
        o.page.evaluate("() => (window.delay = 600)")
        for key in ("n", "n", "m", "n", "End"):
            o.page.keyboard.press(key)
        o.page.wait_for_timeout(150)
        assert o.page.locator("#viewer-box[aria-busy]").count() == 1
        assert [o.part("shown").inner_text(), *where.all_inner_texts()] == before
        state = o.state()  # waits
        chosen = o.part("case").evaluate("(list) => list.options[list.selectedIndex].text")
        case = chosen.partition(". ")[2].partition(" · ")[0]
        assert o.part("shown").inner_text().startswith(f"{case}, otsu, fold ")
        shape = o.page.evaluate(
            "(i) => JSON.parse(document.getElementById('viewer-index').textContent).cases[i].shape", state["index"]
        )
        assert state["at"][2] == shape[2] - 1
        assert (o.faults, o.asked) == ([], [])


def test_keys_are_left_alone_elsewhere(desk):
    desk.page.locator("#case-table summary").click()
    desk.page.locator("input[type=search]").focus()
    start = desk.state()
    desk.page.keyboard.type("nmv")
    desk.page.keyboard.press("ArrowUp")
    assert desk.state() == start


def test_all_controls_are_reached_by_tab_and_have_names(desk):
    desk.part("method").focus()
    seen = []
    for _ in range(40):
        name = desk.page.evaluate(
            """() => {
              const at = document.activeElement;
              if (!at.closest("#viewer-box")) return null;
              return at.dataset.part ?? at.getAttribute("aria-label") ?? at.tagName;
            }"""
        )
        if name is None:
            break
        seen.append(name)
        desk.page.keyboard.press("Tab")
    wanted = ["method", "case", "previous", "next", "truth", "method-0", "method-1", "errors"]
    wanted += [
        "Slice, axial",
        "Slice, coronal",
        "Slice, sagittal",
        "view",
        "channel",
        "label",
        "level",
        "width",
        "reset",
    ]
    assert seen[: len(wanted)] == wanted
    named = {"combobox": "Case, worst first", "slider": "Contrast", "checkbox": "solid line truth"}
    for role, name in (*named.items(), ("slider", "Slice, axial"), ("group", "Cases slice by slice")):
        assert desk.page.get_by_role(role, name=name).count() == 1, (role, name)
    described = desk.page.locator("[data-plane] canvas").first.get_attribute("aria-label")
    assert re.search(r"axial, slice \d+ of 16, T1\. Outlines: truth, unet\. Against unet: \d+ missed", described)


def test_mouse(desk):
    canvas = desk.page.locator("[data-plane] canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = desk.page.mouse
    start = desk.state()
    top = desk.page.evaluate("() => scrollY")

    mouse.move(x, y)
    mouse.wheel(0, 40)  # not clicked yet: the page scrolls
    desk.page.wait_for_function("(top) => scrollY !== top", arg=top)
    assert desk.state()["at"] == start["at"]
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.4
    mouse.click(x, y)
    moved = desk.state()["at"]
    assert moved[2] == start["at"][2] and moved[:2] != start["at"][:2], "the other planes go through the point"
    top = desk.page.evaluate("() => scrollY")
    mouse.wheel(0, -40)
    assert desk.state()["at"][2] == start["at"][2] + 1 and desk.page.evaluate("() => scrollY") == top

    mouse.down()
    mouse.move(x - 60, y, steps=6)
    mouse.up()
    assert desk.state()["at"][2] < start["at"][2]
    desk.page.keyboard.down("Shift")
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 40, y - 20, steps=6)
    mouse.up()
    desk.page.keyboard.up("Shift")
    now = desk.state()
    assert now["high"] - now["low"] == pytest.approx(255 - 40) and now["low"] + now["high"] == pytest.approx(255 - 40)


def test_touch(phone):
    canvas = phone.page.locator("[data-plane]:visible canvas")
    assert canvas.count() == 1, "a phone starts with one large plane"
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box["width"] > 300
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    cdp = phone.context.new_cdp_session(phone.page)

    def touch(kind, *points):
        at = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        cdp.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})

    start = phone.state()
    touch("Start", (x, y))
    for step in range(1, 9):
        touch("Move", (x + 5 * step, y + step / 4))
    touch("End")
    swiped = phone.state()
    assert swiped["at"][2] > start["at"][2] and swiped["at"][:2] == start["at"][:2]

    touch("Start", (x - 30, y))
    touch("Start", (x - 30, y), (x + 30, y))
    for step in range(1, 9):
        touch("Move", (x - 30 - 3 * step, y), (x + 30 + 3 * step, y))
    touch("End")
    pinched = phone.state()
    assert pinched["at"] == swiped["at"]
    assert pinched["high"] - pinched["low"] == pytest.approx(255 - 48, abs=8)

    top = phone.page.evaluate("() => scrollY")
    touch("Start", (x, y))
    for step in range(1, 13):
        touch("Move", (x, y - 12 * step))
        phone.page.wait_for_timeout(16)
    touch("End")
    phone.page.wait_for_function("(top) => scrollY > top + 40", arg=top)  # up and down is the page's
    assert phone.state()["at"] == swiped["at"]


SEEN = """(id) => {
  const { top, bottom } = document.getElementById(id).getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}"""


def test_links_open_the_case(chromium, files, volumes):
    e = read(volumes)
    one = next(s for s in e.scored if s.method == "otsu" and s.case == "scan_07")
    said = f"scan_07, otsu, fold {one.fold}: mean Dice {one.mean('dice'):.4f}"
    with Opened(chromium, files["volumes"], anchor=f"#{one.anchor}") as o:
        o.settled()
        assert o.part("shown").inner_text() == said
        assert o.part("method-1").is_checked() and not o.part("method-0").is_checked()
        o.page.wait_for_timeout(1000)  # the browser may want to scroll elsewhere
        assert o.page.evaluate(SEEN, "viewer")
        o.part("next").click()
        assert o.state()["index"] != viewer.order(e).index("scan_07")
        o.page.evaluate("() => (document.getElementById('case-table').open = true)")
        row = o.page.locator(f"#{one.anchor}")
        row.locator("a").click()  # the same address as before
        o.settled()
        assert o.part("shown").inner_text() == said
        o.part("next").click()
        o.page.locator(f'.charts a[href="#{one.anchor}"]').first.dispatch_event("click")
        o.settled()
        assert o.part("shown").inner_text() == said
        o.part("row").click()
        o.page.wait_for_function(SEEN, arg=one.anchor)
        assert "found" in row.get_attribute("class")
        assert (o.faults, o.asked) == ([], [])


def test_a_case_that_is_not_here_is_found_in_the_table(chromium, files, volumes):
    e = read(volumes, viewer_mb=0.05)
    here = {c.meta["name"] for c in viewer.choose(e, 50_000)}
    one = next(s for s in e.scored if s.case not in here)
    with Opened(chromium, files["few"], anchor=f"#{one.anchor}") as o:
        row = o.page.locator(f"#{one.anchor}")
        row.wait_for(state="visible")
        assert row.locator("a").count() == 0
        assert (o.faults, o.asked) == ([], [])


def test_a_case_predicted_twice_by_a_method(chromium, volumes, tmp_path):
    """As with `split.repeats`: each prediction is an entry of the list, and its own outline and marks are shown."""
    shutil.copytree(volumes.root, tmp_path / "x")
    folder = tmp_path / "x/results/predictions/unet"
    shutil.copytree(folder / "fold-0", folder / "fold-7")
    for path in (folder / "fold-7").glob("*.nii.gz"):
        whole = images.read(path, label=True)
        images.write_label(path, np.zeros_like(whole.data), whole.affine)
    made = type(volumes)(tmp_path / "x", dict.fromkeys(volumes.methods), volumes.folds)
    e = read(made)
    first = [s for s in e.scored if (s.method, s.fold) == ("unet", "0")]
    nothing = {label: {"dice": 0.0} for label in e.labels}
    again = [replace(s, fold="7", anchor=f"case-{900 + i}", values=nothing) for i, s in enumerate(first)]
    listed = e.predictions["unet", "0"]
    entries = {
        c: {**about, "sha256": sha256_file(folder / "fold-7" / about["file"])} for c, about in listed["cases"].items()
    }
    e = replace(
        e, scored=[*e.scored, *again], predictions=e.predictions | {("unet", "7"): {**listed, "cases": entries}}
    )
    page.write(e, tmp_path / "report.html")
    with Opened(chromium, tmp_path / "report.html", anchor="#case-900") as o:
        o.settled()
        assert o.part("shown").inner_text() == f"{first[0].case}, unet, fold 7: mean Dice 0.0000"
        assert o.part("case").locator("option").count() == 9 + len(again)
        assert o.page.locator("[data-part=dice] tr").count() == 3
        wrong = o.page.locator("[data-plane] [data-part=wrong]")
        assert all(re.fullmatch(r"[1-9]\d* missed, 0 false positive", text) for text in wrong.all_inner_texts())
        o.page.evaluate("(to) => { location.hash = to; }", first[0].anchor)
        o.page.wait_for_function("() => document.querySelector('[data-part=shown]').textContent.includes('fold 0')")
        assert " 0 false positive" not in wrong.first.inner_text()
        assert (o.faults, o.asked) == ([], [])


def test_no_plane_but_one_for_pictures(chromium, files):
    with Opened(chromium, files["pictures"]) as o:
        o.ready()
        assert o.page.locator("[data-plane]").count() == 1
        assert o.page.locator("[data-part=view], [data-part=channel], [data-part=label]").count() == 0
        assert re.search(r"\d+ × \d+ of 44 × 52 pixels are kept here", o.part("notes").inner_text())
        o.page.locator("[data-plane] canvas").click()
        before = o.state()
        o.page.keyboard.press("ArrowUp")
        assert o.state()["at"] == before["at"] == [before["at"][0], before["at"][1], 0]
        o.page.keyboard.press("n")
        assert o.state()["index"] != before["index"]
        assert (o.faults, o.asked) == ([], [])


CONTRAST = """() => {
  const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (part) => {
    for (; part; part = part.parentElement) {
      const colour = numbers(getComputedStyle(part).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("#viewer-box *")]
    .filter((part) => part.checkVisibility() && [...part.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((part) => {
      const [a, b] = [light(numbers(getComputedStyle(part).color)), light(behind(part))].sort((x, y) => y - x);
      return [part.textContent.trim().slice(0, 30), (a + 0.05) / (b + 0.05)];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(chromium, files, scheme):
    with Opened(chromium, files["volumes"], color_scheme=scheme) as o:
        o.ready()
        o.page.locator("#viewer-box summary").click()
        found = o.page.evaluate(CONTRAST)
        assert len(found) > 40
        assert [f for f in found if f[1] < 4.5] == [], json.dumps(found)


def test_grey_values_with_corners_are_told_in_the_image_s_own(chromium, volumes, tmp_path):
    """Level and contrast are told in values of the image, also where its grey values rise more slowly at the ends."""
    e = read(volumes)
    with pytest.MonkeyPatch.context() as patch:
        corners = pictures.Tones(((-50.0, 0.0), (0.0, 51.0), (100.0, 204.0), (400.0, 255.0)))
        patch.setattr(pictures, "tones", lambda *_: corners)
        (tmp_path / "report.html").write_text(page.render(e).html, encoding="utf-8")
    with Opened(chromium, tmp_path / "report.html") as o:
        o.ready()
        assert (
            o.part("notes")
            .inner_text()
            .startswith("T1: black at -50, white at 400; most grey values lie from 0 to 100; ")
        )
        o.part("width").fill("153")  # 102 left, about 127.5: from 76.5 to 178.5
        o.settled()
        low, high = (100 * (v - 51) / 153 for v in (76.5, 178.5))
        assert o.part("notes").inner_text().startswith(f"T1: black at {low:.4g}, white at {high:.4g}; ")
        o.part("level").fill("255")
        o.settled()
        # 204 to 306: the upper end goes on as steep as before
        assert o.part("notes").inner_text().startswith("T1: black at 100, white at 700; ")
        assert not o.faults
