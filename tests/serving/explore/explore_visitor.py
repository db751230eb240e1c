"""Somebody who looks at the page: what it shows as numbers, and what it must never do."""

import contextlib
import time

import numpy as np
import tensorflow as tf

_PIXELS = """
(canvas) => {
  const { width, height } = canvas;
  const copy = Object.assign(document.createElement("canvas"), { width, height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return [width, height, Array.from(context.getImageData(0, 0, width, height).data)];
}
"""


class Visitor:
    """A page of a browser, with everything it asked for and complained of.

    Attributes:
        page: Playwright's.
        asked: every z [n, D] that was to be decoded, in order, for a path, a sweep or the map's background too.
        complaints: errors of scripts, warnings of the console, and requests to other hosts.
    """

    def __init__(self, page, address):
        self.page, self.asked, self.complaints = page, [], []
        page.on("console", lambda message: self._note(message.type, message.text, ("error", "warning")))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request, address))
        page.goto(f"{address}/explore/")
        page.locator("#samples .frame").first.wait_for()
        self.latent_size = page.locator("#sliders input").count()
        self.until(lambda: self.decoded)

    def _note(self, kind, text, kinds):
        if kind in kinds:
            self.complaints.append(text)

    def _asked(self, request, address):
        if not request.url.startswith(address):
            self.complaints.append(f"asked {request.url}")
        if request.url.partition("?")[0].endswith("/decode"):
            self.asked.append(np.frombuffer(request.post_data_buffer, "<f4"))

    @property
    def decoded(self):
        """The z of every question for a single picture, in order."""
        return [z for z in self.asked if z.size == self.latent_size]

    def last_asked(self, num):
        """The last question for so many pictures at once, `[num, D]`."""
        return [z for z in self.asked if z.size == num * self.latent_size][-1].reshape(num, -1)

    def status(self):
        """What a screen reader was told last."""
        return self.page.locator("#status").text_content()

    def picture(self, selector):
        """All of a large canvas, to be compared with itself."""
        return self.page.locator(selector).evaluate("canvas => canvas.toDataURL()")

    def until(self, check, seconds=20):
        """Waits for something that is to come; then whatever is asserted is the test's."""
        end = time.monotonic() + seconds
        while not check() and time.monotonic() < end:
            self.page.wait_for_timeout(30)

    def rest(self):
        """Lets what is under way end: questions, the background, what is said after a move."""
        self.page.wait_for_timeout(300)

    def pixels(self, selector):
        """A canvas as 8-bit levels `[H, W, 3]`."""
        width, height, data = self.page.locator(selector).evaluate(_PIXELS)
        return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]

    def settles_on(self, selector, mean):
        """Whether a canvas comes to show a mean `[H, W, 1 or 3]`, pixel by pixel, but for rounding.

        A function says anew each time what the mean is: of the last question, while there may be another one yet.
        """

        def shows():
            asked = mean() if callable(mean) else mean
            wanted = np.broadcast_to(np.rint(255 * np.clip(asked, 0, 1)), (*asked.shape[:2], 3))
            found = self.pixels(selector).astype(int)
            return found.shape == wanted.shape and np.abs(found - wanted).max() <= 1

        self.until(shows)
        return shows()

    def z(self):
        """The sliders' readings: z to two decimals."""
        texts = self.page.locator("#sliders output").all_inner_texts()
        return np.array([float(text.replace("−", "-")) for text in texts])

    def map_point(self, across, down):
        """A pixel of the map, by its shares of width and height."""
        box = self.page.locator("#map").bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]


@contextlib.contextmanager
def visit(browser, address, *, answers=None, **settings):
    """Opens the page, with `settings` of Playwright's `new_context`, and holds it to good behaviour at the end.

    `answers` changes what the server says, as another model would: the name of a question, and a function of the body.
    """
    settings = {"viewport": {"width": 1400, "height": 900}, "reduced_motion": "reduce", **settings}
    context = browser.new_context(**settings)
    for question, change in (answers or {}).items():
        context.route(f"**/explore/api/{question}", _answering(change))
    try:
        visitor = Visitor(context.new_page(), address)
        yield visitor
        assert visitor.complaints == [], visitor.complaints
    finally:
        context.close()


def _answering(change):
    def answer(route):
        found = route.fetch()
        route.fulfill(response=found, body=change(found.body()))

    return answer


def png(levels):
    """A PNG of 8-bit levels `[H, W, 1, 3 or 4]`."""
    return tf.io.encode_png(levels).numpy()
