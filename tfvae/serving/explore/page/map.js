// The latent map: examples as points, and behind them what the plane decodes to.

import { channels, classColor, onThemeChange, themeColor } from "./colors.js";
import { drawOverlay } from "./map-overlay.js";
import { rows } from "./space.js";
import { View } from "./view.js";

const MOST_CELLS = 420;

export class LatentMap {
  constructor({ element, space, points, classes, pictures, decoded, askForSheet }) {
    Object.assign(this, { element, space, points, classes, pictures, decoded, askForSheet });
    [this.base, this.over] = element.querySelectorAll("canvas");
    this.view = new View();
    this.isShown = classes.map(() => true);
    this.emphasized = null;
    this.path = { a: null, b: null };
    this.sheet = null;
    this.hasBackground = false;
    this.frame = 0;
    this.needsBase = true;
    this.resize();
    new ResizeObserver(() => this.resize()).observe(element);
    onThemeChange(() => this.refresh());
  }

  setPlane(plane) {
    this.plane = plane;
    const n = this.points.classOf.length;
    this.places = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      const [a, b] = plane.at(this.points.z, i * this.space.size);
      this.places[2 * i] = a;
      this.places[2 * i + 1] = plane.isBand ? (((i * 0.618034) % 1) - 0.5) * this.space.stddev[0] : b;
    }
    this.medians = this.classes.map((_, c) => this.median(c));
    this.fit();
  }

  median(classIndex) {
    const middle = (axis) => {
      const values = [];
      this.points.classOf.forEach((c, i) => c === classIndex && values.push(this.places[2 * i + axis]));
      return values.sort((p, q) => p - q)[values.length >> 1];
    };
    return [middle(0), middle(1)];
  }

  // Shows all but the outermost examples, which would leave the others little room.
  fit() {
    const ends = (axis) => {
      const values = this.places.filter((_, i) => i % 2 === axis).sort();
      const out = Math.floor(values.length / 200);
      return [values[out], values[values.length - 1 - out]];
    };
    const [[left, right], [bottom, top]] = [ends(0), ends(1)];
    this.view.fit({ left, right, bottom, top }, Math.min(36, this.view.width / 14));
    this.refresh();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const isFirst = this.view.width <= 1;
    const isFit = this.view.scale === this.view.fitScale;
    this.view.resize(width, height);
    this.ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.base, this.over]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    if (this.plane && (isFirst || isFit)) this.fit();
    else this.refresh();
  }

  // Everything is drawn anew: the view, the theme or what is shown has changed.
  refresh() {
    this.needsBase = true;
    this.redraw();
    clearTimeout(this.sheetTimer);
    this.sheetTimer = setTimeout(() => this.refreshSheet(), 150);
  }

  redraw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.plane || this.view.width <= 1) return;
      if (this.needsBase) this.drawBase();
      this.needsBase = false;
      drawOverlay(this);
    });
  }

  // Points ------------------------------------------------------------------------------------------------------

  isVisible(i) {
    const c = this.points.classOf[i];
    return c < 0 || this.isShown[c];
  }

  // The visible example nearest to a pixel, and how far it is.
  nearestTo([x, y]) {
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < this.points.classOf.length; i++) {
      if (!this.isVisible(i)) continue;
      const [px, py] = this.pixelOf(i);
      const squared = (px - x) ** 2 + (py - y) ** 2;
      if (squared < least) [best, least] = [i, squared];
    }
    return { index: best, distance: Math.sqrt(least) };
  }

  // The example nearest to a place of the plane; `classIndex` null is any class.
  exampleNear([a, b], classIndex) {
    let best = 0;
    let least = Infinity;
    for (let i = 0; i < this.points.classOf.length; i++) {
      if (classIndex !== null && this.points.classOf[i] !== classIndex) continue;
      const squared = (this.places[2 * i] - a) ** 2 + (this.places[2 * i + 1] - b) ** 2;
      if (squared < least) [best, least] = [i, squared];
    }
    return best;
  }

  zOf(i) {
    return this.points.z.slice(i * this.space.size, (i + 1) * this.space.size);
  }

  pixelOf(i) {
    return this.view.toPixel([this.places[2 * i], this.places[2 * i + 1]]);
  }

  cursorPixel() {
    return this.view.toPixel(this.plane.at(this.space.shown));
  }

  // The background ----------------------------------------------------------------------------------------------

  setBackground(wanted) {
    this.hasBackground = wanted && this.pictures.isImage && !this.plane?.isBand;
    this.refresh();
  }

  async refreshSheet() {
    if (!this.hasBackground) {
      if (this.sheet) this.needsBase = true;
      this.sheet = null;
      this.redraw();
      return;
    }
    const { width, height } = this.view;
    const shape = this.pictures.height / this.pictures.width;
    const cell = Math.max(34, Math.sqrt((width * height) / (shape * MOST_CELLS)) + 0.5);
    const columns = Math.floor(width / cell);
    const lines = Math.floor(height / (cell * shape));
    if (!columns || !lines) return;
    const from = [(width - columns * cell) / 2, (height - lines * cell * shape) / 2];
    const z = [];
    for (let cellIndex = 0; cellIndex < columns * lines; cellIndex++) {
      const x = from[0] + ((cellIndex % columns) + 0.5) * cell;
      const y = from[1] + (Math.floor(cellIndex / columns) + 0.5) * cell * shape;
      z.push(this.plane.moved(this.space.z, this.view.toPlace([x, y])));
    }
    const corners = [from, [width - from[0], height - from[1]]].map((pixel) => this.view.toPlace(pixel));
    const plane = this.plane;
    const values = await this.askForSheet(rows(z));
    if (!values || plane !== this.plane || !this.hasBackground) return;
    this.sheet = { canvas: this.pictures.sheet(values, columns, lines, channels(themeColor("--ink"))), corners };
    this.needsBase = true;
    this.redraw();
  }

  drawBase() {
    const context = this.base.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.view.width, this.view.height);
    if (this.sheet && this.hasBackground) {
      const [[left, top], [right, bottom]] = this.sheet.corners.map((corner) => this.view.toPixel(corner));
      context.imageSmoothingEnabled = false;
      context.drawImage(this.sheet.canvas, left, top, right - left, bottom - top);
    }
    this.drawRings(context);
    this.drawPoints(context);
    this.drawNames(context);
  }

  // One and two standard deviations of the prior.
  drawRings(context) {
    const center = this.view.toPixel(this.plane.at(this.space.mean));
    const spread = [this.plane.u, this.plane.v].map((axis) => this.plane.spread(axis, this.space.stddev));
    context.strokeStyle = themeColor("--line-strong");
    context.fillStyle = themeColor("--muted");
    context.lineWidth = 1.2;
    context.font = `11px ${themeColor("--font")}`;
    context.textAlign = "center";
    for (const times of [1, 2, 3]) {
      const [rx, ry] = spread.map((s) => Math.max(1, times * s * this.view.scale));
      context.setLineDash(times === 3 ? [2, 5] : []);
      context.beginPath();
      context.ellipse(...center, rx, ry, 0, 0, 2 * Math.PI);
      context.stroke();
      if (!this.plane.isBand) context.fillText(`${times}σ`, center[0], center[1] + ry - 5);
    }
    context.setLineDash([]);
  }

  drawPoints(context) {
    const zoomed = Math.min(2.2, Math.max(1, Math.sqrt(this.view.scale / this.view.fitScale)));
    const n = this.points.classOf.length;
    context.imageSmoothingEnabled = true;
    const radius = (n > 2000 ? 2.2 : n > 600 ? 2.8 : 3.6) * zoomed;
    const sprites = [-1, ...this.classes.keys()].map((c) => this.sprite(c, radius));
    const half = radius + 1;
    for (let i = 0; i < n; i++) {
      if (!this.isVisible(i)) continue;
      const [x, y] = this.pixelOf(i);
      if (x < -9 || y < -9 || x > this.view.width + 9 || y > this.view.height + 9) continue;
      const c = this.points.classOf[i];
      context.globalAlpha = this.emphasized === null || this.emphasized === c ? 0.85 : 0.12;
      context.drawImage(sprites[c + 1], x - half, y - half, 2 * half, 2 * half);
    }
    context.globalAlpha = 1;
  }

  // A point drawn once and stamped as often as there are examples: thousands of arcs take far longer.
  sprite(classIndex, radius) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.ceil(2 * (radius + 1) * this.ratio);
    const context = canvas.getContext("2d");
    context.scale(canvas.width / (2 * (radius + 1)), canvas.width / (2 * (radius + 1)));
    context.fillStyle = classColor(classIndex);
    context.strokeStyle = themeColor("--card");
    context.lineWidth = 0.8;
    context.beginPath();
    context.arc(radius + 1, radius + 1, radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    return canvas;
  }

  // The classes by name at their medians, so that colour is not all that tells them apart.
  drawNames(context) {
    if (this.classes.length > 20) return;
    context.font = `700 17px ${themeColor("--font")}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    this.classes.forEach(({ label }, c) => {
      if (!this.isShown[c] || (this.emphasized !== null && this.emphasized !== c)) return;
      const pixel = this.view.toPixel(this.medians[c]);
      context.lineWidth = 5;
      context.strokeStyle = themeColor("--card");
      context.strokeText(label, ...pixel);
      context.fillStyle = themeColor("--ink");
      context.fillText(label, ...pixel);
    });
    context.textBaseline = "alphabetic";
  }
}
