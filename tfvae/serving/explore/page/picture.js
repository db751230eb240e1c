// Draws what the model makes: pictures pixel by pixel, anything else as a line or bars.

import { signed } from "./space.js";

const MOST_BARS = 40;
const MOST_TEXTS = 8;
const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });

export class Pictures {
  constructor(model) {
    const shape = model.event_shape;
    this.isImage = model.is_image;
    this.size = shape.reduce((product, length) => product * length, 1);
    [this.height, this.width] = this.isImage ? shape : [3, 4];
    this.channels = this.isImage && shape.length === 3 ? shape[2] : 1;
    [this.low, this.high] = model.range;
    this.scales = model.scales; // of each value its own, where they have no common unit
    this.isLightOnDark = model.dark_border;
  }

  // From 0 (black) to 1 (white).
  brightness(value) {
    return Math.min(1, Math.max(0, (value - this.low) / (this.high - this.low || 1)));
  }

  scaleOf(i) {
    return this.scales?.[i] ?? [this.low, this.high];
  }

  // From the foot (0) to the top (1) of a plot, for value number `i`.
  share(value, i) {
    const [low, high] = this.scaleOf(i);
    return Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  }

  // The numbers that a plot's bars stand for, few enough to be read.
  texts(values) {
    if (this.isImage || this.size > MOST_TEXTS) return [];
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
        const index = offset + pixel * this.channels + (this.channels === 3 ? c : 0);
        image.data[4 * pixel + c] = Math.round(255 * this.brightness(values[index]));
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
    // On one scale bars begin at nought, or at the end that is next to it; on scales of their own at the least value.
    const feet = Array.from({ length: this.size }, (_, i) => y(this.scales ? 0 : this.share(0, i)));
    context.clearRect(0, 0, width, height);
    context.fillStyle = context.strokeStyle = style.getPropertyValue("--line-strong");
    feet.forEach((foot, i) => context.fillRect((width * i) / this.size, foot, width / this.size, ratio));
    context.fillStyle = context.strokeStyle = style.getPropertyValue("--accent");
    if (this.size <= MOST_BARS) {
      const step = width / this.size;
      for (let i = 0; i < this.size; i++) {
        const [top, foot] = [y(this.share(values[offset + i], i)), feet[i]];
        context.fillRect(step * (i + 0.15), Math.min(top, foot), step * 0.7, Math.max(Math.abs(foot - top), ratio));
      }
      return;
    }
    context.lineWidth = 1.5 * ratio;
    context.beginPath();
    for (let i = 0; i < this.size; i++) {
      context.lineTo((width * (i + 0.5)) / this.size, y(this.share(values[offset + i], i)));
    }
    context.stroke();
  }

  blank(canvas) {
    const empty = this.isLightOnDark ? this.low : this.high;
    this.draw(canvas, Float32Array.from({ length: this.size }, (_, i) => (this.isImage ? empty : this.scales?.[i][0] ?? 0)));
  }

  // A sheet of pictures to lie faintly behind the map's points: bright strokes become ink, of which black is none.
  sheet(values, columns, rows, ink, strength) {
    const canvas = document.createElement("canvas");
    const gap = Math.ceil(Math.max(this.width, this.height) / 14); // half the space between neighbours
    const [cellWidth, cellHeight] = [this.width + 2 * gap, this.height + 2 * gap];
    resize(canvas, columns * cellWidth, rows * cellHeight);
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const isInk = this.channels === 1 && this.isLightOnDark;
    for (let cell = 0, index = 0; cell < columns * rows; cell++) {
      const left = (cell % columns) * cellWidth + gap;
      const top = Math.floor(cell / columns) * cellHeight + gap;
      for (let pixel = 0; pixel < this.width * this.height; pixel++, index += this.channels) {
        const x = left + (pixel % this.width);
        const at = 4 * ((top + Math.floor(pixel / this.width)) * canvas.width + x);
        for (let c = 0; c < 3; c++) {
          const value = this.brightness(values[index + (this.channels === 3 ? c : 0)]);
          image.data[at + c] = isInk ? ink[c] : Math.round(255 * value);
        }
        image.data[at + 3] = Math.round(255 * strength * (isInk ? this.brightness(values[index]) : 1.5)); // clamped
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

// A row of pictures that can be picked.
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
