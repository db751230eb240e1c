// The current z: the selected one, and the one previewed while the mouse moves over the map.

export class Space {
  constructor(model) {
    this.size = model.latent_size;
    this.mean = model.prior.mean;
    this.stddev = model.prior.stddev;
    this.z = Float32Array.from(this.mean);
    this.peek = null;
    this.listeners = { move: [], settle: [] };
    this.timer = 0;
  }

  get shown() {
    return this.peek ?? this.z;
  }

  on(event, listener) {
    this.listeners[event].push(listener);
  }

  // If `values` are known already, no request is sent. A `passing` move is one of many in a drag.
  goTo(z, { values = null, passing = false } = {}) {
    this.z = Float32Array.from(z);
    this.peek = null;
    this.tell("move", values);
    clearTimeout(this.timer);
    if (!passing) this.timer = setTimeout(() => this.tell("settle"), 120);
  }

  peekAt(z) {
    this.peek = Float32Array.from(z);
    this.tell("move", null);
  }

  endPeek() {
    if (!this.peek) return;
    this.peek = null;
    this.tell("move", null);
  }

  tell(event, values) {
    for (const listener of this.listeners[event]) listener(values);
  }

  // Sets one dimension to a number of standard deviations from the prior's mean.
  with(dimension, deviations, z = this.z) {
    const moved = Float32Array.from(z);
    moved[dimension] = this.mean[dimension] + deviations * this.stddev[dimension];
    return moved;
  }

  distanceTo(z) {
    return Math.hypot(...this.shown.map((value, d) => value - z[d]));
  }

  deviations(dimension, z = this.shown) {
    return (z[dimension] - this.mean[dimension]) / this.stddev[dimension];
  }
}

// Computes a point on the straight line from a to b.
export function between(a, b, share) {
  return a.map((value, i) => value + share * (b[i] - value));
}

export function rows(list) {
  const all = new Float32Array(list.length * list[0].length);
  list.forEach((row, i) => all.set(row, i * row.length));
  return all;
}

export const signed = (value, digits = 2) => value.toFixed(digits).replace("-", "−").replace(/^−(0(\.0*)?)$/, "$1");
