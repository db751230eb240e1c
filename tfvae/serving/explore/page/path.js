// The straight line from A to B, decoded once and played as frames.

import { Newest, server } from "./server.js";
import { between, rows } from "./space.js";

const NUM_FRAMES = 49;
const NUM_SHOWN = 7;
const SECONDS = 2.4; // from A to B at speed 1

export class Path {
  constructor({ element, Film, space, pictures, onChange, fail }) {
    Object.assign(this, { space, pictures, onChange });
    this.ends = { a: null, b: null };
    this.frames = null;
    this.share = 0;
    this.direction = 1;
    this.isPlaying = false;
    this.speed = 1;
    const every = (NUM_FRAMES - 1) / (NUM_SHOWN - 1);
    this.film = new Film(
      element, NUM_SHOWN, pictures, (i) => `Go to frame ${i + 1} of ${NUM_SHOWN} of the path`,
      (i) => this.goTo(i / (NUM_SHOWN - 1)),
    );
    this.decoder = new Newest(
      (z) => server.decode(rows(z)),
      (values, z) => {
        this.frames = { values, z };
        for (let i = 0; i < NUM_SHOWN; i++) this.film.show(i, values, i * every * pictures.size);
        // If the cursor is on the path, it moves with an end that is dragged.
        if (this.isPlaying) this.show();
      },
      fail,
    );
  }

  setEnd(name, z) {
    this.ends[name] = Float32Array.from(z);
    if (!this.ends.a || !this.ends.b) return;
    const { a, b } = this.ends;
    this.decoder.want(Array.from({ length: NUM_FRAMES }, (_, i) => between(a, b, i / (NUM_FRAMES - 1))));
    this.onChange();
  }

  // Decodes the path again, for another condition or label.
  redo() {
    if (this.ends.a) this.setEnd("a", this.ends.a);
  }

  goTo(share) {
    this.stop();
    this.share = share;
    this.show();
    this.space.goTo(this.space.z, { values: this.valuesNow() }); // we stay here: now it may settle
  }

  toggle() {
    if (this.isPlaying) {
      this.stop();
      this.space.goTo(this.space.z, { values: this.valuesNow() });
    } else {
      this.isPlaying = true;
      this.last = performance.now();
      requestAnimationFrame((now) => this.tick(now));
    }
    this.onChange();
  }

  stop() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.onChange();
  }

  tick(now) {
    if (!this.isPlaying) return;
    const step = Math.min(0.1, (now - this.last) / 1000) * (this.speed / SECONDS);
    this.last = now;
    this.share += this.direction * step;
    if (this.share >= 1 || this.share <= 0) {
      this.share = Math.min(1, Math.max(0, this.share));
      this.direction = -this.direction;
    }
    this.show();
    requestAnimationFrame((then) => this.tick(then));
  }

  // Plays from A to B and back.
  show() {
    if (!this.frames) return;
    this.film.mark(Math.round(this.share * (NUM_SHOWN - 1)));
    this.space.goTo(this.frames.z[this.index()], { values: this.valuesNow(), passing: true });
    this.onChange();
  }

  index() {
    return Math.round(this.share * (NUM_FRAMES - 1));
  }

  valuesNow() {
    if (!this.frames) return null;
    const start = this.index() * this.pictures.size;
    return this.frames.values.subarray(start, start + this.pictures.size);
  }
}
