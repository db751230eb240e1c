// The user's own image, loaded or drawn: shown as the model gets it, encoded, and reconstructed.

import { scan } from "./scan.js";
import { Newest, server } from "./server.js";
import { signed } from "./space.js";

const $ = (id) => document.getElementById(id);
const STILL = 400; // ms without a change, after which log p(x) is estimated, which takes longer than the ELBO

export class OwnImage {
  constructor({ space, pictures, model, choice, stopPath, fail }) {
    Object.assign(this, { space, pictures, model, choice, stopPath, fail });
    this.card = $("own");
    this.preview = $("preview");
    this.invert = $("invert");
    this.clear();
    // Encoding and decoding are one request, so that the picture, its values and its position belong together.
    this.errand = new Newest(
      async ({ x }) => {
        const found = await server.encode(x);
        if (found.probs.length) choice.set(mostProbable(found.probs));
        const z = Float32Array.from(found.loc);
        return { found, z, values: await server.decode(z) };
      },
      ({ found, z, values }, { isNew }) => {
        pictures.draw($("own-reconstruction"), values);
        this.report(found);
        if (isNew) space.goTo(z, { values });
      },
      fail,
    );
    this.estimate = new Newest(
      (x) => server.logMarginal(x),
      ({ log_marginal: value }) => {
        const what = choice.kind && choice.kind !== "label" ? "log p(x|c)" : "log p(x)";
        $("log-marginal").textContent = `${what} about ${signed(value)}`;
      },
      fail,
    );
    $("file").addEventListener("change", (event) => {
      this.take(event.target.files[0]);
      event.target.value = ""; // so that the same file can be chosen again
    });
    $("clear").addEventListener("click", () => this.clear());
    this.invert.addEventListener("change", () => this.brightness && this.send());
    this.listenForDrops();
    if (pictures.channels === 1) this.listenForStrokes();
    else $("pad-hint").textContent = "drop an image";
  }

  listenForDrops() {
    const isFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      this.card.classList.add("wanted");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) this.card.classList.remove("wanted");
    });
    document.addEventListener("drop", (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      this.card.classList.remove("wanted");
      this.take(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
      if (file) this.take(file);
    });
  }

  listenForStrokes() {
    let last = null;
    const at = (event) => {
      const box = this.preview.getBoundingClientRect();
      // The picture is scaled to fit the square canvas.
      const size = Math.min(box.width / this.pictures.width, box.height / this.pictures.height);
      return [
        (event.clientX - box.left - (box.width - size * this.pictures.width) / 2) / size,
        (event.clientY - box.top - (box.height - size * this.pictures.height) / 2) / size,
      ];
    };
    this.preview.addEventListener("pointerdown", (event) => {
      this.preview.setPointerCapture(event.pointerId);
      this.brightness ??= new Float32Array(this.pictures.size).fill(this.paper());
      last = at(event);
      this.stroke(last, last);
      event.preventDefault();
    });
    this.preview.addEventListener("pointermove", (event) => {
      if (!last) return;
      const next = at(event);
      this.stroke(last, next);
      last = next;
    });
    for (const end of ["pointerup", "pointercancel"]) this.preview.addEventListener(end, () => (last = null));
  }

  // Brightness of the empty background, before inversion.
  paper() {
    return this.pictures.isLightOnDark === this.invert.checked ? 1 : 0;
  }

  stroke(from, to) {
    const { width, height } = this.pictures;
    const radius = Math.max(0.75, 0.045 * Math.max(width, height));
    const paper = this.paper();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const distance = toSegment([x + 0.5, y + 0.5], from, to);
        const ink = Math.min(1, Math.max(0, radius + 0.5 - distance));
        if (ink === 0) continue;
        const at = y * width + x;
        const drawn = Math.max(Math.abs(this.brightness[at] - paper), ink);
        this.brightness[at] = paper ? 1 - drawn : drawn;
      }
    }
    this.send();
  }

  async take(file) {
    if (!file) return;
    try {
      const found = await scan(file, this.pictures);
      // Dark ink on a light background must be inverted for a model of light strokes on black.
      this.invert.checked = this.pictures.isLightOnDark && this.pictures.channels === 1 && found.border > 0.5;
      this.brightness = found.values;
      this.send();
    } catch {
      this.fail(new Error(`${file.name || "This"} is not an image that the browser can read.`));
    }
  }

  // An image that is not new is only measured again.
  send(isNew = true) {
    this.stopPath();
    const x = this.brightness.map((value) => this.toX(this.invert.checked ? 1 - value : value));
    $("pad-hint").hidden = true;
    this.pictures.draw(this.preview, x);
    this.errand.want({ x, isNew });
    this.forgetEstimate();
    this.timer = setTimeout(() => this.estimate.want(x), STILL);
  }

  forgetEstimate() {
    clearTimeout(this.timer);
    this.estimate?.forget();
    $("log-marginal").textContent = "";
  }

  // Measures the image again, for another condition.
  redo() {
    if (this.brightness && this.choice.kind !== "label") this.send(false);
  }

  // Converts a brightness to the kind of value the model was trained on.
  toX(brightness) {
    const { kind, low, high, num_levels: levels } = this.model.input;
    if (kind === "binary") return brightness > 0.5 ? 1 : 0;
    if (kind === "levels") return (Math.round(brightness * (levels - 1)) + 0.5) / levels;
    return low + brightness * (high - low);
  }

  clear() {
    this.brightness = null;
    this.errand?.forget();
    this.forgetEstimate();
    this.invert.checked = false;
    $("pad-hint").hidden = false;
    this.pictures.blank(this.preview);
    this.pictures.blank($("own-reconstruction"));
    for (const id of ["elbo", "log-likelihood", "kl", "bits"]) $(id).textContent = "–";
    $("verdict").textContent = "Values in nats.";
  }

  report(found) {
    $("elbo").textContent = signed(found.elbo);
    $("log-likelihood").textContent = signed(found.log_likelihood);
    $("kl").textContent = signed(found.kl);
    $("bits").textContent = signed(found.bits_per_dim, 3);
    const { share } = found;
    const label = mostProbable(found.probs);
    $("verdict").textContent =
      label < 0
        ? `In nats. A higher ELBO than ${share}% of the examples.`
        : `${this.choice.names[label]} (${Math.round(100 * found.probs[label])}%). ELBO above ${share}% of the examples.`;
  }
}

const mostProbable = (probs) => probs.indexOf(Math.max(...probs));

function toSegment([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const along = dx || dy ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy))) : 0;
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}
