// Mouse, touch and keys on the map. Hovering previews a point, a click or drag selects it, leaving restores the selection.

const CLICK = 4; // pixels a click may wander
export const POINTED = 6; // how near to a point it is the one that is pointed at
const HANDLE = 16; // how near to A or B a drag of them begins

export class MapInput {
  constructor(map, { setPathEnd, playPath, stopPath, goToExample }) {
    Object.assign(this, { map, space: map.space, setPathEnd, playPath, stopPath, goToExample });
    this.fingers = new Map();
    this.gesture = null; // "cursor", "pan", "pinch", "a" or "b"
    const { element } = map;
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.up(event));
    element.addEventListener("pointercancel", (event) => this.up(event));
    element.addEventListener("pointerleave", () => !this.gesture && this.space.endPeek());
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("keydown", (event) => this.key(event));
  }

  pixel(event) {
    const box = this.map.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  zAt(pixel, z = this.space.z) {
    return this.map.plane.moved(z, this.map.view.toPlace(pixel));
  }

  down(event) {
    if (event.target.closest("button")) return;
    const pixel = this.pixel(event);
    this.map.element.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, pixel);
    this.began = this.last = pixel;
    this.hasMoved = false;
    const first = this.gesture;
    if (this.fingers.size > 1) this.gesture = "pinch";
    else if (event.button !== 0 || event.shiftKey) this.gesture = "pan";
    else this.gesture = this.handleAt(pixel) ?? "cursor";
    if (this.gesture === "cursor") {
      this.before = this.space.z;
      this.space.goTo(this.zAt(pixel), { passing: true });
    } else {
      // The first finger of a pinch must not select a point.
      if (first === "cursor") this.space.goTo(this.before);
      this.space.endPeek();
    }
  }

  handleAt(pixel) {
    const { path, view, plane } = this.map;
    if (!path.a) return null;
    const near = (z) => Math.hypot(...view.toPixel(plane.at(z)).map((value, i) => value - pixel[i])) < HANDLE;
    return near(path.a) ? "a" : near(path.b) ? "b" : null;
  }

  move(event) {
    const pixel = this.pixel(event);
    if (!this.gesture) {
      if (event.pointerType === "mouse" && !event.target.closest("button")) this.space.peekAt(this.zAt(pixel));
      return;
    }
    if (!this.fingers.has(event.pointerId)) return;
    if (this.gesture === "pinch") return this.pinch(event.pointerId, pixel);
    if (Math.hypot(pixel[0] - this.began[0], pixel[1] - this.began[1]) > CLICK) this.hasMoved = true;
    if (this.gesture === "cursor" && this.hasMoved) this.space.goTo(this.zAt(pixel), { passing: true });
    if (this.gesture === "a" || this.gesture === "b") {
      this.setPathEnd(this.gesture, this.zAt(pixel, this.map.path[this.gesture]));
    }
    if (this.gesture === "pan") {
      this.map.view.pan(pixel[0] - this.last[0], pixel[1] - this.last[1]);
      this.map.refresh();
    }
    this.last = pixel;
    this.fingers.set(event.pointerId, pixel);
  }

  pinch(id, pixel) {
    const before = [...this.fingers.values()];
    this.fingers.set(id, pixel);
    const after = [...this.fingers.values()];
    const apart = ([p, q]) => Math.max(1, Math.hypot(p[0] - q[0], p[1] - q[1]));
    const middle = ([p, q]) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
    const [from, to] = [middle(before), middle(after)];
    this.map.view.pan(to[0] - from[0], to[1] - from[1]);
    this.map.view.zoom(apart(after) / apart(before), to);
    this.map.refresh();
  }

  up(event) {
    if (!this.fingers.delete(event.pointerId)) return;
    const { gesture } = this;
    // The remaining finger of a pinch is ignored, so that the cursor does not jump to it.
    if (this.fingers.size) return;
    this.gesture = null;
    if (gesture !== "cursor") return;
    const near = this.map.nearestTo(this.last);
    if (!this.hasMoved && near.index >= 0 && near.distance < POINTED) this.goToExample(near.index);
    else this.space.goTo(this.space.z);
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.map.view.zoom(Math.exp(-0.0016 * lines * event.deltaY), this.pixel(event));
    this.map.refresh();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.map.element) return;
    const { map, space } = this;
    const key = event.key.toLowerCase(); // with Caps Lock, or Shift, too
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (arrow || event.key === "Enter") this.stopPath();
    if (arrow) {
      const step = (event.shiftKey ? 50 : 10) / map.view.scale;
      const place = map.plane.at(space.z).map((value, i) => value + step * arrow[i]);
      space.goTo(map.plane.moved(space.z, place));
      if (map.view.follow(map.plane.at(space.z))) map.refresh();
    } else if (event.key === "+" || event.key === "=") {
      map.view.zoom(1.25, map.cursorPixel());
      map.refresh();
    } else if (event.key === "-") {
      map.view.zoom(0.8, map.cursorPixel());
      map.refresh();
    } else if (event.key === "0") {
      map.fit();
    } else if (event.key === "Enter") {
      const index = map.nearestInSpace(space.shown);
      if (index >= 0) this.goToExample(index);
    } else if (key === "a" || key === "b") {
      this.setPathEnd(key, space.z);
    } else if (key === "p") {
      this.playPath();
    } else {
      return;
    }
    event.preventDefault();
  }
}
