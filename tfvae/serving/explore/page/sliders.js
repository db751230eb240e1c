// A slider for each latent dimension, in standard deviations of the prior.

import { signed } from "./space.js";

const REACH = 4;

export class Sliders {
  constructor(element, space, model, onTouch) {
    this.space = space;
    this.rows = Array.from({ length: space.size }, (_, d) => {
      const row = document.createElement("label");
      row.className = "slider";
      row.classList.toggle("idle", !model.active[d]);
      row.title = model.active[d]
        ? "Double-click to reset to the prior's mean"
        : "The encoder does not use this dimension: moving it changes little";
      const name = Object.assign(document.createElement("span"), { textContent: `z${d + 1}`, className: "number" });
      const input = Object.assign(document.createElement("input"), {
        type: "range", min: -REACH, max: REACH, step: 0.01, value: 0, name: `z${d + 1}`,
      });
      const number = Object.assign(document.createElement("output"), { className: "number" });
      input.setAttribute("aria-label", `Latent dimension ${d + 1}`);
      input.addEventListener("input", () => {
        onTouch(d);
        space.goTo(space.with(d, Number(input.value)));
      });
      row.addEventListener("dblclick", () => {
        onTouch(d);
        space.goTo(space.with(d, 0));
      });
      row.append(name, input, number);
      return { row, input, number };
    });
    element.replaceChildren(...this.rows.map(({ row }) => row));
    const tellMore = () => {
      element.classList.toggle("more", element.scrollTop + element.clientHeight < element.scrollHeight - 4);
    };
    element.addEventListener("scroll", tellMore, { passive: true });
    new ResizeObserver(tellMore).observe(element);
    element.classList.toggle("many", space.size > 8);
    element.classList.toggle("very-many", space.size > 12);
  }

  update() {
    this.rows.forEach(({ input, number }, d) => {
      const deviations = this.space.deviations(d);
      // The slider that is being dragged keeps its position.
      if (document.activeElement !== input || Math.abs(Number(input.value) - deviations) > 0.006) {
        input.value = deviations;
      }
      const text = signed(this.space.shown[d]);
      if (number.textContent !== text) number.textContent = text;
      input.setAttribute("aria-valuetext", `${signed(deviations)} standard deviations`);
    });
  }
}
