// Two rows of pictures: a sweep of one dimension, and samples from the prior.

import { Newest, server } from "./server.js";
import { rows, signed } from "./space.js";

const REACH = 3;
const NUM_STEPS = 7;
const NUM_SAMPLES = 16;

// The selected z with one dimension set to a range of values.
export class Sweep {
  constructor({ element, marks, choice, Film, space, pictures, fail }) {
    Object.assign(this, { choice, space });
    const deviations = Array.from({ length: NUM_STEPS }, (_, i) => REACH * ((2 * i) / (NUM_STEPS - 1) - 1));
    choice.replaceChildren(...space.mean.map((_, d) => new Option(`z${d + 1}`, d)));
    choice.addEventListener("change", () => this.update());
    const labels = deviations.map((value) => `${signed(value, 0)}σ`);
    marks.replaceChildren(...labels.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
    this.deviations = deviations;
    this.film = new Film(
      element, NUM_STEPS, pictures, (i) => `Go to ${signed(deviations[i])} standard deviations`,
      (i) => space.goTo(space.with(Number(choice.value), deviations[i])),
    );
    this.film.setLabels?.(labels); // those of pictures stand below them
    this.decoder = new Newest(
      (z) => server.decode(rows(z)),
      (values) => deviations.forEach((_, i) => this.film.show(i, values, i * pictures.size)),
      fail,
    );
  }

  choose(dimension) {
    if (this.isDrawn && Number(this.choice.value) === dimension) return;
    this.choice.value = dimension;
    this.update();
  }

  update() {
    this.isDrawn = true;
    const dimension = Number(this.choice.value);
    this.decoder.want(this.deviations.map((value) => this.space.with(dimension, value)));
    const here = this.space.deviations(dimension, this.space.z);
    this.film.mark(this.deviations.findIndex((value) => Math.abs(value - here) <= REACH / (NUM_STEPS - 1)));
  }
}

// Means of p(x|z) for z ~ p(z).
export class Samples {
  constructor({ element, Film, space, pictures, fail }) {
    Object.assign(this, { space });
    this.seed = 0;
    this.film = new Film(element, NUM_SAMPLES, pictures, (i) => `Go to sample ${i + 1}`, (i) => this.goTo(i));
    this.drawer = new Newest(
      (seed) => server.prior(NUM_SAMPLES, seed, space.size),
      (drawn) => {
        this.drawn = drawn;
        for (let i = 0; i < NUM_SAMPLES; i++) this.film.show(i, drawn.values, i * pictures.size);
        this.film.mark(-1);
      },
      fail,
    );
  }

  draw() {
    this.drawer.want(this.seed++);
  }

  // Draws with the same seed, for another condition or label.
  redo() {
    if (this.seed) this.drawer.want(this.seed - 1);
  }

  goTo(i) {
    if (!this.drawn) return;
    this.film.mark(i);
    this.space.goTo(this.drawn.z.subarray(i * this.space.size, (i + 1) * this.space.size));
  }
}
