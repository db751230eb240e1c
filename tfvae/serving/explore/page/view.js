// The visible part of the plane: converts points of the plane to pixels and back.

export class View {
  constructor() {
    Object.assign(this, { width: 1, height: 1, scale: 1, x: 0, y: 0, fitScale: 1 });
  }

  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
  }

  // Zooms to a box, with a margin in pixels.
  fit({ left, right, bottom, top }, margin) {
    const wide = Math.max(right - left, 1e-3);
    const high = Math.max(top - bottom, 1e-3);
    this.scale = Math.min((this.width - 2 * margin) / wide, (this.height - 2 * margin) / high);
    this.scale = this.fitScale = Math.max(this.scale, 1e-3);
    this.x = (left + right) / 2;
    this.y = (bottom + top) / 2;
  }

  toPixel([a, b]) {
    return [this.width / 2 + (a - this.x) * this.scale, this.height / 2 - (b - this.y) * this.scale];
  }

  toPlace([x, y]) {
    return [this.x + (x - this.width / 2) / this.scale, this.y - (y - this.height / 2) / this.scale];
  }

  // The point under `pixel` does not move.
  zoom(factor, pixel = [this.width / 2, this.height / 2]) {
    const [a, b] = this.toPlace(pixel);
    this.scale = Math.min(Math.max(this.scale * factor, this.fitScale / 4), this.fitScale * 60);
    const [x, y] = this.toPlace(pixel);
    this.x += a - x;
    this.y += b - y;
  }

  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
  }

  // Pans as little as needed to make a point visible. Returns whether it moved.
  follow(place, margin = 24) {
    const [x, y] = this.toPixel(place);
    const dx = x < margin ? margin - x : Math.min(0, this.width - margin - x);
    const dy = y < margin ? margin - y : Math.min(0, this.height - margin - y);
    this.pan(dx, dy);
    return dx !== 0 || dy !== 0;
  }
}
