// What is chosen besides z: a condition or a label. Classes have a list, and numbers a field each.

import { server } from "./server.js";
import { signed } from "./space.js";

export class Choice {
  // `ofExamples` has the class of each example, or its numbers one after the other.
  constructor({ element, model, ofExamples, onChange }) {
    Object.assign(this, { ofExamples, onChange, ...(model.choice ?? { kind: null }) });
    if (!this.kind) return;
    element.hidden = false;
    if (this.kind === "numbers") this.makeFields(element);
    else if (this.kind === "example") this.makeSentence(element);
    else this.makeList(element);
    this.show(this.default);
  }

  get title() {
    return this.kind === "label" ? "Label" : "Condition";
  }

  makeList(element) {
    this.list = document.createElement("select");
    this.list.replaceChildren(...this.names.map((name, i) => new Option(name, i)));
    this.list.addEventListener("change", () => this.set(Number(this.list.value)));
    const label = document.createElement("label");
    label.append(`${this.title} `, this.list);
    element.replaceChildren(label);
  }

  makeFields(element) {
    this.fields = this.names.map((name) => {
      const field = Object.assign(document.createElement("input"), { type: "number", step: "any", name });
      field.setAttribute("aria-label", `Number ${name} of the condition`);
      field.addEventListener("input", () => {
        const values = this.fields.map(({ valueAsNumber }) => valueAsNumber);
        if (values.every(Number.isFinite)) this.set(values);
      });
      return field;
    });
    element.setAttribute("aria-label", this.title);
    element.replaceChildren(this.title, ...this.fields);
  }

  makeSentence(element) {
    this.sentence = element;
    element.title = "Click an example on the map to decode with its condition";
  }

  set(value) {
    if (!this.kind || String(value) === String(this.value)) return;
    this.show(value);
    this.onChange();
  }

  setToExample(index) {
    if (this.kind) this.set(this.ofExample(index));
  }

  ofExample(index) {
    if (this.kind === "example") return index;
    if (this.kind !== "numbers") return this.ofExamples[index];
    const size = this.names.length;
    return Array.from(this.ofExamples.subarray(index * size, (index + 1) * size));
  }

  show(value) {
    this.value = value;
    server.choice = String(value);
    if (this.list) this.list.value = value;
    this.fields?.forEach((field, i) => {
      // The field that is being edited keeps its text.
      if (field.valueAsNumber !== value[i]) field.value = Number(value[i].toPrecision(4));
    });
    if (this.sentence) {
      this.sentence.textContent =
        `The condition has shape ${this.shape.join(" × ")} and cannot be edited here: ` +
        `it is that of example no. ${value}.`;
    }
  }

  // For screen readers.
  words() {
    if (!this.kind) return "";
    const value = this.list ? this.names[this.value] : this.fields ? this.value.map((v) => signed(v)).join(" ") : this.value;
    return `${this.title} ${value}. `;
  }
}
