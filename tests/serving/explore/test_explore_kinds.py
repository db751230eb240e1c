"""Models of other kinds on the page: colour, dequantised levels, vectors of values, one latent dimension and many."""

import math

import keras
import numpy as np
import pytest
from explore_server import make_run, serving
from explore_visitor import png, visit

import tfvae
from tfvae._display import Display
from tfvae.serving.explore import ExploredModel, explored_run
from tfvae.training.saved_run import load_run

pytestmark = pytest.mark.slow


def explore(path, settings, **options):
    return explored_run(load_run(make_run(path, settings, epochs=2)), **options)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_colour_images_of_dequantised_levels(browser, tmp_path, rng):
    images = rng.integers(0, 256, (120, 6, 10, 3), dtype=np.uint8)
    np.savez(tmp_path / "colour.npz", x=images)
    settings = {"data": {"name": str(tmp_path / "colour.npz")}, "model": {"latent_size": 3, "hidden": (8,)}}
    explored = explore(tmp_path / "run", settings)
    vae, model = explored._programs._vae, explored.describe()
    assert model["input"] == {"kind": "levels", "low": 0.0, "high": 1.0, "num_levels": 256}
    assert model["classes"] == []
    with serving(explored) as address, visit(browser, address) as visitor:
        page = visitor.page
        assert visitor.settles_on("#decoded", vae.decode(visitor.decoded[-1][None]).mean().numpy()[0])
        page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": png(images[0])})
        visitor.until(lambda: page.locator("#elbo").inner_text() != "–")
        x = (images[:1].astype("float32") + 0.5) / 256
        elbo = float(vae.elbo(x, num_samples=64, seed=0)[0])
        assert abs(float(page.locator("#elbo").inner_text().replace("−", "-")) - elbo) < 0.011 + 1e-5 * abs(elbo)
        bits = 8 - elbo / (180 * math.log(2))
        assert abs(float(page.locator("#bits").inner_text().replace("−", "-")) - bits) < 0.0011
        assert visitor.settles_on("#preview", x[0])
        page.locator("#background").check()
        visitor.rest()
        assert page.locator("#axis-x").is_disabled()
        page.locator("#plane").select_option("dimensions")
        assert page.locator("#axis-x").is_enabled()


@pytest.mark.parametrize("size", [7, 90])
def test_values_are_drawn_as_a_plot(browser, tmp_path, rng, size):
    values = rng.normal(size=(150, size)).astype("float32") * 3 + 1
    np.savez(tmp_path / "table.npz", x=values, y=rng.integers(0, 3, 150))
    settings = {"data": {"name": str(tmp_path / "table.npz")}, "model": {"latent_size": 2, "hidden": (8,)}}
    explored = explore(tmp_path / "run", settings)
    assert not explored.is_image
    assert explored.describe()["input"]["kind"] == "range"
    with serving(explored) as address, visit(browser, address) as visitor:
        page = visitor.page
        assert "an example" in page.locator("h1").inner_text()
        assert not page.locator("#own").is_visible()
        assert not page.locator("#background-label").is_visible()
        plot = visitor.picture("#decoded")
        page.locator("#sliders input").nth(0).fill("3")
        visitor.until(lambda: visitor.picture("#decoded") != plot)
        assert visitor.picture("#decoded") != plot
        before = visitor.picture("#decoded")
        page.locator("#sweep-film .frame").nth(0).click()
        visitor.until(lambda: visitor.picture("#decoded") != before)
        assert visitor.picture("#decoded") != before
        assert page.evaluate("document.documentElement.scrollWidth") == 1400


@pytest.mark.parametrize("latent_size", [1, 50])
def test_one_dimension_and_fifty(browser, tmp_path, latent_size):
    settings = {"data": {"name": "digits"}, "model": {"latent_size": latent_size, "hidden": (16,)}}
    explored = explore(tmp_path / "run", settings, split="train", num_examples=300)
    assert len(explored) == 300
    with serving(explored) as address, visit(browser, address) as visitor:
        page = visitor.page
        assert visitor.latent_size == latent_size
        # With a single dimension there is nothing to choose, and one row of pictures behind the points.
        assert page.locator("#planes").is_visible() == (latent_size > 1)
        if latent_size == 1:
            assert page.locator("#background").is_checked()
            visitor.until(lambda: any(7 < z.size < 49 for z in visitor.asked))
            assert any(7 < z.size < 49 and (np.diff(z) > 0).all() for z in visitor.asked)
        last = page.locator("#sliders input").last
        last.fill("2")
        z = np.zeros(latent_size)
        page.locator("#reset").click()
        last.fill("-2.5")
        z[-1] = -2.5
        mean = explored.decode(z[None].astype("float32"))[0]
        assert visitor.settles_on("#decoded", mean)
        page.mouse.move(*visitor.map_point(0.7, 0.5))
        page.mouse.down()
        page.mouse.move(*visitor.map_point(0.3, 0.45), steps=3)
        page.mouse.up()
        visitor.rest()
        assert visitor.settles_on("#decoded", explored.decode(visitor.decoded[-1][None])[0])
        if latent_size == 50:
            # Within the principal plane: what of z lies outside stays as it was.
            plane = explored.describe()["principal_plane"]
            axes = np.array(plane["axes"])
            moved = visitor.decoded[-1] - z
            np.testing.assert_allclose(moved - axes.T @ (axes @ moved), 0, atol=1e-4)
        assert page.evaluate("document.documentElement.scrollWidth") == 1400


def test_dropped_pasted_and_drawn(browser, address, digits_run):
    x = tfvae.data.load("digits").test.take(5).thresholded().x
    content = list(png((255 * x[4]).astype(np.uint8)))
    elbo = float(digits_run.vae.elbo(x[4:5], num_samples=64, seed=0)[0])
    send = """
    ([content, kind]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(content)], "a.png", { type: "image/png" }));
      const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
        : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.querySelector("#map").dispatchEvent(event);
    }
    """
    with visit(browser, address) as visitor:
        page = visitor.page
        for kind in ("drop", "paste"):
            page.locator("#clear").click()
            if kind == "drop":
                page.evaluate(send, [content, "dragover"])
                assert "wanted" in page.locator("#own").get_attribute("class")
            page.evaluate(send, [content, kind])
            visitor.until(lambda: page.locator("#elbo").inner_text() != "–")
            assert abs(float(page.locator("#elbo").inner_text().replace("−", "-")) - elbo) < 0.011
            assert "wanted" not in page.locator("#own").get_attribute("class")
        page.locator("#clear").click()
        box = page.locator("#preview").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.1)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.9, steps=6)
        page.mouse.up()
        drawn = visitor.pixels("#preview")[..., 0]
        assert set(np.unique(drawn)) == {0, 255}
        assert drawn.any(axis=1).all()  # a stroke from top to bottom
        assert drawn.mean(axis=0).argmax() in (3, 4, 5)
        stroke = (drawn[None, ..., None] / 255).astype("float32")
        visitor.rest()
        found = float(page.locator("#elbo").inner_text().replace("−", "-"))
        assert abs(found - float(digits_run.vae.elbo(stroke, num_samples=64, seed=0)[0])) < 0.011


def test_wheel_pan_and_two_fingers_change_the_view_and_not_the_place(browser, address):
    with visit(browser, address, has_touch=True) as visitor:
        page = visitor.page
        here = visitor.z()
        at = visitor.map_point(0.5, 0.5)
        page.mouse.move(5, 5)
        pictures = [visitor.picture("#map-base")]

        def has_changed():
            visitor.until(lambda: visitor.picture("#map-base") != pictures[-1])
            visitor.rest()  # the background follows
            pictures.append(visitor.picture("#map-base"))
            return pictures[-1] != pictures[-2]

        page.mouse.move(*at)
        page.mouse.wheel(0, -300)
        page.mouse.move(5, 5)
        assert has_changed()
        page.keyboard.down("Shift")
        page.mouse.move(*at)
        page.mouse.down()
        page.mouse.move(at[0] + 60, at[1] - 30, steps=3)
        page.mouse.up()
        page.keyboard.up("Shift")
        page.mouse.move(5, 5)
        assert has_changed()
        client = page.context.new_cdp_session(page)
        for kind, apart in (("touchStart", 40), ("touchMove", 60), ("touchMove", 110), ("touchEnd", None)):
            points = [] if apart is None else [{"x": at[0] - apart, "y": at[1]}, {"x": at[0] + apart, "y": at[1]}]
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert has_changed()
        page.locator("#zoom-fit").click()
        assert has_changed()
        np.testing.assert_array_equal(visitor.z(), here)


def test_the_ends_of_the_path_can_be_dragged(browser, address, digits_run):
    with visit(browser, address) as visitor:
        page = visitor.page
        page.locator("#reset").click()
        page.locator("#set-a").click()
        page.locator("#sliders input").nth(0).fill("2")
        page.locator("#set-b").click()
        page.locator("#zoom-fit").click()
        first = "#path-film .frame:first-child canvas"
        decoded = lambda z: digits_run.vae.decode(np.array([z], "float32")).mean().numpy()[0]  # noqa: E731
        assert visitor.settles_on(first, decoded([0, 0]))
        # Where A is on the screen: seen from what two places peeked at decode.
        seen = []
        for share in (0.3, 0.6):
            before = len(visitor.decoded)
            page.mouse.move(*visitor.map_point(share, share))
            visitor.until(lambda before=before: len(visitor.decoded) > before)
            visitor.rest()
            seen.append((np.array(visitor.map_point(share, share)), visitor.decoded[-1]))
        (p0, z0), (p1, z1) = seen
        per_latent = (p1 - p0) / (z1 - z0)
        at = p0 - z0 * per_latent
        page.mouse.move(*at)
        page.mouse.down()
        page.mouse.move(*(at + np.array([0.0, 1.5]) * per_latent), steps=4)
        page.mouse.up()
        visitor.rest()
        a = visitor.last_asked(49)[0]
        np.testing.assert_allclose(a, [0, 1.5], atol=0.03)  # to a pixel
        assert visitor.settles_on(first, decoded(a))
        assert visitor.z().tolist() == [2, 0]


@pytest.mark.parametrize("shape", [(40, 3), (6, 5, 4)])
def test_series_are_lines_and_bands_are_panels(browser, rng, shape):
    """The page draws what reports draw: each channel a line of its own, each band a panel."""
    x = (np.cumsum(rng.normal(size=(60, *shape)), axis=1) * 3).astype("float32")
    latent, likelihood = tfvae.layers.MultivariateNormalDiag, tfvae.layers.IndependentNormal
    encoder = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(latent.params_size(2)), latent(2)]
    )
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(likelihood.params_size(shape)), likelihood(shape)]
    )
    explored = ExploredModel(tfvae.models.VAE(encoder, decoder), tfvae.data.Split(x), name="own")
    with serving(explored) as address, visit(browser, address) as visitor:
        page = visitor.page
        assert not page.locator("#own").is_visible()
        assert page.locator("#reading").inner_text() == explored.describe()["words"]
        if len(shape) == 2:
            assert page.locator("h1").inner_text() == "Every point on this map is a series"
            wanted = {(255, 127, 14), (44, 160, 44)}
            colors = lambda: {tuple(color) for color in visitor.pixels("#original").reshape(-1, 3)}  # noqa: E731
            visitor.until(lambda: wanted <= colors())
            assert wanted <= colors()
        else:
            assert page.locator("h1").inner_text() == "Every point on this map is an image"

            pictures = Display.of(x).pictures(x)

            def apart():
                """How far the shown picture is from the nearest example. Until it is drawn, its shape differs."""
                shown = visitor.pixels("#original")[..., :1].astype(int)
                if shown.shape != pictures.shape[1:]:
                    return 255
                return np.abs(pictures - shown).max(axis=(1, 2, 3)).min()

            visitor.until(lambda: apart() <= 1)
            assert apart() <= 1  # it is one of the examples, panel by panel
