// The plane through latent space that the map shows: z = origin + a u + b v. The part of z outside it is kept.

export class Plane {
  constructor(origin, u, v) {
    Object.assign(this, { origin, u, v });
  }

  static ofDimensions(size, i, j) {
    const axis = (k) => Float32Array.from({ length: size }, (_, d) => (d === k ? 1 : 0));
    // With a single dimension there is no second axis: the map is a band.
    return new Plane(new Float32Array(size), axis(i), i === j ? new Float32Array(size) : axis(j));
  }

  static ofComponents({ origin, axes }) {
    return new Plane(origin, axes[0], axes[1]);
  }

  get isBand() {
    return this.v.every((value) => value === 0);
  }

  // Projects the z that starts at `offset` onto the map.
  at(z, offset = 0) {
    let a = 0;
    let b = 0;
    for (let d = 0; d < this.u.length; d++) {
      const from = z[offset + d] - this.origin[d];
      a += from * this.u[d];
      b += from * this.v[d];
    }
    return [a, b];
  }

  // Moves z within the plane until its projection is (a, b).
  moved(z, [a, b]) {
    const [a0, b0] = this.at(z);
    return Float32Array.from(z, (value, d) => value + (a - a0) * this.u[d] + (b - b0) * this.v[d]);
  }

  // Standard deviation of the prior along an axis, assuming independent dimensions.
  spread(axis, stddev) {
    return Math.sqrt(axis.reduce((sum, value, d) => sum + (value * stddev[d]) ** 2, 0));
  }
}
