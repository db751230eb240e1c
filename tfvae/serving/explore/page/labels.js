// Separates labels that overlap: boxes { x, y, width, height, isFixed } with centre (x, y), changed in place.

const ROUNDS = 60;

export function keepApart(boxes, gap = 2) {
  for (let round = 0; round < ROUNDS; round++) {
    let hasMoved = false;
    for (let i = 0; i < boxes.length; i++) {
      for (let j = i + 1; j < boxes.length; j++) hasMoved = push(boxes[i], boxes[j], gap) || hasMoved;
    }
    if (!hasMoved) return;
  }
}

// Moves two overlapping boxes apart along the axis with the smaller overlap: each by half, or one if the other is fixed.
function push(p, q, gap) {
  if (p.isFixed && q.isFixed) return false;
  const [dx, dy] = [q.x - p.x, q.y - p.y];
  const across = (p.width + q.width) / 2 + gap - Math.abs(dx);
  const down = (p.height + q.height) / 2 + gap - Math.abs(dy);
  if (across <= 0.01 || down <= 0.01) return false;
  const [axis, by] = across < down ? ["x", dx < 0 ? -across : across] : ["y", dy < 0 ? -down : down];
  const share = p.isFixed ? 0 : q.isFixed ? 1 : 0.5;
  p[axis] -= share * by;
  q[axis] += (1 - share) * by;
  return true;
}
