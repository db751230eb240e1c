// The latent map: examples as points, and optionally the decoded plane behind them.

import { channels, classColor, onThemeChange, themeColor } from "./colors.js";
import { drawReach } from "./map-ground.js";
import { drawOverlay } from "./map-overlay.js";
import { rows } from "./space.js";
import { View } from "./view.js";

const MOST_CELLS = 420;
const HEAP = 0.5; // standard deviations of the prior that examples span which tell nothing apart
const REACH = 3;
const BAND = 2; // standard deviations
const BAND_CELL = 64; // pixels
const TOOLS = 46; // pixels that the buttons take

export class LatentMap {
  constructor({ element, space, points, classes, pictures, decoded, askForSheet }) {
    Object.assign(this, { element, space, points, classes, pictures, decoded, askForSheet });
    [this.base, this.over] = element.querySelectorAll("canvas");
    this.view = new View();
    this.isShown = classes.map(() => true);
    this.emphasized = null;
    this.path = { a: null, b: null };
    this.nearest = -1; // the example that is marked as the nearest in all of z
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
      this.places[2 * i + 1] = plane.isBand ? (((i * 0.618034) % 1) - 0.5) * this.bandHeight() : b;
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

  // With a single dimension, the height of a point is random; it only separates the points.
  bandHeight() {
    return BAND * this.space.stddev[0];
  }

  // Zooms to all examples except outliers, or to the range of the prior if all examples lie in one spot.
  fit() {
    const ends = (axis) => {
      const values = this.places.filter((_, i) => i % 2 === axis).sort();
      const out = Math.floor(values.length / 200);
      return [values[out], values[values.length - 1 - out]];
    };
    const { plane, space } = this;
    const spread = [plane.u, plane.v].map((axis) => plane.spread(axis, space.stddev));
    const box = [ends(0), ends(1)];
    this.isHeap = box.every(([low, high], axis) => (plane.isBand && axis) || high - low < HEAP * spread[axis]);
    const [[left, right], [bottom, top]] = this.isHeap
      ? plane.at(space.mean).map((middle, axis) => [middle - REACH * spread[axis], middle + REACH * spread[axis]])
      : box;
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

  // Redraws everything after a change of the view, the theme or the visible classes.
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

  // Finds the visible example nearest to a pixel, and its distance.
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

  // Finds the visible example whose E[z|x] is nearest in all dimensions, or -1 if no example is visible.
  nearestInSpace(z) {
    const { size } = this.space;
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < this.points.classOf.length; i++) {
      if (!this.isVisible(i)) continue;
      let squared = 0;
      for (let d = 0, at = i * size; d < size && squared < least; d++, at++) {
        squared += (this.points.z[at] - z[d]) ** 2;
      }
      if (squared < least) [best, least] = [i, squared];
    }
    return best;
  }

  // Finds the example nearest to a point of the plane; with `classIndex` null, of any class.
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
    this.hasBackground = wanted && this.pictures.isImage;
    this.refresh();
  }

  async refreshSheet() {
    if (!this.hasBackground) {
      if (this.sheet) this.needsBase = true;
      this.sheet = null;
      this.redraw();
      return;
    }
    const { columns, lines, cell, shape, from, to } = this.cells();
    if (!columns || !lines) return;
    const z = [];
    for (let cellIndex = 0; cellIndex < columns * lines; cellIndex++) {
      const x = from[0] + ((cellIndex % columns) + 0.5) * cell;
      const y = from[1] + (Math.floor(cellIndex / columns) + 0.5) * cell * shape;
      z.push(this.plane.moved(this.space.z, this.view.toPlace([x, y])));
    }
    const corners = [from, to].map((pixel) => this.view.toPlace(pixel));
    const plane = this.plane;
    const values = await this.askForSheet(rows(z));
    if (!values || plane !== this.plane || !this.hasBackground) return;
    const strength = plane.isBand ? 0.9 : 0.2; // no points lie on a band's pictures
    const canvas = this.pictures.sheet(values, columns, lines, channels(themeColor("--ink")), strength);
    this.sheet = { canvas, corners };
    this.needsBase = true;
    this.redraw();
  }

  // Positions of the background's pictures in pixels: all over the map, or in one row if there is a single dimension.
  cells() {
    const { width, height } = this.view;
    const shape = this.pictures.height / this.pictures.width;
    const { isBand } = this.plane;
    const cell = isBand ? BAND_CELL : Math.max(34, Math.sqrt((width * height) / (shape * MOST_CELLS)) + 0.5);
    const columns = Math.floor((width - (isBand ? 2 * TOOLS : 0)) / cell);
    const lines = isBand ? 1 : Math.floor(height / (cell * shape));
    const [wide, high] = [columns * cell, lines * cell * shape];
    const foot = this.view.toPixel([0, -this.bandHeight() / 2])[1] + 14;
    const top = isBand ? Math.max(28, Math.min(foot, height - high - 8)) : (height - high) / 2;
    const from = [(width - wide) / 2, top];
    return { columns, lines, cell, shape, from, to: [from[0] + wide, top + high] };
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
    this.drawPoints(context);
    this.written = drawReach(context, this);
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

  // Draws a point once and copies it for each example, which is much faster than drawing thousands of arcs.
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
}
