// Draws values of x: images as pixels, everything else as lines or bars.

import { Columns } from "./columns.js";
import { signed } from "./space.js";

// Colours of lines, in order; the first is the page's own colour.
const COLORS = ["", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];
const GAP = 128; // between panels
const MOST_TEXTS = 8;
const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });

export class Pictures {
  constructor(model) {
    const shape = model.event_shape;
    this.isImage = model.is_image;
    this.columns = model.columns ? new Columns(model.columns) : null; // of a table, whose rows are shown as text
    this.size = shape.reduce((product, length) => product * length, 1);
    [this.height, this.width, this.channels] = this.isImage ? model.picture.shape : [3, 4, 1];
    this.pixels = model.picture?.pixels; // of each pixel the number of its value, where they are not in order
    this.lines = model.lines; // steps, and how many lines
    this.takesImages = model.takes_images;
    [this.low, this.high] = model.range;
    this.scales = model.scales; // of each column, channel or band its own, where they have no common unit
    this.isLightOnDark = model.dark_border;
  }

  // Brightness from 0 (black) to 1 (white) of a pixel of the example at `offset`; null between panels.
  brightness(values, offset, pixel, c) {
    const at = pixel * this.channels + (this.channels === 3 ? c : 0);
    const i = this.pixels ? this.pixels[at] : at;
    return i < 0 ? null : this.share(values[offset + i], i);
  }

  scaleOf(i) {
    return this.scales?.[i % this.scales.length] ?? [this.low, this.high];
  }

  // Height in a plot, from 0 (bottom) to 1 (top), or brightness, of value `i`.
  share(value, i) {
    const [low, high] = this.scaleOf(i);
    return Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  }

  // Values to write below the bars, if there are few enough to read.
  texts(values) {
    if (this.isImage || this.columns || this.size > MOST_TEXTS) return [];
    return Array.from(values.subarray(0, this.size), (value, i) => {
      const [low, high] = this.scaleOf(i);
      const digits = Math.min(5, Math.max(0, 2 - Math.floor(Math.log10(high - low || 1))));
      return Math.abs(value) < 1e5 ? signed(value, digits) : compact.format(value).replace("-", "−");
    });
  }

  draw(canvas, values, offset = 0) {
    if (this.isImage) this.drawImage(canvas, values, offset);
    else this.drawPlot(canvas, values, offset);
  }

  drawImage(canvas, values, offset) {
    resize(canvas, this.width, this.height);
    const context = canvas.getContext("2d");
    const image = context.createImageData(this.width, this.height);
    for (let pixel = 0; pixel < this.width * this.height; pixel++) {
      for (let c = 0; c < 3; c++) {
        const brightness = this.brightness(values, offset, pixel, c);
        image.data[4 * pixel + c] = brightness === null ? GAP : Math.round(255 * brightness);
      }
      image.data[4 * pixel + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  drawPlot(canvas, values, offset) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round((canvas.clientWidth || 160) * ratio);
    const height = Math.round((canvas.clientHeight || 120) * ratio);
    resize(canvas, width, height);
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const y = (share) => height * (0.94 - 0.88 * share);
    context.clearRect(0, 0, width, height);
    if (this.lines) {
      this.drawLines(context, style, values, offset, [width, height, ratio], y);
      return;
    }
    // With one scale, bars start at zero or at the end of the range nearest to it; with separate scales, at the minimum.
    const feet = Array.from({ length: this.size }, (_, i) => y(this.scales ? 0 : this.share(0, i)));
    context.fillStyle = context.strokeStyle = style.getPropertyValue("--line-strong");
    feet.forEach((foot, i) => context.fillRect((width * i) / this.size, foot, width / this.size, ratio));
    context.fillStyle = context.strokeStyle = style.getPropertyValue("--accent");
    const step = width / this.size;
    for (let i = 0; i < this.size; i++) {
      const [top, foot] = [y(this.share(values[offset + i], i)), feet[i]];
      context.fillRect(step * (i + 0.15), Math.min(top, foot), step * 0.7, Math.max(Math.abs(foot - top), ratio));
    }
  }

  // One line per channel; the channels of a step are adjacent in memory.
  drawLines(context, style, values, offset, [width, height, ratio], y) {
    const [steps, lines] = this.lines;
    if (!this.scales && this.low <= 0 && this.high >= 0) {
      context.fillStyle = style.getPropertyValue("--line-strong");
      context.fillRect(0, y(this.share(0, 0)), width, ratio);
    }
    context.lineWidth = 1.5 * ratio;
    for (let line = 0; line < lines; line++) {
      context.strokeStyle = COLORS[line % COLORS.length] || style.getPropertyValue("--accent");
      context.beginPath();
      for (let step = 0; step < steps; step++) {
        const i = step * lines + line;
        context.lineTo((width * (step + 0.5)) / steps, y(this.share(values[offset + i], i)));
      }
      context.stroke();
    }
  }

  blank(canvas) {
    // Blank images have the colour of their background, blank bars have no height.
    const end = this.isImage && !this.isLightOnDark ? 1 : 0;
    const empty = (i) => (this.isImage || this.scales ? this.scaleOf(i)[end] : 0);
    this.draw(canvas, Float32Array.from({ length: this.size }, (_, i) => empty(i)));
  }

  // Pictures for the background of the map: brightness becomes opacity, so that black is transparent.
  sheet(values, columns, rows, ink, strength) {
    const canvas = document.createElement("canvas");
    const gap = Math.ceil(Math.max(this.width, this.height) / 14); // half the space between neighbours
    const [cellWidth, cellHeight] = [this.width + 2 * gap, this.height + 2 * gap];
    resize(canvas, columns * cellWidth, rows * cellHeight);
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const isInk = this.channels === 1 && this.isLightOnDark;
    for (let cell = 0; cell < columns * rows; cell++) {
      const left = (cell % columns) * cellWidth + gap;
      const top = Math.floor(cell / columns) * cellHeight + gap;
      for (let pixel = 0; pixel < this.width * this.height; pixel++) {
        const x = left + (pixel % this.width);
        const at = 4 * ((top + Math.floor(pixel / this.width)) * canvas.width + x);
        for (let c = 0; c < 3; c++) {
          const value = this.brightness(values, cell * this.size, pixel, c);
          image.data[at + c] = isInk ? ink[c] : Math.round(255 * (value ?? 0));
        }
        const first = this.brightness(values, cell * this.size, pixel, 0);
        image.data[at + 3] = first === null ? 0 : Math.round(255 * strength * (isInk ? first : 1.5)); // clamped
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }
}

function resize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

// A row of pictures that can be selected.
export class Film {
  constructor(element, length, pictures, name, onPick) {
    Object.assign(this, { element, pictures });
    this.frames = Array.from({ length }, (_, i) => {
      const frame = document.createElement("button");
      frame.type = "button";
      frame.className = "frame";
      frame.setAttribute("aria-label", name(i));
      frame.append(Object.assign(document.createElement("canvas"), { className: "picture" }));
      frame.addEventListener("click", () => onPick(i));
      frame.tabIndex = i === 0 ? 0 : -1; // one stop of the Tab key, and arrows within
      return frame;
    });
    element.replaceChildren(...this.frames);
    element.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const next = this.frames[this.frames.indexOf(document.activeElement) + step];
      if (!step || !next) return;
      for (const frame of this.frames) frame.tabIndex = frame === next ? 0 : -1;
      next.focus();
      event.preventDefault();
    });
    for (const frame of this.frames) pictures.blank(frame.firstChild);
  }

  show(i, values, offset = 0) {
    this.pictures.draw(this.frames[i].firstChild, values, offset);
  }

  mark(marked) {
    this.frames.forEach((frame, i) => frame.classList.toggle("marked", i === marked));
  }
}
