"""The page in headless Chromium, as somebody would use it; what it shows is held against the model, pixel by pixel."""

import json

import numpy as np
import pytest
from explore_visitor import png, visit

import tfvae


@pytest.fixture(scope="module")
def visitor(browser, address):
    with visit(browser, address) as found:
        yield found


@pytest.fixture
def page(visitor):
    yield visitor.page
    assert visitor.complaints == [], visitor.complaints


@pytest.fixture
def decoded_mean(digits_run):
    return lambda z: digits_run.vae.decode(np.asarray(z, "float32")[None]).mean().numpy()[0]


@pytest.fixture(scope="module")
def x():
    return tfvae.data.load("digits").test.take(200).thresholded().x


def levels(x):
    return (255 * x).astype(np.uint8)


def number_in(name):
    return int(name.split("no. ")[1])


def test_it_shows_something_at_once(page, visitor, decoded_mean):
    assert visitor.settles_on("#decoded", lambda: decoded_mean(visitor.decoded[-1]))
    assert visitor.pixels("#original").max() == 255
    assert "image" in page.locator("h1").inner_text()
    assert page.locator("#legend button").count() == 10
    visitor.until(visitor.status)
    assert "label" in visitor.status()


def test_a_drag_on_the_map_moves_through_latent_space(page, visitor, decoded_mean):
    places = []
    page.mouse.move(*visitor.map_point(0.3, 0.4))
    page.mouse.down()
    for across, down in ((0.35, 0.4), (0.6, 0.4), (0.6, 0.7)):
        page.mouse.move(*visitor.map_point(across, down), steps=4)
        visitor.rest()
        assert visitor.settles_on("#decoded", lambda: decoded_mean(visitor.decoded[-1]))
        places.append((visitor.map_point(across, down), visitor.decoded[-1]))
    page.mouse.up()
    (p0, z0), (p1, z1), (p2, z2) = places
    assert np.abs(decoded_mean(z0) - decoded_mean(z2)).max() > 0.1
    # As many latents to a pixel across as down: right is more of z1, and down is less of z2.
    np.testing.assert_allclose(z1 - z0, [z1[0] - z0[0], 0], atol=1e-5)
    np.testing.assert_allclose(z2 - z1, [0, z2[1] - z1[1]], atol=1e-5)
    np.testing.assert_allclose((z1[0] - z0[0]) / (p1[0] - p0[0]), -(z2[1] - z1[1]) / (p2[1] - p1[1]), rtol=1e-3)
    assert z1[0] > z0[0]
    np.testing.assert_allclose(visitor.z(), z2, atol=0.0051)


def test_passing_over_the_map_peeks_and_leaving_goes_back(page, visitor, decoded_mean):
    page.locator("#reset").click()
    assert visitor.settles_on("#decoded", decoded_mean([0, 0]))
    page.mouse.move(*visitor.map_point(0.2, 0.2))
    visitor.until(lambda: np.abs(visitor.decoded[-1]).max() > 0.1)
    assert visitor.settles_on("#decoded", lambda: decoded_mean(visitor.decoded[-1]))
    page.mouse.move(40, 20)
    assert visitor.settles_on("#decoded", decoded_mean([0, 0]))
    assert visitor.z().tolist() == [0, 0]


_WATCH = """
() => {
  window.seen = new Set();
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const watch = () => {
    context.drawImage(document.querySelector("#original"), 0, 0);
    const { data } = context.getImageData(0, 0, 8, 8);
    const picture = Array.from(data).filter((_, i) => i % 4 === 0);
    window.seen.add(JSON.stringify([document.querySelector("#nearest-name").textContent, picture]));
    window.watching = requestAnimationFrame(watch);
  };
  watch();
}
"""


def test_the_nearest_example_and_its_name_are_always_of_the_same(page, visitor, x):
    page.evaluate(_WATCH)
    for share in np.linspace(0.1, 0.9, 40):
        page.mouse.move(*visitor.map_point(share, 0.3 + 0.4 * share))
    visitor.rest()
    seen = [json.loads(found) for found in page.evaluate("cancelAnimationFrame(watching), [...seen]")]
    page.mouse.move(5, 5)
    assert len({name for name, _ in seen}) > 5
    for name, picture in seen:
        np.testing.assert_array_equal(picture, levels(x[number_in(name)]).ravel(), err_msg=name)


def test_the_nearest_example_is_nearest_in_all_of_z(page, visitor, digits_run, x):
    loc = digits_run.vae.encode(x).mean().numpy()
    page.locator("#axis-y").select_option("0")  # the map is of z1 alone
    for z in ([0.5, -1.5], [0.5, 1.5]):
        for d in (0, 1):
            page.locator("#sliders input").nth(d).fill(str(z[d]))
        wanted = f"no. {np.square(loc - z).sum(axis=1).argmin()}"
        visitor.until(lambda: wanted in page.locator("#nearest-name").inner_text())  # noqa: B023
        assert wanted in page.locator("#nearest-name").inner_text()
    # Behind a map of one dimension there is one row of pictures.
    many = lambda: [z.reshape(-1, 2) for z in visitor.asked if z.size > 7 * 2][-1]  # noqa: E731
    visitor.until(lambda: (many()[:, 1] == 1.5).all())
    assert (many()[:, 1] == 1.5).all()
    assert (np.diff(many()[:, 0]) > 0).all()
    page.locator("#axis-y").select_option("1")


def test_sliders_count_in_standard_deviations_of_the_prior(page, visitor, decoded_mean):
    page.locator("#reset").click()
    slider = page.locator("#sliders input").nth(1)
    slider.fill("1.5")
    assert visitor.settles_on("#decoded", decoded_mean([0, 1.5]))
    assert visitor.z().tolist() == [0, 1.5]
    assert slider.get_attribute("aria-valuetext") == "1.50 standard deviations"
    slider.dblclick()
    assert visitor.settles_on("#decoded", decoded_mean([0, 0]))


def test_an_image_from_outside_gets_its_bound(page, visitor, digits_run, x, decoded_mean):
    index = 11
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(levels(x[index]))})
    elbo = float(digits_run.vae.elbo(x[index : index + 1], num_samples=64, seed=0)[0])
    shown = lambda name: float(page.locator(name).inner_text().replace("−", "-"))  # noqa: E731
    visitor.until(lambda: page.locator("#elbo").inner_text() != "–")
    assert abs(shown("#elbo") - elbo) < 0.011
    assert abs(shown("#log-likelihood") - shown("#kl") - shown("#elbo")) < 0.016
    assert abs(shown("#bits") + elbo / (64 * np.log(2))) < 0.0011
    assert visitor.settles_on("#preview", x[index])
    loc = digits_run.vae.encode(x[index : index + 1]).mean()[0]
    assert visitor.settles_on("#own-reconstruction", decoded_mean(loc))
    np.testing.assert_allclose(visitor.z(), loc, atol=0.0051)
    # The same digit as dark ink on a large sheet: found by itself, and brought to the same picture.
    large = 255 - levels(x[index]).repeat(30, axis=0).repeat(30, axis=1)
    page.locator("#clear").click()
    assert page.locator("#elbo").inner_text() == "–"
    page.locator("#file").set_input_files({"name": "b.png", "mimeType": "image/png", "buffer": png(large)})
    visitor.until(lambda: page.locator("#elbo").inner_text() != "–")
    assert page.locator("#invert").is_checked()
    assert visitor.settles_on("#preview", x[index])
    assert abs(shown("#elbo") - elbo) < 0.011
    page.locator("#invert").uncheck()
    assert visitor.settles_on("#preview", 1 - x[index])
    visitor.until(lambda: abs(shown("#elbo") - elbo) > 1)
    assert abs(shown("#elbo") - float(digits_run.vae.elbo(1 - x[index : index + 1], num_samples=64, seed=0)[0])) < 0.011


@pytest.mark.parametrize("ink", [255, 0])
def test_what_is_drawn_on_nothing_is_not_lost(page, visitor, x, ink):
    page.locator("#clear").click()
    drawn = np.concatenate([np.full([8, 8, 3], ink, np.uint8), levels(x[11])], axis=2)
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(drawn)})
    assert visitor.settles_on("#preview", x[11])
    assert page.locator("#invert").is_checked() == (ink == 0)


def test_a_file_that_is_no_image_is_one_sentence(page):
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"not a picture"})
    page.locator("#trouble").wait_for(state="visible")
    assert page.locator("#trouble").inner_text() == "a.png is not an image that the browser can read."


def test_a_path_plays_from_a_to_b_and_back(page, visitor, decoded_mean):
    page.locator("#reset").click()
    page.locator("#set-a").click()
    page.locator("#sliders input").nth(0).fill("2")
    page.locator("#set-b").click()
    frames = page.locator("#path-film .frame canvas")
    assert frames.count() == 7
    assert visitor.settles_on("#path-film .frame:first-child canvas", decoded_mean([0, 0]))
    assert visitor.settles_on("#path-film .frame:nth-child(4) canvas", decoded_mean([1, 0]))
    assert visitor.settles_on("#path-film .frame:last-child canvas", decoded_mean([2, 0]))
    page.locator("#progress").fill("0")
    page.locator("#speed").select_option("4")
    page.locator("#play").click()
    seen = []
    visitor.until(lambda: seen.append(visitor.z()[0]) or (max(seen) == 2 and seen[-1] < 1))
    assert min(seen) < 0.5
    assert max(seen) == 2
    assert len(set(seen)) > 4
    page.locator("#play").click()
    assert page.locator("#play").get_attribute("aria-pressed") == "false"
    here = visitor.z()
    visitor.rest()
    np.testing.assert_array_equal(visitor.z(), here)
    page.locator("#progress").fill("0.75")
    assert visitor.settles_on("#decoded", decoded_mean([1.5, 0]))


def test_one_dimension_swept(page, visitor, decoded_mean):
    page.locator("#reset").click()
    page.locator("#sweep-dimension").select_option("1")
    for frame, value in ((1, -3), (4, 0), (7, 3)):
        assert visitor.settles_on(f"#sweep-film .frame:nth-child({frame}) canvas", decoded_mean([0, value]))
    page.locator("#sweep-film .frame").nth(5).click()
    assert visitor.settles_on("#decoded", decoded_mean([0, 2]))
    assert visitor.z().tolist() == [0, 2]
    # The filmstrip is of the dimension that was moved last.
    page.locator("#sliders input").nth(0).fill("1")
    assert page.locator("#sweep-dimension").input_value() == "0"
    assert visitor.settles_on("#sweep-film .frame:nth-child(1) canvas", decoded_mean([-3, 2]))


def test_samples_from_the_prior_are_places_to_go(page, visitor, decoded_mean):
    first = visitor.pixels("#samples .frame:nth-child(2) canvas")
    with page.expect_response(lambda response: "/prior" in response.url) as asked:
        page.locator("#draw").click()
    z = np.frombuffer(asked.value.body()[: 4 * 2 * 16], "<f4").reshape(16, 2)
    assert visitor.settles_on("#samples .frame:nth-child(2) canvas", decoded_mean(z[1]))
    assert not np.array_equal(visitor.pixels("#samples .frame:nth-child(2) canvas"), first)
    page.locator("#samples .frame").nth(1).click()
    assert visitor.settles_on("#decoded", decoded_mean(z[1]))
    np.testing.assert_allclose(visitor.z(), z[1], atol=0.0051)


def test_the_map_by_keys_alone(page, visitor, digits_run, x, decoded_mean):
    page.locator("#reset").click()
    page.locator("h1").click()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "map"
    outline = page.evaluate("getComputedStyle(document.querySelector('#map')).outlineStyle")
    assert outline != "none"
    page.keyboard.press("ArrowRight")
    visitor.until(lambda: visitor.z()[0] > 0)
    step = visitor.z()[0]
    assert step > 0
    page.keyboard.press("Shift+ArrowDown")
    visitor.until(lambda: visitor.z()[1] < 0)
    np.testing.assert_allclose(visitor.z(), [step, -5 * step], atol=0.031)
    assert visitor.settles_on("#decoded", lambda: decoded_mean(visitor.decoded[-1]))
    # Zoomed in, a step is a smaller one.
    page.keyboard.press("0")
    page.keyboard.press("+")
    before = visitor.z()[0]
    page.keyboard.press("ArrowRight")
    np.testing.assert_allclose(visitor.z()[0] - before, step / 1.25, atol=0.021)
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    # On the example itself, what is decoded is its reconstruction; and it is said aloud.
    locs = digits_run.vae.encode(x).mean().numpy()

    def nearest():
        """The example that is named, once the page is there and has said so."""
        name = page.locator("#nearest-name").inner_text()
        is_there = np.abs(visitor.z() - locs[number_in(name)]).max() <= 0.0051
        return number_in(name) if is_there and name in visitor.status() else None

    visitor.until(lambda: nearest() is not None)
    number = nearest()
    assert number is not None
    loc = locs[number]
    assert visitor.settles_on("#decoded", decoded_mean(loc))
    assert visitor.settles_on("#reconstruction", decoded_mean(loc))
    assert visitor.settles_on("#original", x[number])
    # Capitals too, as Caps Lock makes them.
    page.keyboard.press("A")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+B")
    visitor.until(lambda: np.abs(visitor.last_asked(49)[0] - loc).max() < 1e-5)
    np.testing.assert_allclose(visitor.last_asked(49)[0], loc, atol=1e-5)
    for pressed in ("true", "false"):
        page.keyboard.press("Shift+P")
        assert page.locator("#play").get_attribute("aria-pressed") == pressed


def test_classes_can_be_switched_off(page, visitor):
    buttons = page.locator("#legend button")
    assert [buttons.nth(i).inner_text() for i in range(10)] == [str(i) for i in range(10)]
    everything = visitor.picture("#map-base")
    buttons.nth(4).click()
    assert buttons.nth(4).get_attribute("aria-pressed") == "false"
    page.mouse.move(5, 5)
    visitor.until(lambda: visitor.picture("#map-base") != everything)
    assert visitor.picture("#map-base") != everything
    buttons.nth(7).dblclick()
    assert [buttons.nth(i).get_attribute("aria-pressed") for i in range(10)] == ["false"] * 7 + ["true"] + ["false"] * 2
    # The nearest example is one that is shown, also before anything moves.
    visitor.until(lambda: "label 7" in page.locator("#nearest-name").inner_text())
    assert "label 7" in page.locator("#nearest-name").inner_text()
    buttons.nth(7).click()
    assert page.locator("#nearest-name").inner_text() == "none is shown"
    assert visitor.pixels("#original").max() == 0
    buttons.nth(7).dblclick()
    buttons.nth(7).dblclick()
    assert {buttons.nth(i).get_attribute("aria-pressed") for i in range(10)} == {"true"}
    page.mouse.move(5, 5)


_PLOT = """
async (scales) => {
  const { Pictures } = await import("/explore/picture.js");
  const pictures = new Pictures({ event_shape: [2], is_image: false, range: [0, 1000], scales, dark_border: false });
  const canvas = Object.assign(document.createElement("canvas"), { className: "picture" });
  canvas.style.width = canvas.style.height = "100px";
  document.body.append(canvas);
  pictures.draw(canvas, Float32Array.from([0.5, 1000]));
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  canvas.remove();
  return [0.25, 0.75].map((share) => {
    let ink = 0;
    for (let y = 0; y < height; y++) ink += data[4 * (y * width + Math.round(share * width)) + 3] > 0;
    return ink / height;
  });
}
"""


def test_each_bar_has_the_scale_of_its_column(page):
    np.testing.assert_allclose(page.evaluate(_PLOT, None), [0.01, 0.88], atol=0.03)
    np.testing.assert_allclose(page.evaluate(_PLOT, [[0, 1], [500, 1500]]), [0.44, 0.44], atol=0.03)


def test_names_on_the_map_do_not_lie_on_one_another(page):
    move = """
    async (boxes) => {
      (await import("/explore/labels.js")).keepApart(boxes);
      return boxes.map(({ x, y }) => [x, y]);
    }
    """
    places = np.array([[50, 50], [50, 50], [54, 51], [49, 58], [120, 50]])
    boxes = [{"x": float(x), "y": float(y), "width": 14, "height": 17} for x, y in places]
    found = np.array(page.evaluate(move, boxes))
    for i, j in zip(*np.triu_indices(5, 1), strict=True):
        across, down = np.abs(found[i] - found[j])
        assert across >= 13.9 or down >= 16.9
    np.testing.assert_array_equal(found[4], places[4])
    assert np.abs(found - places).max() < 30


def test_a_desktop_window_shows_ten_sliders(page):
    seen = page.evaluate("""
        () => {
          const box = document.querySelector("#sliders");
          const added = Array.from({ length: 8 }, () => box.firstChild.cloneNode(true));
          box.append(...added);
          box.classList.add("many");
          const { bottom } = box.getBoundingClientRect();
          const seen = [...box.children].filter((row) => row.getBoundingClientRect().bottom <= bottom + 1).length;
          for (const row of added) row.remove();
          box.classList.remove("many");
          return seen;
        }
    """)
    assert seen == 10


def test_a_phone_has_one_column_and_a_finger(browser, address, digits_run, decoded_mean):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with visit(browser, address, **phone) as visitor:
        page = visitor.page
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        cards = page.locator(".card:visible").all()
        assert all(card.bounding_box()["x"] + card.bounding_box()["width"] <= 390 for card in cards)
        tops = [card.bounding_box()["y"] for card in cards]
        assert tops == sorted(tops)
        page.touchscreen.tap(*visitor.map_point(0.2, 0.25))
        visitor.until(lambda: visitor.z()[0] < -0.2 and visitor.z()[1] > 0.2)
        assert visitor.z()[0] < -0.2
        assert visitor.z()[1] > 0.2
        assert visitor.settles_on("#decoded", lambda: decoded_mean(visitor.decoded[-1]))


def test_a_server_that_goes_and_comes_back(page, visitor, decoded_mean):
    page.locator("#reset").click()
    assert visitor.settles_on("#decoded", decoded_mean([0, 0]))
    page.context.route("**/explore/api/**", lambda route: route.abort("connectionrefused"))
    page.locator("#draw").click()
    for value in ("0.5", "1", "1.5"):
        page.locator("#sliders input").nth(0).fill(value)
    page.locator("#trouble").wait_for(state="visible")
    said = page.locator("#trouble").inner_text()
    assert "not responding" in said
    assert said.count(".") == 1
    visitor.rest()
    page.context.unroute("**/explore/api/**")
    page.locator("#trouble").wait_for(state="hidden")
    assert visitor.settles_on("#decoded", decoded_mean([1.5, 0]))
    # It did not go on asking: the browser complains of each question that nobody answers.
    assert 0 < len(visitor.complaints) < 8
    assert {text for text in visitor.complaints if "ERR_CONNECTION_REFUSED" not in text} == set()
    visitor.complaints.clear()


def test_a_collapsed_model_can_be_explored_all_the_same(browser, address, decoded_mean):
    answers = {
        "model": lambda body: json.dumps(
            {**json.loads(body), "active": [False] * 2, "kl": 0.0, "has_collapsed": True, "principal_plane": None}
        ),
        "points": lambda body: bytes(4 * 400) + body[4 * 400 :],
    }
    with visit(browser, address, answers=answers) as visitor:
        page = visitor.page
        said = page.locator("#notice").inner_text()
        assert "the posterior of every example is the prior (KL 0.00 nats)" in said
        assert "the decoder ignores z" in said
        # The map is as wide as the prior, and the path leads across it.
        page.mouse.move(*visitor.map_point(0.95, 0.5))
        visitor.until(lambda: visitor.decoded[-1][0] > 2)
        assert 2 < visitor.decoded[-1][0] < 8
        page.mouse.move(5, 5)
        assert np.abs(np.diff(visitor.last_asked(49)[[0, -1]], axis=0)).max() > 1
        page.locator("#sliders input").nth(1).fill("1.5")
        assert visitor.z()[1] == 1.5
        visitor.until(lambda: visitor.decoded[-1][1] == 1.5)
        assert visitor.settles_on("#decoded", lambda: decoded_mean(visitor.decoded[-1]))
        began = len(visitor.decoded)
        page.locator("#samples .frame").nth(1).click()
        visitor.until(lambda: len(visitor.decoded) > began)
        assert visitor.settles_on("#decoded", lambda: decoded_mean(visitor.decoded[-1]))


@pytest.mark.slow
def test_it_strolls_by_itself_until_it_is_touched(browser, address):
    # The dimension that is swept first is the first in the list.
    answers = {"model": lambda body: json.dumps({**json.loads(body), "widest": [0, 1]})}
    with visit(browser, address, answers=answers, reduced_motion="no-preference") as visitor:
        visitor.until(lambda: np.ptp(visitor.pixels("#sweep-film .frame:last-child canvas")))
        assert np.ptp(visitor.pixels("#sweep-film .frame:last-child canvas"))
        np.testing.assert_allclose(visitor.last_asked(7)[:, 0], np.arange(-3, 4))
        began = len(visitor.decoded)
        visitor.until(lambda: len(visitor.decoded) > began + 4)
        assert len(visitor.decoded) > began + 4
        visitor.page.keyboard.press("Shift")
        visitor.rest()
        here = visitor.z()
        visitor.rest()
        np.testing.assert_array_equal(visitor.z(), here)
