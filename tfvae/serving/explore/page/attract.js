// Moves the cursor from class to class until the user touches the page, to show how the map works.
// `onStop` is called with each point where the cursor turns.

import { between } from "./space.js";

const SECONDS = 2.6; // from one stop to the next
const MOST_SECONDS = 90;
const FRAME = 1000 / 30;

export function attract(space, stops, onStop) {
  const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (isCalm || stops.length < 2) return;
  const began = performance.now();
  let isOn = true;
  let last = 0;
  let turned = 0;
  const stop = () => {
    if (!isOn) return;
    isOn = false;
    space.goTo(space.z);
    for (const event of events) document.removeEventListener(event, stop, true);
  };
  const events = ["pointerdown", "pointermove", "keydown", "wheel", "dragover", "paste"];
  for (const event of events) document.addEventListener(event, stop, { capture: true, passive: true });
  const tick = (now) => {
    if (!isOn) return;
    const time = Math.max(0, now - began) / 1000;
    if (time > MOST_SECONDS) return stop();
    if (now - last >= FRAME) {
      last = now;
      const leg = Math.floor(time / SECONDS);
      const share = time / SECONDS - leg;
      const eased = share * share * (3 - 2 * share);
      space.goTo(between(stops[leg % stops.length], stops[(leg + 1) % stops.length], eased), { passing: true });
      if (leg > turned) onStop();
      turned = leg;
    }
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}
