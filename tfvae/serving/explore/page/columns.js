// The columns of a table: their values as text, in the terms of the data.

const DAY = 86400e3;
const MOST_SHOWN = 100; // columns
const MOST_DIGITS = 5; // of numbers whose decimals are not known

export class Columns {
  constructor(columns) {
    this.all = columns;
    this.shown = columns.slice(0, MOST_SHOWN);
  }

  // A sentence on what is not shown; empty if all is.
  words() {
    const [shown, all] = [this.shown.length, this.all.length];
    return shown < all ? `The first ${shown} of ${all.toLocaleString("en")} columns are shown.` : "";
  }

  get size() {
    return this.all.length;
  }

  text(i, value) {
    if (value === null || Number.isNaN(value)) return "missing";
    const { categories, kind, decimals, origin } = this.all[i];
    if (categories.length) return categories[Math.min(Math.max(Math.round(value), 0), categories.length - 1)];
    if (kind === "date" && origin) return dateOf(origin, value, decimals === 0);
    if (decimals !== null) return fixed(value, Math.min(decimals, 8));
    return value.toLocaleString("en", { maximumSignificantDigits: MOST_DIGITS, useGrouping: "min2" }).replace("-", "−");
  }

  // How sure the model is: the probability of a category, or the range of 80% of the draws of a number.
  spread(i, { low, high, share }) {
    if (this.all[i].categories.length) return `${Math.round(100 * share[i])}%`;
    const [from, to] = [low, high].map((ends) => this.text(i, ends[i]));
    return from === to ? from : `${from} to ${to}`;
  }
}

function fixed(value, decimals) {
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: "min2" };
  return value.toLocaleString("en", options).replace("-", "−");
}

function dateOf(origin, days, isWhole) {
  const zoned = /[zZ]|[+-]\d\d:?\d\d$/.test(origin) || !origin.includes("T") ? origin : `${origin}Z`;
  const date = new Date(new Date(zoned).getTime() + (isWhole ? Math.round(days) : days) * DAY);
  if (Number.isNaN(date.getTime())) return "–";
  const text = date.toISOString();
  return isWhole ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
}

export function cell(tag, text, className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className, title: text });
}
