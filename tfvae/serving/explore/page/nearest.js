// The example whose E[z|x] is nearest to the cursor in all dimensions of z, beside its reconstruction.

import { Newest, server } from "./server.js";

const $ = (id) => document.getElementById(id);
const MOST_KNOWN = 500;

export class Nearest {
  constructor({ model, map, pictures, fail }) {
    Object.assign(this, { model, map, pictures });
    this.known = new Map();
    this.index = -1; // of the example that is the nearest; its picture may still be under way
    this.asked = new Newest(
      (index) => server.example(index),
      (pair, index) => {
        if (this.known.size >= MOST_KNOWN) this.known.clear();
        this.known.set(index, pair);
        // While the cursor moves, a late answer is still shown, with its own name.
        if (this.index >= 0 && !this.isSettled()) this.show(index, pair);
      },
      fail,
    );
  }

  isSettled() {
    return this.shown === this.index;
  }

  name(index = this.index) {
    if (index < 0) return "none is shown";
    const of = this.model.classes[this.map.points.classOf[index]];
    return `${of ? `label ${of.label} · ` : ""}no. ${index}`;
  }

  update(z) {
    const index = this.map.nearestInSpace(z);
    const isAnother = index !== this.index || this.shown === undefined;
    this.index = index;
    this.tellDistance();
    if (!isAnother) return;
    if (index < 0) this.empty();
    else if (this.known.has(index)) this.show(index, this.known.get(index));
    else this.asked.want(index);
  }

  // Updates the picture and its name together.
  show(index, pair) {
    this.shown = index;
    $("nearest-name").textContent = this.name(index);
    this.pictures.draw($("original"), pair);
    this.pictures.draw($("reconstruction"), pair, this.pictures.size);
    this.tellDistance();
  }

  empty() {
    this.shown = -1;
    $("nearest-name").textContent = this.name(-1);
    for (const id of ["original", "reconstruction"]) this.pictures.blank($(id));
    this.tellDistance();
  }

  // Shows the distance if the map cannot show it.
  tellDistance() {
    const { space } = this.map;
    if (space.size <= 2 || this.shown === undefined) return;
    const away = this.shown < 0 ? "–" : space.distanceTo(this.map.zOf(this.shown)).toFixed(1);
    $("nearest-distance").textContent = `distance ${away} over all ${space.size} dimensions`;
  }
}
